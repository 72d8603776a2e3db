"""Imports every file of rows, so that the table is full; import this module before looking anything up.

The few operations that rewriting speaks of have a constant here, so that no other room spells a name.
"""

from derive.op import TABLE
from derive.ops import contraction, elementwise, reduction

ADD, SUB, NEG, MUL, DIV, POW = "add", "sub", "neg", "mul", "div", "pow"
MATMUL, TRANSPOSE = "matmul", "transpose"
SUM, ONES, LOG, SOFTMAX, SIGMOID = "sum", "ones", "log", "softmax", "sigmoid"
RATIONAL = (ADD, SUB, NEG, MUL, DIV, POW)

__all__ = [
    "ADD",
    "DIV",
    "LOG",
    "MATMUL",
    "MUL",
    "NEG",
    "ONES",
    "POW",
    "RATIONAL",
    "SIGMOID",
    "SOFTMAX",
    "SUB",
    "SUM",
    "TABLE",
    "TRANSPOSE",
]
__all__ += ["contraction", "elementwise", "reduction"]
