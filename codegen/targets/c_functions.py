"""Texts of the C target's mathematics: bits, roots and waves; `c_math` says how they are used."""

from __future__ import annotations

from codegen.targets.c_text import by_type, polynomial

BITS = """
static inline WORD @bits(REAL x)
{
    union { REAL real; WORD bits; } both;
    both.real = x;
    return both.bits;
}

static inline REAL @real(WORD bits)
{
    union { REAL real; WORD bits; } both;
    both.bits = bits;
    return both.real;
}
"""

FABS = by_type(
    """
/* The absolute value, that of -0 too. A compiler knows its own, and that -x has the same. */
static inline REAL @fabs(REAL x)
{
#if defined(__GNUC__)
    return $builtin(x);
#else
    return x > 0 ? x : 0 - x;
#endif
}
""",
    builtin=("__builtin_fabsf", "__builtin_fabs"),
)

SQRT = by_type(
    """
/* Newton's steps for 1/sqrt, then one for the root; correctly rounded where the compiler has it, else
   within 0.9 ulp. */
static inline REAL @sqrt(REAL x)
{
#if defined(__NO_MATH_ERRNO__) && defined(__GNUC__)
    return $builtin(x);
#else
    const REAL m = x < $tiny ? x * $up : x;
    const REAL back = x < $tiny ? $down : 1.0_r;
    const REAL h = 0.5_r * m;
    REAL r = @real($guess - (@bits(m) >> 1));
    REAL y;
$steps
    y = m * r;
    y = (y + 0.5_r * r * (m - y * y)) * back;
    y = x < INFINITY ? y : x;
    y = x < 0.0_r ? NAN : y;
    return x == 0.0_r ? x : y;
#endif
}
""",
    builtin=("__builtin_sqrtf", "__builtin_sqrt"),
    tiny=("1.17549435e-38f", "2.2250738585072014e-308"),
    up=("16777216.0f", "18014398509481984.0"),
    down=("2.44140625e-4f", "7.450580596923828125e-9"),
    guess=("0x5f375a86u", "0x5fe6eb50c7b537a9u"),
    steps=("\n".join(["    r = r * (1.5f - h * r * r);"] * 3), "\n".join(["    r = r * (1.5 - h * r * r);"] * 4)),
)

# Taylor's coefficients moved a little (Cephes, FreeBSD's msun); pi/2 in parts of 8, 9 and 9 bits, or 33 each.
WAVE = by_type(
    """
/* x = n pi/2 + r, |r| <= pi/4, then the polynomial of the quadrant. The parts of pi/2 but the last have few bits,
   so that n times each is exact up to |x| = $exact; beyond, digits are lost one by one, and where no
   turn can be told from the next, from |x| = $limit on, the result is NaN. Within $ulps ulp in the exact range. */
static inline REAL @wave(REAL x, WORD quarter)
{
    const REAL t = x * 0.6366197723675814_r + ROUND;
    const REAL n = t - ROUND;
    const REAL r = x$reduced;
    const WORD turn = @bits(t) + quarter;
    const REAL z = r * r;
$odd
$even
    const REAL y = (turn & 1u) != 0u ? 1.0_r - (0.5_r * z - z * z * q) : r + r * z * p;
    return @fabs(x) < $limit ? ((turn & 2u) != 0u ? -y : y) : NAN;
}
""",
    exact=("12867", "1647099"),
    limit=("6.0e6f", "3.0e15"),
    ulps=("2.45", "2.1"),
    reduced=(
        " - n * 1.5703125f - n * 4.8351287841796875e-4f - n * 3.1385570764541626e-7f - n * 6.077100506506192e-11f",
        " - n * 1.5707963267341256 - n * 6.077100506303966e-11 - n * 2.0222662487111665e-21\n"
        "        - n * 8.4784276603689e-32",
    ),
    odd=(
        polynomial("p", "z", [-1.6666654611e-1, 8.3321608736e-3, -1.9515295891e-4]),
        polynomial("p", "z", [
            -1.66666666666666324348e-01, 8.33333333332248946124e-03, -1.98412698298579493134e-04,
            2.75573137070700676789e-06, -2.50507602534068634195e-08, 1.58969099521155010221e-10,
        ]),
    ),
    even=(
        polynomial("q", "z", [4.166664568298827e-2, -1.388731625493765e-3, 2.443315711809948e-5], known=2),
        polynomial("q", "z", [
            4.16666666666666019037e-02, -1.38888888888741095749e-03, 2.48015872894767294178e-05,
            -2.75573143513906633035e-07, 2.08757232129817482790e-09, -1.13596475577881948265e-11,
        ], known=4),
    ),
)  # fmt: skip
