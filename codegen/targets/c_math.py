r"""The C target's own mathematics: branch-free, the same on every machine, for float and double; no math.h.

Each text is C99 with `@` for the prefix of the generated file, `REAL` for its type and `1.0_r` for a literal of
it. Loops over them vectorise with any compiler, which calls into libm do not; largest errors, in units in the
last place, are measured in tests/test_c_math.py.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from codegen.targets import c_exponentials as exponentials
from codegen.targets import c_logarithms as logarithms
from codegen.targets import c_normal as normal
from codegen.targets.c_functions import BITS, FABS, SQRT, WAVE

WORDS = {
    "REAL": ("float", "double"),
    "WORD": ("uint32_t", "uint64_t"),
    "MANTISSA": ("23", "52"),
    "BIAS": ("127u", "1023u"),
    "SIGN_BIT": ("0x80000000u", "0x8000000000000000u"),
    "INFINITY": ("@real(0x7f800000u)", "@real(0x7ff0000000000000u)"),
    "NAN": ("@real(0x7fc00000u)", "@real(0x7ff8000000000000u)"),
    "ROUND": ("12582912.0f", "6755399441055744.0"),  # 1.5 * 2^23 and 2^52: adding it rounds to a whole number
    "LIFTED": ("7.8886090522101181e-31f", "7.8886090522101181e-31"),  # 2^-100
}
"""Word -> what it stands for in float and in double."""

LARGER = """
/* The larger of two; NaN where either is, so that no maximum hides one. */
static inline REAL @larger(REAL a, REAL b)
{
    return a >= b || a != a ? a : b;
}
"""

FUNCTIONS: dict[str, tuple[tuple[str, ...], dict[str, str] | str]] = {
    "bits": ((), BITS),
    "fabs": ((), FABS),
    "exp_turns": ((), exponentials.EXP_TURNS),
    "square": ((), "\nstatic inline REAL @square(REAL x)\n{\n    return x * x;\n}\n"),
    "cube": ((), "\nstatic inline REAL @cube(REAL x)\n{\n    return x * x * x;\n}\n"),
    "exp_power": (("bits",), exponentials.EXP_POWER),
    "exp_rest": ((), exponentials.EXP_REST),
    "exp_below": (("fabs", "exp_turns", "exp_power", "exp_rest"), exponentials.EXP_BELOW),
    "exp_of": (("bits", "exp_turns", "exp_rest"), exponentials.EXP_OF),
    "exp": (("exp_of",), exponentials.EXP),
    "expm1": (("fabs", "exp_turns", "exp_power", "exp_rest"), exponentials.EXPM1),
    "log": (("bits",), logarithms.LOG),
    "log1p": (("log",), logarithms.LOG1P),
    "pow_whole": (("fabs",), logarithms.POW_WHOLE),
    "pow_size": (("bits", "exp_of"), logarithms.POW_SIZE),
    "pow": (("fabs", "pow_whole", "pow_size"), logarithms.POW),
    "tanh": (("fabs", "exp_turns", "exp_power", "exp_rest"), exponentials.TANH),
    "sigmoid": (("exp_below",), exponentials.SIGMOID),
    "softplus": (("exp_below",), exponentials.SOFTPLUS),
    "gated": (("fabs", "exp_turns", "exp_power", "exp_rest"), exponentials.GATED),
    "silu": (("gated",), exponentials.SILU),
    "gelu_tanh": (("gated",), exponentials.GELU_TANH),
    "normal_density": (("fabs", "exp_turns", "exp_power", "exp_rest"), normal.NORMAL_DENSITY),
    "normal_tail": (("exp_turns", "exp_power", "exp_rest"), normal.NORMAL_TAIL),
    "normal_cdf": (("fabs", "normal_tail"), normal.NORMAL_CDF),
    "gelu": (("fabs", "normal_tail"), normal.GELU),
    "erf": (("fabs", "normal_tail"), normal.ERF),
    "sqrt": (("bits",), SQRT),
    "wave": (("bits", "fabs"), WAVE),
    "sin": (("wave",), "\nstatic inline REAL @sin(REAL x)\n{\n    return x == 0.0_r ? x : @wave(x, 0u);\n}\n"),
    "cos": (("wave",), "\nstatic inline REAL @cos(REAL x)\n{\n    return @wave(x, 1u);\n}\n"),
    "step": (
        (),
        "\nstatic inline REAL @step(REAL x)\n{\n    return x > 0.0_r ? 1.0_r : (x <= 0.0_r ? 0.0_r : x);\n}\n",
    ),
    "relu": (
        (),
        "\nstatic inline REAL @relu(REAL x)\n{\n    return x > 0.0_r ? x : (x <= 0.0_r ? 0.0_r : x);\n}\n",
    ),
    "sign": (
        (),
        "\nstatic inline REAL @sign(REAL x)\n{\n    return x > 0.0_r ? 1.0_r : (x < 0.0_r ? -1.0_r : x);\n}\n",
    ),
    "leaky_relu": (
        (),
        "\nstatic inline REAL @leaky_relu(REAL x, REAL c)\n{\n    return x > 0.0_r ? x : c * x;\n}\n",
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
}
"""Name as templates of rows call it -> (what it needs, text or one text a type), each after what it needs."""


LARGE = {"pow", "pow_whole", "pow_size"}  # a compiler may call them: of constant exponents little is left anyway
INLINE = """
/* Written into every loop, however many there are: a call would keep it from running on vectors. */
#if defined(__GNUC__)
#define @inline inline __attribute__((always_inline))
#else
#define @inline inline
#endif
"""


def emit_math(names: Iterable[str], prefix: str, dtype: str) -> str:
    """Return the C of the named functions and of what they need, in an order that compiles.

    >>> "double cat_relu(double x)" in emit_math(["relu"], "cat_", "float64")
    True
    """
    wanted = set(names)
    for name in reversed(FUNCTIONS):
        if name in wanted:
            wanted.update(FUNCTIONS[name][0])
    text = INLINE if wanted - LARGE else ""
    for name in (name for name in FUNCTIONS if name in wanted):
        own = FUNCTIONS[name][1]
        own = own if isinstance(own, str) else own[dtype]
        text += own if name in LARGE else own.replace("static inline", "static @inline")
    return real(text, prefix, dtype)


def real(text: str, prefix: str, dtype: str) -> str:
    """Return a text of C with the prefix, the type and the numbers of the type put in."""
    text = re.sub(r"([\d.e-]+)_r\b", r"\1f" if dtype == "float32" else r"\1", text)
    for word, pair in WORDS.items():
        text = re.sub(rf"\b{word}\b", pair[dtype == "float64"], text)
    return text.replace("@", prefix)
