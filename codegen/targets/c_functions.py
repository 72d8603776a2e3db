r"""The texts of the C target's mathematics that differ between float and double; `c_math` says how they are used.

Polynomials and the scheme of log are from Cephes (Moshier) and FreeBSD's msun; constants are split so that n·ln2
and n·π/2 have no rounding error in their leading part.
"""

from __future__ import annotations

BITS = {
    "float32": """
static inline uint32_t @bits(float x)
{
    union { float real; uint32_t bits; } both;
    both.real = x;
    return both.bits;
}

static inline float @real(uint32_t bits)
{
    union { float real; uint32_t bits; } both;
    both.bits = bits;
    return both.real;
}
""",
    "float64": """
static inline uint64_t @bits(double x)
{
    union { double real; uint64_t bits; } both;
    both.real = x;
    return both.bits;
}

static inline double @real(uint64_t bits)
{
    union { double real; uint64_t bits; } both;
    both.bits = bits;
    return both.real;
}
""",
}

EXP = {
    "float32": """
/* exp(n ln2 + r) = 2^n exp(r), |r| <= ln2 / 2; 2^n in two factors, so that the result may be subnormal. */
static inline float @exp(float x)
{
    const float round = 12582912.0f; /* 1.5 * 2^23: adding it rounds to a whole number */
    float t, n, r, p, half;
    x = x < -104.0f ? -104.0f : x;
    x = x > 89.0f ? 89.0f : x;
    t = x * 1.44269504f + round;
    n = t - round;
    r = x - n * 0.693359375f;
    r = r + n * 2.12194440e-4f;
    p = 1.9875691500e-4f;
    p = p * r + 1.3981999507e-3f;
    p = p * r + 8.3334519073e-3f;
    p = p * r + 4.1665795894e-2f;
    p = p * r + 1.6666665459e-1f;
    p = p * r + 5.0000001201e-1f;
    p = p * (r * r) + r + 1.0f;
    half = n * 0.5f + round;
    n = n - (half - round) + round;
    return p * @real((@bits(half) - @bits(round) + 127u) << 23) * @real((@bits(n) - @bits(round) + 127u) << 23);
}
""",
    "float64": """
/* exp(n ln2 + r) = 2^n exp(r), |r| <= ln2 / 2; 2^n in two factors, so that the result may be subnormal. */
static inline double @exp(double x)
{
    const double round = 6755399441055744.0; /* 1.5 * 2^52: adding it rounds to a whole number */
    double t, n, r, low, c, p, half;
    x = x < -746.0 ? -746.0 : x;
    x = x > 710.0 ? 710.0 : x;
    t = x * 1.44269504088896338700 + round;
    n = t - round;
    r = x - n * 6.93147180369123816490e-01;
    low = n * 1.90821492927058770002e-10;
    t = r - low;
    c = t * t;
    c = t - c * (1.66666666666666019037e-01 + c * (-2.77777777770155933842e-03 + c * (6.61375632143793436117e-05
        + c * (-1.65339022054652515390e-06 + c * 4.13813679705723846039e-08))));
    p = 1.0 + (t * c / (2.0 - c) - low + r);
    half = n * 0.5 + round;
    n = n - (half - round) + round;
    return p * @real((@bits(half) - @bits(round) + 1023u) << 52) * @real((@bits(n) - @bits(round) + 1023u) << 52);
}
""",
}

