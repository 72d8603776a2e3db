r"""Texts of the C target's mathematics: erf and the normal distribution; `c_math` says how they are used.

For x >= 0.66 the tail is exp(-x^2 / 2) M(x), where (x + 4) M(x) is a polynomial in t = (x - 4) / (x + 4), the map of
Shepherd and Laframboise 1981 for erfc; t = 1 - 8 / (x + 4), so that one division is enough. x^2 is a sum of two: the
square of the upper half of x's digits, which is exact, and the rest. Nearer to 0 odd polynomials hold. Fits as in
`c_exponentials`.
"""

from __future__ import annotations

from codegen.targets.c_text import by_type, polynomial

_HALVES = {
    "cut": ("0xfffff000u", "0xfffffffff8000000u"),
    "far": ("14.4f", "38.6"),
}

NORMAL_DENSITY = by_type(
    """
/* exp(-x^2 / 2) / sqrt(2 pi), where the constant is a sum of two. Within 1.35 ulp. */
static inline REAL @normal_density(REAL x)
{
    const REAL a = @fabs(x) > $far ? $far : @fabs(x);
    const REAL upper = @real(@bits(a) & $cut);
    const REAL low = 0.5_r * (a - upper) * (a + upper);
    const REAL half = -0.5_r * upper * upper;
    const REAL turns = @exp_turns(half - low);
    const REAL rest = @exp_rest(half, low, turns);
    return (0.3989422804014327_r + (0.3989422804014327_r * rest + $lost)) * @exp_power(turns, 100u) * LIFTED;
}
""",
    lost=("-1.133517e-08f", "-2.49232720227773e-17"),
    **_HALVES,
)

# (x + 4) exp(x^2 / 2) Phi(-x) in t, 0.66 <= x <= 14.5: degree 9, fit 1.5e-9, <= 38.7: degree 21, fit 5.2e-18.
NORMAL_TAIL = by_type(
    """
/* 2^100 exp(-half - low) M(x); half + low = x^2 / 2, x >= 0.66. 1 / (x + 4) = v (1 + c), with what v
   lost in c; what the last products and sums lose is carried along too, so that they count once. */
static inline REAL @normal_tail(REAL x, REAL half, REAL low)
{
    const REAL d = x + 4.0_r;
    const REAL v = 1.0_r / d;
    const REAL dh = @real(@bits(d) & $cut);
    const REAL vh = @real(@bits(v) & $cut);
    const REAL c = 1.0_r - dh * vh - (d - dh) * vh - d * (v - vh) - v * (x - (d - 4.0_r));
    const REAL t = 1.0_r - 8.0_r * v - 8.0_r * (v * c);
$p
    const REAL turns = @exp_turns(-half - low);
    const REAL rest = @exp_rest(-half, low, turns);
    const REAL s = $slope + t * q;
    const REAL p = $start + t * s;
    const REAL ph = @real(@bits(p) & $cut);
    const REAL w = v * p;
    const REAL lost = (vh * ph - w) + vh * (p - ph) + (v - vh) * p + v * ($start - p + t * s + $rest);
    return (w + (w * (rest + (c + c * rest)) + lost)) * @exp_power(turns, 100u);
}
""",
    cut=_HALVES["cut"],
    start=("0.75528514f", "0.7552851304157515"),
    slope=("-0.6078966f", "-0.6078966419718922"),
    rest=("-1.3436482e-08f", "-2.2175033409973908e-17"),
    p=(
        polynomial("q", "t", [
            0.38713738, -0.18652247, 0.06039698, -0.0075336485, -0.0034819923, 0.0016023272, 0.00013656323,
            -0.00017808826,
        ]),
        polynomial("q", "t", [
            0.38713740074221414, -0.18652185795964357, 0.06039657489096457,
            -0.00754018896733242, -0.0034796923680428158, 0.0016308184696238427, 0.0001333443190253103,
            -0.0002310950653883871, -1.908287005818103e-06, 3.514553018624093e-05, 7.166569166240062e-07,
            -5.923607324605704e-06, -6.290782020582398e-07, 1.0304307407622103e-06, 2.690888762779202e-07,
            -1.6924479717018555e-07, -7.975953658981124e-08, 2.6618228714436845e-08, 1.369263163264324e-08,
            -4.140405585993032e-09,
        ]),
    ),
)  # fmt: skip

