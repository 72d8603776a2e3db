"""Functions of numbers that NumPy lacks, as source: what templates of rows call, and each other.

Where `out` is natural it is taken, as NumPy's own functions take it; what a function needs on its way it allocates.
"""

from __future__ import annotations

from codegen.targets.numpy_slices import HELPERS as MOVES

HELPERS = MOVES | {
    "heaviside": '''def heaviside(z, out=None):
    """1 above 0, else 0: cut off at 0 and 1, and rounded up. np.heaviside takes many times longer."""
    return np.ceil(np.minimum(np.maximum(z, 0, out=out), 1, out=out), out=out)
''',
    "sigmoid": '''def sigmoid(z, out=None):
    """1 / (1 + exp(-z)), exact to the last digits on both sides."""
    e = np.exp(-np.abs(z))
    return np.divide(np.where(z >= 0, 1, e), 1 + e, out=out)
''',
    "softplus": '''def softplus(z, out=None):
    """log(1 + exp(z)) without overflow."""
    return np.add(np.maximum(z, 0), np.log1p(np.exp(-np.abs(z))), out=out)
''',
    "silu": '''def silu(z, out=None):
    """z / (1 + exp(-z))."""
    return np.multiply(z, sigmoid(z), out=out)
''',
    "gelu_tanh": '''def gelu_tanh(z, out=None):
    """z (1 + tanh(u)) / 2 = z sigmoid(2 u), u = sqrt(2 / pi) (z + 0.044715 z^3)."""
    return np.multiply(z, sigmoid(1.5957691216057308 * (z + 0.044715 * z * z * z)), out=out)
''',
    "normal_density": '''def normal_density(z, out=None):
    """exp(-z^2 / 2) / sqrt(2 pi)."""
    return np.multiply(0.3989422804014327, np.exp(-0.5 * z * z), out=out)
''',
    "normal_cdf": '''def normal_cdf(z):
    """The share of a standard normal distribution below z, to four units of the last place.

    Near zero it is 1/2 + z Q(z^2); farther below exp(-a^2 / 2) P(t) / (a + 3), t = (a - 3) / (a + 3), a = |z| up to
    40. The polynomials were fitted in sixty digits. What rounding takes off P and off a + 3 is put back, and a^2 is
    split in two, lest its rounding be exponentiated.
    """
    z = np.clip(z, -40, 40)
    a = np.abs(z)
    wide = a + 3
    off = np.where(a < 3, a - (wide - 3), 3 - (wide - a))
    t, q, p = (a - 3) / wide, 0 * a, 0 * a
    for c in (
        2.0933839217195047e-09, -4.11035011409679e-08, 6.659235977317957e-07, -9.44464632431865e-06,
        0.00011543468634693573, -0.0011873282153892903, 0.009973557010032535, -0.0664903800669054,
        0.3989422804014327,
    ):
        q = q * (a * a) + c
    for c in (
        8.747815651955567e-09, -1.8487313300522134e-08, -3.559784599152806e-08, 5.682292190954916e-08,
        1.2143887057980198e-07, 3.3835706206658514e-09, -2.9326391240313455e-07, -5.650731110135594e-07,
        1.9477739818579258e-08, 2.243506733721723e-06, 3.6349735722726576e-06, -3.5135689406604707e-06,
        -2.068751347926967e-05, -1.3246953838227601e-05, 7.881231887206463e-05, 0.00015439460218381743,
        -0.0002565752976272595, -0.0010458286356582025, 0.001027592255181249, 0.006972621241152404,
        -0.010462867023149532, -0.047263025142988656, 0.23001771997460113, -0.5093319819174893,
    ):
        p = p * t + c
    p, first = p * t, 0.729083690133373
    whole = first + p
    lost = (first - whole) + p
    grid = np.round(a * 256) / 256  # its square is exact
    below = np.exp(-0.5 * grid * grid) * (whole / wide)
    below = below + below * (np.expm1(-0.5 * (a - grid) * (a + grid)) + lost / whole - off / wide)
    far = np.where(z < 0, below, 1 - below)
    return np.where(a < 0.6, 0.5 + z * q, far)
''',
    "leaky_relu": '''def leaky_relu(z, c):
    """z above 0, c z below."""
    return np.where(z > 0, z, c * z)
''',
    "elu": '''def elu(z, a):
    """z above 0, a (exp(z) - 1) below; only negative numbers are exponentiated."""
    return np.where(z > 0, z, a * np.expm1(np.minimum(z, 0)))
''',
    "huber": '''def huber(z, d, out=None):
    """z^2 / 2 up to |z| = d, and linear beyond; nothing large is squared."""
    distance = np.abs(z)
    near = np.minimum(distance, d)
    return np.multiply(near, distance - 0.5 * near, out=out)
''',
}
"""Functions that templates of rows, and functions here, call and NumPy lacks."""