LOG = {
    "float32": """
/* x = 2^k m, m in [sqrt(1/2), sqrt(2)); log m through s = f / (2 + f), f = m - 1. */
static inline float @log(float x)
{
    const float infinity = @real(0x7f800000u);
    const float scaled = x < 1.17549435e-38f ? x * 33554432.0f : x;
    const float shift = x < 1.17549435e-38f ? 25.0f : 0.0f;
    const uint32_t bits = @bits(scaled) + (0x3f800000u - 0x3f3504f3u);
    const float k = (float)((int32_t)(bits >> 23) - 127) - shift;
    const float f = @real((bits & 0x007fffffu) + 0x3f3504f3u) - 1.0f;
    const float s = f / (2.0f + f);
    const float z = s * s;
    const float w = z * z;
    const float r = z * (0.66666662693f + w * 0.28498786688f) + w * (0.40000972152f + w * 0.24279078841f);
    const float h = 0.5f * f * f;
    const float y = s * (h + r) + k * 9.0580006145e-06f - h + f + k * 6.9313812256e-01f;
    const float below = x == 0.0f ? -infinity : @real(0x7fc00000u);
    return x > 0.0f ? (x < infinity ? y : x) : (x <= 0.0f ? below : x);
}
""",
    "float64": """
/* x = 2^k m, m in [sqrt(1/2), sqrt(2)); log m through s = f / (2 + f), f = m - 1. */
static inline double @log(double x)
{
    const double infinity = @real(0x7ff0000000000000u);
    const double scaled = x < 2.2250738585072014e-308 ? x * 18014398509481984.0 : x;
    const double shift = x < 2.2250738585072014e-308 ? 54.0 : 0.0;
    const uint64_t bits = @bits(scaled) + (0x3ff0000000000000u - 0x3fe6a09e00000000u);
    const double k = (double)((int32_t)(bits >> 52) - 1023) - shift;
    const double f = @real((bits & 0x000fffffffffffffu) + 0x3fe6a09e00000000u) - 1.0;
    const double s = f / (2.0 + f);
    const double z = s * s;
    const double w = z * z;
    const double even = w * (3.999999999940941908e-01 + w * (2.222219843214978396e-01 + w * 1.531383769920937332e-01));
    const double odd = z * (6.666666666666735130e-01 + w * (2.857142874366239149e-01
        + w * (1.818357216161805012e-01 + w * 1.479819860510886591e-01)));
    const double h = 0.5 * f * f;
    const double y = s * (h + (odd + even)) + k * 1.90821492927058770002e-10 - h + f + k * 6.93147180369123816490e-01;
    const double below = x == 0.0 ? -infinity : @real(0x7ff8000000000000u);
    return x > 0.0 ? (x < infinity ? y : x) : (x <= 0.0 ? below : x);
}
""",
}

TANH = {
    "float32": """
/* An odd polynomial near 0, else 1 - 2 / (exp(2|x|) + 1); the sign is put back as a bit, so that -0 stays -0. */
static inline float @tanh(float x)
{
    const float a = @real(@bits(x) & 0x7fffffffu);
    const float z = a * a;
    float p = -5.70498872745e-3f;
    float y;
    p = p * z + 2.06390887954e-2f;
    p = p * z - 5.37397155531e-2f;
    p = p * z + 1.33314422036e-1f;
    p = p * z - 3.33332819422e-1f;
    p = p * z * a + a;
    y = 1.0f - 2.0f / (@exp(2.0f * a) + 1.0f);
    y = a < 0.625f ? p : y;
    return @real(@bits(y) | (@bits(x) & 0x80000000u));
}
""",
    "float64": """
/* A quotient of polynomials near 0, else 1 - 2 / (exp(2|x|) + 1); the sign is put back as a bit. */
static inline double @tanh(double x)
{
    const double a = @real(@bits(x) & 0x7fffffffffffffffu);
    const double z = a * a;
    const double p = (-9.64399179425052238628e-1 * z - 9.92877231001918586564e1) * z - 1.61468768441708447952e3;
    const double q = ((z + 1.12811678491632931402e2) * z + 2.23548839060100448583e3) * z + 4.84406305325125486048e3;
    double y = 1.0 - 2.0 / (@exp(2.0 * a) + 1.0);
    y = a < 0.625 ? a + a * z * (p / q) : y;
    return @real(@bits(y) | (@bits(x) & 0x8000000000000000u));
}
""",
}

