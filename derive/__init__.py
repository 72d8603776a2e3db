"""Gradients as a sheet in which every step is checked, judged formulas, and the record that codegen compiles."""

from derive.api import Derivation, Model, Recurrence
from derive.errors import DeriveError, MissingRuleError, ModelError, ShapeError, UnreadError
from derive.expr import Var, matrix, ones, scalar, vector
from derive.interop import from_sympy, to_sympy
from derive.ops.activation import elu, gelu, leaky_relu, relu, sigmoid, silu, softplus, tanh
from derive.ops.elementwise import absolute, cos, exp, log, sign, sin, sqrt, unknown
from derive.ops.linalg import det, inverse, norm, trace
from derive.ops.loss import binary_cross_entropy, cross_entropy, focal, hinge, huber, smoothed
from derive.ops.reduction import largest, logsumexp, mean, softmax, total
from derive.ops.tensor import diag, einsum, eye, gather, one_hot
from derive.ops.window import concatenate, conv1d, conv2d, dropout, max_pool, mean_pool, part, windows
from derive.verify.judge import Verdict
from derive.version import VERSION

__version__ = VERSION

__all__ = [
    "Derivation", "DeriveError", "MissingRuleError", "Model", "ModelError", "Recurrence", "ShapeError", "UnreadError",
    "Var", "Verdict", "__version__", "absolute", "binary_cross_entropy", "concatenate", "conv1d", "conv2d", "cos",
    "cross_entropy", "det", "diag", "dropout", "einsum", "elu", "exp", "eye", "focal", "from_sympy", "gather", "gelu",
    "hinge", "huber", "inverse", "largest", "leaky_relu", "log", "logsumexp", "matrix", "max_pool", "mean",
    "mean_pool", "norm", "one_hot", "ones", "part", "relu", "scalar", "sigmoid", "sign", "silu", "sin", "smoothed",
    "softmax", "softplus", "sqrt", "tanh", "to_sympy", "total", "trace", "unknown", "vector", "windows",
]  # fmt: skip
