"""Gradients as a sheet in which every step is checked, judged formulas, and the record that codegen compiles."""

from __future__ import annotations

from typing import TYPE_CHECKING

from derive.lazy import homes_of, on_demand
from derive.version import VERSION

if TYPE_CHECKING:
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

__all__ = [
    "Derivation", "DeriveError", "MissingRuleError", "Model", "ModelError", "Recurrence", "ShapeError", "UnreadError",
    "Var", "Verdict", "__version__", "absolute", "binary_cross_entropy", "concatenate", "conv1d", "conv2d", "cos",
    "cross_entropy", "det", "diag", "dropout", "einsum", "elu", "exp", "eye", "focal", "from_sympy", "gather", "gelu",
    "hinge", "huber", "inverse", "largest", "leaky_relu", "log", "logsumexp", "matrix", "max_pool", "mean",
    "mean_pool", "norm", "one_hot", "ones", "part", "relu", "scalar", "sigmoid", "sign", "silu", "sin", "smoothed",
    "softmax", "softplus", "sqrt", "tanh", "to_sympy", "total", "trace", "unknown", "vector", "windows",
]  # fmt: skip

__version__ = VERSION

HOMES = homes_of({
    "derive.api": "Derivation Model Recurrence",
    "derive.errors": "DeriveError MissingRuleError ModelError ShapeError UnreadError",
    "derive.expr": "Var matrix ones scalar vector",
    "derive.interop": "from_sympy to_sympy",
    "derive.ops.activation": "elu gelu leaky_relu relu sigmoid silu softplus tanh",
    "derive.ops.elementwise": "absolute cos exp log sign sin sqrt unknown",
    "derive.ops.linalg": "det inverse norm trace",
    "derive.ops.loss": "binary_cross_entropy cross_entropy focal hinge huber smoothed",
    "derive.ops.reduction": "largest logsumexp mean softmax total",
    "derive.ops.tensor": "diag einsum eye gather one_hot",
    "derive.ops.window": "concatenate conv1d conv2d dropout max_pool mean_pool part windows",
    "derive.verify.judge": "Verdict",
})  # fmt: skip
__getattr__ = on_demand(__name__, HOMES)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
