r"""Texts of the C target's mathematics: exp and what is made of it; `c_math` says how they are used.

All share one reduction, exp(x) = 2^n exp(r) with |r| <= ln2 / 2. n is found by adding 1.5 * 2^23 (2^52 in double),
which rounds to a whole number and leaves it in the low bits; ln2 is split so that n times its first part is exact.
Coefficients were fitted by weighted least squares on Chebyshev points, reweighted until the error was level, each
rounded in turn and the later ones fitted again; "fit" is the largest error left, relative to the function.
"""

from __future__ import annotations

from codegen.targets.c_text import by_type, polynomial

EXP_TURNS = """
/* x / ln2 rounded to a whole number n, which lies in the low bits of the result. */
static inline REAL @exp_turns(REAL x)
{
    return x * 1.4426950408889634_r + ROUND;
}
"""

EXP_POWER = """
/* 2^(n + lift), where that is a normal number. */
static inline REAL @exp_power(REAL turns, WORD lift)
{
    return @real((@bits(turns) - @bits(ROUND) + BIAS + lift) << MANTISSA);
}
"""

# (exp(r) - 1 - r) / r^2 on |r| <= 0.3467. Degree 4, fit 3.2e-9; degree 9, fit 3.8e-18.
EXP_REST = by_type(
    """
/* rest, where exp(x - low) = 2^n (1 + rest); low is what a product lost in rounding to x. */
static inline REAL @exp_rest(REAL x, REAL low, REAL turns)
{
    const REAL n = turns - ROUND;
    const REAL r = x - n * $high - low - n * $low;
$p
    return r + r2 * p;
}
""",
    high=("0.693359375f", "6.93147180369123816490e-01"),
    low=("-2.12194440e-4f", "1.90821492927058770002e-10"),
    p=(
        polynomial("p", "r", [0.49999994, 0.16666523, 0.041668303, 0.008368529, 0.0013817379]),
        polynomial("p", "r", [
            0.5000000000000011, 0.16666666666666444, 0.04166666666652693, 0.008333333333475768, 0.0013888888944363661,
            0.00019841269545085367, 2.48014924136998e-05, 2.755755326030089e-06, 2.763047466362751e-07,
            2.5010249205340795e-08,
        ]),
    ),
)  # fmt: skip

EXP_OF = by_type(
    """
/* exp(x - low); 2^n is multiplied in as two factors, so that the result may be subnormal or near the overflow. */
static inline REAL @exp_of(REAL x, REAL low)
{
    const REAL above = x < $lowest ? $lowest : x;
    const REAL c = above > $highest ? $highest : above;
    const REAL turns = @exp_turns(c - low);
    const WORD e = @bits(turns) - (@bits(ROUND) - 2u * BIAS);
    const REAL p = 1.0_r + @exp_rest(c, low, turns);
    return p * @real((e >> 1) << MANTISSA) * @real((e - (e >> 1)) << MANTISSA);
}
""",
    lowest=("-104.0f", "-746.0"),
    highest=("89.0f", "710.0"),
)

EXP = """
/* Within 1.05 ulp. */
static inline REAL @exp(REAL x)
{
    return @exp_of(x, 0.0_r);
}
"""

EXPM1 = by_type(
    """
/* 2^n rest + (2^n - 1), halved so that 2^128 is not met; rest alone where n = 0, and x itself near 0.
   Within 1.6 ulp in float, 2.1 in double. */
static inline REAL @expm1(REAL x)
{
    const REAL above = x < $lowest ? $lowest : x;
    const REAL c = above > $highest ? $highest : above;
    const REAL turns = @exp_turns(c);
    const REAL half = @exp_power(turns - 1.0_r, 0u);
    const REAL rest = @exp_rest(c, 0.0_r, turns);
    const REAL y = half == 0.5_r ? rest : 2.0_r * (half * rest + (half - 0.5_r));
    return @fabs(x) < $small ? x : y;
}
""",
    lowest=("-18.0f", "-40.0"),
    highest=("89.0f", "710.0"),
    small=("1e-9f", "1e-18"),
)