# (Phi(x) - 1/2) / x in z = x^2, x <= 0.67: degree 4, fit 3.7e-9; degree 8, fit 4.8e-18.
_NEAR = (
    polynomial("q", "z", [0.3989423, -0.066490665, 0.009975346, -0.0011902126, 0.00011174886]),
    polynomial("q", "z", [
        0.39894228040143265, -0.066490380066902, 0.00997355700992194, -0.0011873282137720498,
        0.00011543467377464082, -9.444590689536058e-06, 6.657827703631548e-07, -4.0913371587695685e-08,
        1.987065794835472e-09,
    ]),
)  # fmt: skip

NORMAL_CDF = by_type(
    """
/* The probability below x: 1/2 + x Q(x^2) near 0, else a tail, which keeps its digits down to the least number.
   Within 2.65 ulp. */
static inline REAL @normal_cdf(REAL x)
{
    const REAL a = @fabs(x) > $far ? $far : @fabs(x);
    const REAL upper = @real(@bits(a) & $cut);
    const REAL low = 0.5_r * (a - upper) * (a + upper);
    const REAL tail = @normal_tail(a, 0.5_r * upper * upper, low) * LIFTED;
    const REAL z = a * a;
$q
    return a < 0.67_r ? 0.5_r + x * q : (x < 0.0_r ? tail : 1.0_r - tail);
}
""",
    **_HALVES,
    q=_NEAR,
)

GELU = by_type(
    """
/* x times the probability below x; the limit 0 where x = -infinity.
   Within 2.8 ulp in float, 3.0 in double. */
static inline REAL @gelu(REAL x)
{
    const REAL a = @fabs(x) > $far ? $far : @fabs(x);
    const REAL upper = @real(@bits(a) & $cut);
    const REAL low = 0.5_r * (a - upper) * (a + upper);
    const REAL tail = @normal_tail(a, 0.5_r * upper * upper, low);
    const REAL z = a * a;
$q
    return a < 0.67_r ? x * (0.5_r + x * q) : (x < 0.0_r ? -a * tail * LIFTED : x * (1.0_r - tail * LIFTED));
}
""",
    **_HALVES,
    q=_NEAR,
)

# (erf(x) - x) / x in z = x^2 <= 1: degree 6, fit 1.4e-9; degree 11, fit 1.4e-17.
ERF = by_type(
    """
/* x + x P(x^2) below 1, else 1 - 2 tail(sqrt(2) x), whose own error counts for a third at most. Within 1.2 ulp. */
static inline REAL @erf(REAL x)
{
    const REAL a = @fabs(x) > $most ? $most : @fabs(x);
    const REAL upper = @real(@bits(a) & $cut);
    const REAL low = (a - upper) * (a + upper);
    const REAL tail = @normal_tail(1.4142135623730951_r * a, upper * upper, low) * LIFTED;
    const REAL z = a * a;
$q
    return @real(@bits(a < 1.0_r ? a + a * q : 1.0_r - 2.0_r * tail) | (@bits(x) & SIGN_BIT));
}
""",
    **_HALVES,
    most=("4.0f", "6.0"),
    q=(
        polynomial("q", "z", [
            0.12837917, -0.37612626, 0.11283581, -0.026853547, 0.0051877405, -0.0008004634, 7.834705e-05,
        ]),
        polynomial("q", "z", [
            0.12837916709551256, -0.3761263890318336, 0.11283791670937977, -0.026866170642162474,
            0.005223977598609955, -0.0008548325581169903, 0.00012055283492702012, -1.4924524539529347e-05,
            1.6444884749547046e-06, -1.6189614999558074e-07, 1.3640834083039245e-08, -7.652208900489865e-10,
        ]),
    ),
)  # fmt: skip
