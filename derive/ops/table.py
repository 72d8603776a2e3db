"""Imports every file of rows, so that the table is full; import this module before looking anything up.

The few operations that rewriting speaks of have a constant here, so that no other room spells a name.
"""

from derive.op import TABLE
from derive.ops import activation, contraction, elementwise, linalg, loss, reduction, series, tensor, window

ADD, SUB, NEG, MUL, DIV, POW = "add", "sub", "neg", "mul", "div", "pow"
MATMUL, TRANSPOSE, INVERSE, DET, DIAG = "matmul", "transpose", "inverse", "det", "diag"
EINSUM, SELECTION, ONES, ONE_HOT, PEAK = "einsum", "selection", "ones", "one_hot", "peak"
SUM, SERIES, EXP, LOG, SQRT, SOFTMAX, SIGMOID = "sum", "series", "exp", "log", "sqrt", "softmax", "sigmoid"
STEP = "step"
PIECEWISE = ("abs", "relu", "sign", STEP)  # linear between kinks: of a fraction, a fraction
RATIONAL = (ADD, SUB, NEG, MUL, DIV, POW)

__all__ = [
    "ADD", "DET", "DIAG", "DIV", "EINSUM", "EXP", "INVERSE", "LOG", "MATMUL", "MUL", "NEG", "ONES", "ONE_HOT", "PEAK",
    "PIECEWISE", "POW", "RATIONAL", "SELECTION", "SERIES", "SIGMOID", "SOFTMAX", "SQRT", "STEP", "SUB", "SUM", "TABLE",
    "TRANSPOSE",
]  # fmt: skip
__all__ += ["activation", "contraction", "elementwise", "linalg", "loss", "reduction", "series", "tensor", "window"]