# (tanh(a) - a) / a^3 in a^2, a <= 0.625: degree 4, fit 4.5e-9. In double the quotient of Cephes.
TANH = {
    "float32": """
/* An odd polynomial near 0, else 1 - 2 / (exp(2|x|) + 1); the sign is put back as a bit. Within 1.3 ulp. */
static inline float @tanh(float x)
{
    const float a = @fabs(x);
    const float far = a > 10.0f ? 10.0f : a;
    const float z = a * a;
    const float p = -0.33333284f + z * (0.13331479f + z * (-0.053742267f + z * (0.0206463f + z * -0.0057121436f)));
    const float turns = @exp_turns(2.0f * far);
    const float e = (1.0f + @exp_rest(2.0f * far, 0.0f, turns)) * @exp_power(turns, 0u);
    const float y = 1.0f - 2.0f / (e + 1.0f);
    return @real(@bits(a < 0.625f ? a + a * z * p : y) | (@bits(x) & SIGN_BIT));
}
""",
    "float64": """
/* A quotient of polynomials near 0, else 1 - 2 / (exp(2|x|) + 1), by one division; the sign is put back as a bit.
   Within 1.3 ulp. */
static inline double @tanh(double x)
{
    const double a = @fabs(x);
    const double far = a > 20.0 ? 20.0 : a;
    const double z = a * a;
    const double p = (-9.64399179425052238628e-1 * z - 9.92877231001918586564e1) * z - 1.61468768441708447952e3;
    const double q = ((z + 1.12811678491632931402e2) * z + 2.23548839060100448583e3) * z + 4.84406305325125486048e3;
    const double turns = @exp_turns(2.0 * far);
    const double e = (1.0 + @exp_rest(2.0 * far, 0.0, turns)) * @exp_power(turns, 0u) + 1.0;
    const double quotient = (a < 0.625 ? a * z * p : -2.0) / (a < 0.625 ? q : e);
    return @real(@bits((a < 0.625 ? a : 1.0) + quotient) | (@bits(x) & SIGN_BIT));
}
""",
}

# Beyond -110 (-755 in double) exp is 0 even when multiplied by x.
EXP_BELOW = by_type(
    """
/* exp(-|x|) through 2^100 times it, which is never subnormal: the last product rounds once. */
static inline REAL @exp_below(REAL x)
{
    const REAL c = -@fabs(x) < $lowest ? $lowest : -@fabs(x);
    const REAL turns = @exp_turns(c);
    return (1.0_r + @exp_rest(c, 0.0_r, turns)) * @exp_power(turns, 100u) * LIFTED;
}
""",
    lowest=("-110.0f", "-755.0"),
)

SIGMOID = """
/* The exponential of a negative number only: nothing overflows, and small values keep their digits.
   Within 2.4 ulp in float, 2.25 in double. */
static inline REAL @sigmoid(REAL x)
{
    const REAL e = @exp_below(x);
    return (x < 0.0_r ? e : 1.0_r) / (1.0_r + e);
}
"""

GATED = by_type(
    """
/* x sigmoid(u), where x and u have one sign; below 0 that is x exp(u) / (1 + exp(u)), with the limit 0.
   Within 2.45 ulp where u = x. */
static inline REAL @gated(REAL x, REAL u)
{
    const REAL c = -@fabs(u) < $lowest ? $lowest : -@fabs(u);
    const REAL turns = @exp_turns(c);
    const REAL rest = @exp_rest(c, 0.0_r, turns);
    const REAL power = @exp_power(turns, 100u);
    const REAL y = x < $lowest ? $lowest : x;
    const REAL below = (y + y * rest) * power;
    return (x < 0.0_r ? below : x) / (1.0_r + (1.0_r + rest) * power * LIFTED) * (x < 0.0_r ? LIFTED : 1.0_r);
}
""",
    lowest=("-110.0f", "-755.0"),
)

SILU = """
static inline REAL @silu(REAL x)
{
    return @gated(x, x);
}
"""

GELU_TANH = """
/* x (1 + tanh(u)) / 2 = x sigmoid(2 u), u = sqrt(2 / pi) (x + 0.044715 x^3). Within 3 (1 + 2|u|) ulp, as u is
   rounded before its exponential is taken; where that is many, the value is next to nothing. */
static inline REAL @gelu_tanh(REAL x)
{
    return @gated(x, x * (1.5957691216057308_r + 0.07135481627260025_r * (x * x)));
}
"""

# (2 artanh(s) - 2 s) / s^3 in z = s^2 <= 1/9: degree 3, fit 4.7e-9; degree 9, fit 1.3e-18.
SOFTPLUS = by_type(
    """
/* max(x, 0) + log(1 + e), e = exp(-|x|) <= 1: log through s = e / (2 + e) <= 1/3, which needs no reduction.
   Within 1.95 ulp. */
static inline REAL @softplus(REAL x)
{
    const REAL e = @exp_below(x);
    const REAL s = e / (2.0_r + e);
    const REAL z = s * s;
    const REAL h = 0.5_r * e * e;
$p
    return (x < 0.0_r ? 0.0_r : x) + (e - (h - s * (h + z * p)));
}
""",
    p=(
        polynomial("p", "z", [0.6666642, 0.40021428, 0.2800324, 0.28005558]),
        polynomial("p", "z", [
            0.6666666666666631, 0.40000000000156116, 0.285714285479889, 0.22222223961326526, 0.18181744225270896,
            0.15386553435353692, 0.13301059632311973, 0.12105401519948791, 0.08343100187453258, 0.17013021556449562,
        ]),
    ),
)  # fmt: skip
