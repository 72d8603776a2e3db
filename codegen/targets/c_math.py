r"""The C target's own mathematics: branch-free, the same on every machine, for float and double; no math.h.

Each text is C99 with `@` for the prefix of the generated file, `REAL` for its type and `1.0_r` for a literal of
it. Loops over them vectorise with any compiler, which calls into libm do not; largest errors, in units in the
last place, are measured in tests/test_codegen.py.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from codegen.targets.c_functions import BITS, EXP, LOG, SQRT, TANH, WAVE

FUNCTIONS: dict[str, tuple[tuple[str, ...], dict[str, str] | str]] = {
    "bits": ((), BITS),
    "exp": (("bits",), EXP),
    "log": (("bits",), LOG),
    "tanh": (("bits", "exp"), TANH),
    "sqrt": (("bits",), SQRT),
    "wave": (("bits",), WAVE),
    "sin": (("wave",), "\nstatic inline REAL @sin(REAL x)\n{\n    return x == 0.0_r ? x : @wave(x, 0u);\n}\n"),
    "cos": (("wave",), "\nstatic inline REAL @cos(REAL x)\n{\n    return @wave(x, 1u);\n}\n"),
    "fabs": ((), "\nstatic inline REAL @fabs(REAL x)\n{\n    return x < 0.0_r ? -x : x + 0.0_r;\n}\n"),
    "step": (
        (),
        "\nstatic inline REAL @step(REAL x)\n{\n    return x > 0.0_r ? 1.0_r : (x <= 0.0_r ? 0.0_r : x);\n}\n",
    ),
    "relu": (
        (),
        "\nstatic inline REAL @relu(REAL x)\n{\n    return x > 0.0_r ? x : (x <= 0.0_r ? 0.0_r : x);\n}\n",
    ),
    "sigmoid": (
        ("exp", "fabs"),
        """
/* The exponential of a negative number only: nothing overflows, and small values keep their digits. */
static inline REAL @sigmoid(REAL x)
{
    const REAL e = @exp(-@fabs(x));
    return (x >= 0.0_r ? 1.0_r : e) / (1.0_r + e);
}
""",
    ),
    "log1p": (
        ("log",),
        """
/* log(1 + x): the logarithm of the rounded sum, corrected by what the rounding lost. */
static inline REAL @log1p(REAL x)
{
    const REAL u = 1.0_r + x;
    const REAL lost = (u - 1.0_r) - x;
    const REAL y = @log(u) - lost / u;
    return u > 0.0_r && u - u == 0.0_r ? (u == 1.0_r ? x : y) : @log(u);
}
""",
    ),
    "softplus": (
        ("exp", "fabs", "log1p"),
        """
/* log(1 + exp(x)) without overflow. */
static inline REAL @softplus(REAL x)
{
    return (x > 0.0_r ? x : (x <= 0.0_r ? 0.0_r : x)) + @log1p(@exp(-@fabs(x)));
}
""",
    ),
    "sign": (
        (),
        "\nstatic inline REAL @sign(REAL x)\n{\n    return x > 0.0_r ? 1.0_r : (x < 0.0_r ? -1.0_r : x);\n}\n",
    ),
    "silu": (("sigmoid",), "\nstatic inline REAL @silu(REAL x)\n{\n    return x * @sigmoid(x);\n}\n"),
    "gelu_tanh": (
        ("sigmoid",),
        """
/* x (1 + tanh(u)) / 2 = x sigmoid(2 u), u = sqrt(2 / pi) (x + 0.044715 x^3). */
static inline REAL @gelu_tanh(REAL x)
{
    return x * @sigmoid(1.5957691216057308_r * (x + 0.044715_r * x * x * x));
}
""",
    ),
    "normal_density": (
        ("exp",),
        """
static inline REAL @normal_density(REAL x)
{
    return 0.3989422804014327_r * @exp(-0.5_r * x * x);
}
""",
    ),
    "leaky_relu": (
        (),
        "\nstatic inline REAL @leaky_relu(REAL x, REAL c)\n{\n    return x > 0.0_r ? x : c * x;\n}\n",
    ),
    "expm1": (
        ("exp", "tanh"),
        """
/* exp(x) - 1 = 2 t / (1 - t), t = tanh(x / 2), which loses no digits near 0; far above, the difference itself. */
static inline REAL @expm1(REAL x)
{
    const REAL t = @tanh(0.5_r * x);
    return x > 1.0_r ? @exp(x) - 1.0_r : (t == 0.0_r ? x : 2.0_r * t / (1.0_r - t));
}
""",
    ),
    "elu": (
        ("expm1",),
        "\nstatic inline REAL @elu(REAL x, REAL a)\n{\n    return x > 0.0_r ? x : a * @expm1(x);\n}\n",
    ),
    "clip": (
        (),
        "\nstatic inline REAL @clip(REAL x, REAL d)\n{\n    return x > d ? d : (x < -d ? -d : x);\n}\n",
    ),
    "huber": (
        ("fabs",),
        """
/* x^2 / 2 up to |x| = d, and linear beyond; nothing large is squared. */
static inline REAL @huber(REAL x, REAL d)
{
    const REAL distance = @fabs(x);
    const REAL near = distance < d ? distance : d;
    return near * (distance - 0.5_r * near);
}
""",
    ),
    "pow": (
        ("exp", "log"),
        """
/* Whole exponents by repeated squaring, exact in sign; others through exp and log. */
static inline REAL @pow(REAL x, REAL y)
{
    const REAL size = y < 0.0_r ? -y : y;
    if (size <= 64.0_r && size == (REAL)(int)size) {
        REAL base = x, result = 1.0_r;
        for (int k = (int)size; k > 0; k /= 2) {
            if (k % 2 == 1) {
                result *= base;
            }
            base *= base;
        }
        return y < 0.0_r ? 1.0_r / result : result;
    }
    return @exp(y * @log(x));
}
""",
    ),
}
"""Name as templates of rows call it -> (what it needs, text or one text a type), each after what it needs."""


def emit_math(names: Iterable[str], prefix: str, dtype: str) -> str:
    """Return the C of the named functions and of what they need, in an order that compiles.

    >>> emit_math(["relu"], "cat_", "float64").split("(")[0].split()[-1]
    'cat_relu'
    """
    wanted = set(names)
    for name in reversed(FUNCTIONS):
        if name in wanted:
            wanted.update(FUNCTIONS[name][0])
    texts = [FUNCTIONS[name][1] for name in FUNCTIONS if name in wanted]
    return "".join(real(text if isinstance(text, str) else text[dtype], prefix, dtype) for text in texts)


def real(text: str, prefix: str, dtype: str) -> str:
    """Return a text of C with the prefix and the type put in."""
    text = re.sub(r"([\d.e-]+)_r\b", r"\1f" if dtype == "float32" else r"\1", text)
    return text.replace("REAL", "float" if dtype == "float32" else "double").replace("@", prefix)
