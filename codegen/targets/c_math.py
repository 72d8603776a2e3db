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
