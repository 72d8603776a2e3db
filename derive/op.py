"""The record of one operation, and the table of all of them; the rows themselves stand in `ops/`.

Everything that is known about an operation stands in its row: shapes, derivative with its reason and source,
index form, typography, NumPy and C. Sheet, verifier and generator read the row; none knows an operation by name.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from derive.errors import MissingRuleError
from derive.lazy import load

if TYPE_CHECKING:
    from derive.shapes import Shape  # a type alone: programs name operations without SymPy

Vjp = Callable[..., Any]  # (cotangent, output, *operands, *params) -> cotangent of one operand


@dataclass(frozen=True, slots=True)
class Op:
    r"""One operation.

    Attributes:
        name: Key in the table.
        shape: Shape of the result from the operands' shapes and the parameters.
        spec: For a contraction, the einsum of operands of the given shapes; rows' first axes have no letter.
        body: For an elementwise operation, the scalar function on anything with +, *, ** and `fn` (see `fields`).
        slope: For a function of one variable, its derivative in terms of input x and output y.
        define: For a composite, the same thing in other operations.
        stable: The form to compute with where `define` overflows.
        reduce: For a reduction along axes, "sum" or "max".
        sized: Whether the parameters are sizes, or numbers of entries.
        beyond: For what places entries along an axis, how many lie beyond the last, by the parameters.
        value: For what is none of these, its array from arrays of numbers: `(functions, *operands, *params)`.
        entry: For the same, its entry at indices: `(field, at, *readers of the operands' entries, *params)`.
        vjp: One rule per operand, `(cotangent, output, *operands, *params) -> cotangent of the operand`.
        because: Why the rules hold, in LaTeX; one text, or one for each operand ("" where it goes without saying).
        source: Key in SOURCES.md.
        latex: Template with `{0}`, `{1}` for operands.
        binds: How tightly the template binds: 0 sum, 1 sign, 2 big sum, 4 product, 5 power,
            6 atom (3 is a product with a sign, ∘, which the printer tells by the template); operands are
            bracketed below `needs`.
        sympy: The same in SymPy: `(rows and columns of the result, *operands, *params)`; None where a body says it.
        numpy, c: Templates of the scalar or array code; "" where the target cannot.
        prime: Whether a sheet writes the derivative as f'(x) rather than written out.
        draw: Interval from which tests draw operands, away from kinks and poles.
        signatures: The shapes that a contraction takes, `.` for a row's first axis.
        kink: The subgradient taken where the function has no derivative.
        keeps_sign: Whether, further operands being above 0, the result is above 0 exactly where the first operand is,
            and NaN exactly where that is, in numbers of a machine too: the sign can then be read off the result.
    """

    name: str
    shape: Callable[..., Shape]
    because: str | tuple[str, ...]
    source: str
    latex: str | Callable[[tuple[Shape, ...]], str]
    vjp: tuple[Vjp, ...] = ()
    spec: Callable[..., str] | None = None
    body: Callable[..., Any] | None = None
    slope: Callable[[Any, Any], Any] | None = None
    define: Callable[..., Any] | None = None
    stable: Callable[..., Any] | None = None
    reduce: str = ""
    sized: bool = False
    beyond: Callable[..., Any] | None = None
    value: Callable[..., Any] | None = None
    entry: Callable[..., Any] | None = None
    binds: int = 6
    needs: tuple[int, ...] = (0,)
    sympy: Callable[..., Any] | None = None
    numpy: str = ""
    c: str = ""
    prime: bool = False
    draw: tuple[float, float] = (-2.0, 2.0)
    kink: str = ""
    keeps_sign: bool = False
    signatures: tuple[str, ...] = ()

    @property
    def arity(self) -> int:
        """How many operands an operation on entries takes; 0 for any other."""
        return 0 if self.body is None else len(inspect.signature(self.body).parameters) - 1  # the first is the field

    def reason(self, operand: int) -> str:
        """Return why the rule for an operand holds; a function that is primed on sheets needs only the chain rule."""
        if self.prime:
            return r"d f(z) = f'(z) \circ dz"
        return self.because if isinstance(self.because, str) else self.because[operand]


TABLE: dict[str, Op] = {}


def register(op: Op) -> Op:
    """Put a row into the table; a name can be taken once."""
    if op.name in TABLE:
        raise ValueError(f"the operation {op.name} has a row already")
    TABLE[op.name] = op
    return op


def find(name: str) -> Op:
    """Return the row of an operation.

    Raises:
        MissingRuleError: no row has this name.
    """
    if name not in TABLE:
        load("derive.ops.table", "TABLE")  # the rows enter themselves; who only names operations has not met them
    if name not in TABLE:
        raise MissingRuleError(f"the operation {name} has no row; rows stand in derive/ops/")
    return TABLE[name]


def spell_einsum(signature: str) -> str:
    """Drop the rows' axes of a signature, which carry no index.

    >>> spell_einsum(".n,np->.p")
    'n,np->p'
    """
    return signature.replace(".", "")