SQRT = {
    "float32": """
/* Newton's steps for 1/sqrt on the mantissa, then one for the root; correctly rounded where the compiler has it. */
static inline float @sqrt(float x)
{
#if defined(__NO_MATH_ERRNO__) && defined(__GNUC__)
    return __builtin_sqrtf(x);
#else
    const float m = x < 1.17549435e-38f ? x * 16777216.0f : x;
    const float back = x < 1.17549435e-38f ? 2.44140625e-4f : 1.0f;
    float r = @real(0x5f375a86u - (@bits(m) >> 1));
    float y;
    r = r * (1.5f - 0.5f * m * r * r);
    r = r * (1.5f - 0.5f * m * r * r);
    r = r * (1.5f - 0.5f * m * r * r);
    y = m * r;
    y = (y + 0.5f * r * (m - y * y)) * back;
    y = x < @real(0x7f800000u) ? y : x;
    return x > 0.0f ? y : (x < 0.0f ? @real(0x7fc00000u) : x);
#endif
}
""",
    "float64": """
/* Newton's steps for 1/sqrt on the mantissa, then one for the root; correctly rounded where the compiler has it. */
static inline double @sqrt(double x)
{
#if defined(__NO_MATH_ERRNO__) && defined(__GNUC__)
    return __builtin_sqrt(x);
#else
    const double m = x < 2.2250738585072014e-308 ? x * 18014398509481984.0 : x;
    const double back = x < 2.2250738585072014e-308 ? 7.450580596923828125e-9 : 1.0;
    double r = @real(0x5fe6eb50c7b537a9u - (@bits(m) >> 1));
    double y;
    r = r * (1.5 - 0.5 * m * r * r);
    r = r * (1.5 - 0.5 * m * r * r);
    r = r * (1.5 - 0.5 * m * r * r);
    r = r * (1.5 - 0.5 * m * r * r);
    y = m * r;
    y = (y + 0.5 * r * (m - y * y)) * back;
    y = x < @real(0x7ff0000000000000u) ? y : x;
    return x > 0.0 ? y : (x < 0.0 ? @real(0x7ff8000000000000u) : x);
#endif
}
""",
}

WAVE = {
    "float32": """
/* x = n pi/2 + r, |r| <= pi/4, then the polynomial of the quadrant; meant for |x| < 8192. */
static inline float @wave(float x, uint32_t quarter)
{
    const float round = 12582912.0f;
    const float t = x * 0.636619772f + round;
    const float n = t - round;
    const float r = x - n * 1.5703125f - n * 4.837512969970703125e-4f - n * 7.54978995489188216e-8f;
    const uint32_t turn = @bits(t) + quarter;
    const float z = r * r;
    const float odd = ((-1.9515295891e-4f * z + 8.3321608736e-3f) * z - 1.6666654611e-1f) * z * r + r;
    const float even = ((2.443315711809948e-5f * z - 1.388731625493765e-3f) * z + 4.166664568298827e-2f) * z * z
        - 0.5f * z + 1.0f;
    const float y = (turn & 1u) != 0u ? even : odd;
    return (turn & 2u) != 0u ? -y : y;
}
""",
    "float64": """
/* x = n pi/2 + r, |r| <= pi/4, then the polynomial of the quadrant; meant for |x| < 1e6. */
static inline double @wave(double x, uint64_t quarter)
{
    const double round = 6755399441055744.0;
    const double t = x * 6.36619772367581382433e-01 + round;
    const double n = t - round;
    const double r = x - n * 1.57079632673412561417e+00 - n * 6.07710050630396597660e-11
        - n * 2.02226624879595063154e-21;
    const uint64_t turn = @bits(t) + quarter;
    const double z = r * r;
    const double odd = r + r * z * (-1.66666666666666324348e-01 + z * (8.33333333332248946124e-03
        + z * (-1.98412698298579493134e-04 + z * (2.75573137070700676789e-06
        + z * (-2.50507602534068634195e-08 + z * 1.58969099521155010221e-10)))));
    const double even = 1.0 - (0.5 * z - z * z * (4.16666666666666019037e-02 + z * (-1.38888888888741095749e-03
        + z * (2.48015872894767294178e-05 + z * (-2.75573143513906633035e-07
        + z * (2.08757232129817482790e-09 - z * 1.13596475577881948265e-11))))));
    const double y = (turn & 1u) != 0u ? even : odd;
    return (turn & 2u) != 0u ? -y : y;
}
""",
}
