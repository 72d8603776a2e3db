"""Gradients as a sheet in which every step is checked, judged formulas, and the record that codegen compiles."""

from derive.api import Derivation, Model
from derive.errors import DeriveError, MissingRuleError, ModelError, ShapeError, UnreadError
from derive.expr import matrix, ones, scalar, vector
from derive.ops.elementwise import exp, log, relu, sigmoid, softplus, sqrt, tanh, unknown
from derive.ops.reduction import mean, softmax, total
from derive.verify.judge import Verdict
from derive.version import VERSION

__version__ = VERSION

__all__ = [
    "Derivation", "DeriveError", "MissingRuleError", "Model", "ModelError", "ShapeError", "UnreadError", "Verdict",
    "__version__", "exp", "log", "matrix", "mean", "ones", "relu", "scalar", "sigmoid", "softmax", "softplus",
    "sqrt", "tanh", "total", "unknown", "vector",
]  # fmt: skip
