r"""Texts of the C target's mathematics: log and what is made of it; `c_math` says how they are used.

x = 2^k m with m in [sqrt(1/2), sqrt(2)), f = m - 1, s = f / (2 + f), log m = f - h + s (h + R), h = f^2 / 2 and
R = 2 artanh(s) / s - 2: the scheme and the coefficients of R in s^2 are those of FreeBSD's msun.
"""

from __future__ import annotations

from codegen.targets.c_text import by_type, polynomial

_R = (
    polynomial("p", "z", [0.66666662693, 0.40000972152, 0.28498786688, 0.24279078841]),
    polynomial("p", "z", [
        6.666666666666735130e-01, 3.999999999940941908e-01, 2.857142874366239149e-01, 2.222219843214978396e-01,
        1.818357216161805012e-01, 1.531383769920937332e-01, 1.479819860510886591e-01,
    ]),
)  # fmt: skip

_PARTS = {
    "tiny": ("1.17549435e-38f", "2.2250738585072014e-308"),
    "up": ("33554432.0f", "18014398509481984.0"),
    "shifted": ("8388760.0f", "4503599627371573.0"),  # 2^23 + 127 + 25, 2^52 + 1023 + 54
    "edge": ("8388735.0f", "4503599627371519.0"),  # 2^23 + 127, 2^52 + 1023
    "whole": ("0x4b000000u", "0x4330000000000000u"),  # the bits of 2^23, 2^52: below them a whole number is read off
    "root": ("0x3f3504f3u", "0x3fe6a09e667f3bcdu"),  # the bits of sqrt(1/2)
    "one": ("0x3f800000u", "0x3ff0000000000000u"),
    "mask": ("0x007fffffu", "0x000fffffffffffffu"),
    "high": ("0.693359375f", "6.93147180369123816490e-01"),
    "low": ("-2.12194440e-4f", "1.90821492927058770002e-10"),
    "p": _R,
}

_REDUCED = """    const REAL scaled = $x < $tiny ? $x * $up : $x;
    const REAL from = $x < $tiny ? $shifted : $edge;
    const WORD bits = @bits(scaled) + ($one - $root);
    const REAL k = @real($whole + (bits >> MANTISSA)) - from;
    const REAL f = @real((bits & $mask) + $root) - 1.0_r;
    const REAL s = f / (2.0_r + f);
    const REAL z = s * s;
$p"""

LOG = by_type(
    """
/* x = 2^k m, m in [sqrt(1/2), sqrt(2)); log m through s = f / (2 + f), f = m - 1. Within 0.8 ulp. */
static inline REAL @log(REAL x)
{
"""
    + _REDUCED.replace("$x", "x")
    + """
    const REAL h = 0.5_r * f * f;
    REAL y = s * (h + z * p) + k * $low - h + f + k * $high;
    y = x < INFINITY ? y : x;
    y = x < 0.0_r ? NAN : y;
    return x == 0.0_r ? -INFINITY : y;
}
""",
    **_PARTS,
)

LOG1P = """
/* log(1 + x): the logarithm of the rounded sum, corrected by what the rounding lost. Within 1.5 ulp. */
static inline REAL @log1p(REAL x)
{
    const REAL u = 1.0_r + x;
    const REAL lost = (u - 1.0_r) - x;
    const REAL y = @log(u);
    return u == 1.0_r ? x : (u > 0.0_r && u < INFINITY ? y - lost / u : y);
}
"""

# Beyond 16 products of rounded products are worse than the logarithm. 1 / x^n is taken of the product, so that where
# x^n overflows, results that would be subnormal are 0.
POW_WHOLE = """
/* Products for whole exponents up to 16 in size, within (|y| + 1) / 2 ulp, and 0.5 for x * x and 1 / x. The conditions
   hang on y alone: where y is a constant, nothing is left but the products. */
static inline REAL @pow_whole(REAL x, REAL y)
{
    const REAL size = @fabs(y);
    const WORD n = @bits((size <= 16.0_r ? size : 0.0_r) + ROUND);
    const REAL x2 = x * x;
    const REAL x4 = x2 * x2;
    const REAL x8 = x4 * x4;
    REAL product = (n & 1u) != 0u ? x : 1.0_r;
    product *= (n & 2u) != 0u ? x2 : 1.0_r;
    product *= (n & 4u) != 0u ? x4 : 1.0_r;
    product *= (n & 8u) != 0u ? x8 : 1.0_r;
    product *= (n & 16u) != 0u ? x8 * x8 : 1.0_r;
    return y < 0.0_r ? 1.0_r / product : product;
}
"""

POW_SIZE = by_type(
    """
/* |x|^y = exp(y log|x|), the logarithm as a sum of two and the product without loss: numbers cut to half their
   digits have exact products. Within 1.5 + |y log x| / 50 ulp. */
static inline REAL @pow_size(REAL x, REAL y)
{
"""
    + _REDUCED.replace("$x", "x")
    + """
    const REAL fh = @real(@bits(f) & $cut);
    const REAL hh = 0.5_r * fh * fh;
    const REAL hl = 0.5_r * (f - fh) * (f + fh);
    const REAL b = f - hh;
    const REAL c = k * $high + b;
    const REAL rest = (k * $high - c) + b + ((f - b) - hh) + (k * $low + (s * (hh + hl + z * p) - hl));
    const REAL sum = c + rest;
    const REAL lh = @real(@bits(sum) & $cut);
    const REAL ll = (c - lh) + rest;
    const REAL yc = y > $most ? $most : (y < -$most ? -$most : y);
    const REAL yh = @real(@bits(yc) & $cut);
    const REAL small = (yc - yh) * lh + yc * ll;
    const REAL e = yh * lh + small;
    const REAL low = (e - yh * lh) - small;
    const REAL r = @exp_of(e, e > $lowest && e < $highest ? low : 0.0_r);
    const REAL far = y > 0.0_r ? x : (y < 0.0_r ? 1.0_r / x : y);
    return x > 0.0_r && x < INFINITY ? r : (x != x ? x : far);
}
""",
    **_PARTS,
    cut=("0xfffff000u", "0xfffffffff8000000u"),
    most=("1.0e11f", "1.0e20"),
    lowest=("-110.0f", "-760.0"),
    highest=("95.0f", "715.0"),
)

POW = by_type(
    """
/* A negative number has a power where the exponent is whole, and that is negative where it is odd. */
static inline REAL @pow(REAL x, REAL y)
{
    const REAL size = @fabs(y);
    const REAL v = size < $places ? size + $places : size;
    const WORD odd = v < 2.0_r * $places ? @bits(v) & 1u : 0u;
    const REAL broken = x < 0.0_r && x > -INFINITY && v - $places != size && size < $places ? NAN : 0.0_r;
    const REAL r = @pow_size(@fabs(x), y) + broken;
    const REAL signed_r = odd != 0u ? @real(@bits(r) | (@bits(x) & SIGN_BIT)) : r;
    return size <= 16.0_r && v - $places == size ? @pow_whole(x, y) : (x == 1.0_r ? 1.0_r : signed_r);
}
""",
    places=("8388608.0f", "4503599627370496.0"),
)
