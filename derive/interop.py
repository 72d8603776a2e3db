r"""SymPy's own expressions in and out: symbols, matrix expressions, functions entry by entry, sums over indices.

A column of one is a vector here, a row of one a row, and a 1×1 matrix a scalar. What SymPy cannot hold raises an
error that names it; nothing is approximated.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import reduce
from operator import mul
from typing import Any

import sympy
from sympy.matrices.expressions import hadamard
from sympy.matrices.expressions.applyfunc import ElementwiseApplyFunction
from sympy.matrices.expressions.determinant import Determinant
from sympy.matrices.expressions.diagonal import DiagMatrix
from sympy.matrices.expressions.matexpr import MatrixElement
from sympy.matrices.expressions.special import OneMatrix, ZeroMatrix
from sympy.tensor.indexed import Indexed, IndexedBase

from derive.errors import DeriveError
from derive.expr import Apply, Const, Node, Var, as_node, ones, ones_like, product
from derive.ops import elementwise
from derive.ops.activation import relu, tanh
from derive.ops.elementwise import absolute, cos, exp, log, sign, sin, unknown
from derive.ops.linalg import det, inverse, trace
from derive.ops.tensor import diag, einsum, eye, selection
from derive.shapes import ROW, Shape, Size, show_shape
from derive.tidy import split_number, tidy


# ---------------------------------------------------------------- SymPy in
def from_sympy(expr: Any, domains: dict[str, str] | None = None) -> Node:
    """Return a SymPy expression as ours.

    Args:
        expr: Scalars with `Symbol`s, matrix expressions, or `Sum`s over `Indexed` entries.
        domains: What is known of the values of some names.
    Raises:
        DeriveError: a part has no counterpart here; the message names its type.

    >>> n, d = sympy.symbols("n d")
    >>> X, w = sympy.MatrixSymbol("X", n, d), sympy.MatrixSymbol("w", d, 1)
    >>> from_sympy(X * w).shape
    (n,)
    """
    return tidy(_Reader(domains or {}, _sizes_in(expr)).read(expr))


def _sizes_in(expr: Any) -> frozenset[str]:
    """Return the names that are sizes: of matrices, of indexed arrays, or bounds of sums."""
    if not isinstance(expr, sympy.Basic):
        return frozenset()
    shapes = [part.shape for part in expr.atoms(sympy.MatrixSymbol)]
    shapes += [part.shape for part in expr.atoms(IndexedBase) if part.shape is not None]
    shapes += [(low, high) for part in expr.atoms(sympy.Sum) for _, low, high in part.limits]
    lengths = [length for shape in shapes for length in shape if isinstance(length, sympy.Basic)]
    return frozenset(symbol.name for length in lengths for symbol in length.free_symbols)


def _positive(length: Any) -> Size:
    """Return a size as we have it: its symbols are positive integers."""
    length = sympy.Integer(length) if isinstance(length, int) else length
    names = {s: sympy.Symbol(s.name, integer=True, positive=True) for s in length.free_symbols}
    return length.xreplace(names)


def _shape_of(rows: Any, columns: Any) -> Shape:
    if columns == 1:
        return () if rows == 1 else (_positive(rows),)
    return (ROW, _positive(columns)) if rows == 1 else (_positive(rows), _positive(columns))


class _Reader:
    def __init__(self, domains: dict[str, str], sizes: frozenset[str]) -> None:
        self.domains, self.sizes = domains, sizes
        self.rules: dict[type, Callable[[Any], Node]] = {
            sympy.MatrixSymbol: lambda e: self.name(e.name, _shape_of(*e.shape)),
            sympy.MatMul: lambda e: reduce(product, map(self.read, e.args)),
            sympy.MatAdd: lambda e: _added([self.read(part) for part in e.args]),
            sympy.MatPow: self.matrix_power,
            sympy.Transpose: lambda e: self.read(e.arg).T if self.read(e.arg).shape else self.read(e.arg),
            sympy.Inverse: lambda e: inverse(self.read(e.arg)),
            sympy.Trace: lambda e: self.of_square(trace, self.read(e.arg)),
            Determinant: lambda e: self.of_square(det, self.read(e.arg)),
            hadamard.HadamardProduct: lambda e: reduce(mul, map(self.read, e.args)),
            hadamard.HadamardPower: lambda e: self.read(e.base) ** self.read(e.exp),
            ElementwiseApplyFunction: lambda e: self.apply(e.function, self.read(e.expr)),
            sympy.Identity: lambda e: eye(_positive(e.shape[0])),
            OneMatrix: lambda e: ones_like(Var("1", _shape_of(*e.shape))),
            ZeroMatrix: lambda e: Const(0) * ones_like(Var("0", _shape_of(*e.shape))),
            DiagMatrix: lambda e: diag(self.read(e.args[0])),
            sympy.Sum: self.sum,
            sympy.Symbol: lambda e: Const(_positive(e)) if e.name in self.sizes else self.name(e.name, ()),
        }

    def name(self, latex: str, shape: Shape) -> Var:
        return Var(latex, shape, self.domains.get(latex, "real"))

    def read(self, expr: Any) -> Node:
        expr = sympy.Integer(expr) if isinstance(expr, int) else expr
        rule = next((rule for kind, rule in self.rules.items() if isinstance(expr, kind)), None)
        if rule is not None:
            return rule(expr)
        if isinstance(expr, sympy.Expr) and not getattr(expr, "is_Matrix", False):
            return self.scalar(expr, self.read)
        raise DeriveError(f"{expr}: a {type(expr).__name__} of SymPy has no counterpart here")

    @staticmethod
    def of_square(function: Callable[[Node], Node], x: Node) -> Node:
        """Trace and determinant of a 1×1 matrix, which is a scalar here, are the scalar."""
        return function(x) if x.shape else x

    def matrix_power(self, expr: Any) -> Node:
        base, power = self.read(expr.base), expr.exp
        if not power.is_Integer or power == 0:
            raise DeriveError(f"{expr}: of the powers of a matrix only whole ones but 0 are read")
        factor = base if power > 0 else inverse(base)
        return reduce(product, [factor] * abs(int(power)))

    def apply(self, function: Any, x: Node) -> Node:
        """Return a function of every entry: a `Lambda`, or a function's class."""
        variable = sympy.Dummy("x")
        return self.scalar(function(variable), lambda part: x if part == variable else self.read(part))

    def scalar(self, expr: Any, leaf: Callable[[Any], Node]) -> Node:
        """Return a scalar expression, with its symbols as `leaf` reads them."""

        def read(part: Any) -> Node:
            return self.scalar(part, leaf)

        if expr.is_number and not expr.args:
            return Const(expr)
        if expr.is_Symbol or isinstance(expr, Indexed | MatrixElement | sympy.Sum | sympy.Trace | Determinant):
            return leaf(expr)
        if expr.is_number and expr.is_real and not expr.has(sympy.Function):
            return Const(expr)
        if expr.is_Add:
            return _added([read(part) for part in expr.as_ordered_terms()])
        if expr.is_Mul:
            top, bottom = sympy.fraction(expr)
            if bottom != 1:
                return read(top) / read(bottom)
            return reduce(mul, map(read, expr.args))
        if expr.is_Pow:
            base, power = expr.as_base_exp()
            if power == sympy.Rational(1, 2):
                return elementwise.sqrt(read(base))
            return read(base) ** (Const(power) if power.is_Rational else read(power))
        return self.function(expr, [read(arg) for arg in expr.args])

    def function(self, expr: Any, args: list[Node]) -> Node:
        """Return a function of one variable; SymPy's undefined ones are arbitrary here as well."""
        usual = _FUNCTIONS.get(type(expr))
        if usual is not None and len(args) == 1:
            return usual(args[0])
        if isinstance(expr, sympy.Max) and sympy.Integer(0) in expr.args and len(args) == 2:
            return relu(args[1 - expr.args.index(sympy.Integer(0))])
        if isinstance(expr, sympy.core.function.AppliedUndef) and len(args) == 1:
            return unknown(str(expr.func.__name__), args[0])
        raise DeriveError(f"{expr}: the function {type(expr).__name__} of SymPy has no row here")

    # ------------------------------------------------------------ sums over indices
    def sum(self, expr: Any) -> Node:
        node, letters = self.entries(expr, {})
        if letters:
            raise DeriveError(f"{expr}: the index {letters[0]} is not summed over")
        return node

    def entries(self, expr: Any, sizes: dict[Any, Size]) -> tuple[Node, tuple[Any, ...]]:
        """Return an array and the index along each of its axes; `sizes` has those of the indices."""
        if isinstance(expr, sympy.Sum):
            inner = dict(sizes)
            for index, low, high in expr.limits:
                inner[index] = _positive(sympy.expand(high - low + 1))
            node, letters = self.entries(expr.function, {**inner, "from": {i: low for i, low, _ in expr.limits}})
            missing = [index for index, _, _ in expr.limits if index not in letters]
            for index in missing:
                node, letters = _times((node, letters), (ones(inner[index]), (index,)))
            kept = tuple(letter for letter in letters if letter not in [limit[0] for limit in expr.limits])
            return _einsum([(node, letters)], kept), kept
        if isinstance(expr, Indexed | MatrixElement):
            return self.entry(expr, sizes)
        if expr.is_Add:
            return reduce(_plus, (self.entries(part, sizes) for part in expr.args))
        if expr.is_Mul:
            return reduce(_times, (self.entries(part, sizes) for part in expr.args))
        if not (expr.has(Indexed) or expr.has(MatrixElement) or expr.has(sympy.Sum)):
            return self.read(expr), ()
        parts = [self.entries(arg, sizes) for arg in expr.args]
        moving = [letters for _, letters in parts if letters]
        if any(letters != moving[0] for letters in moving[1:]):
            raise DeriveError(f"{expr}: its arguments have different indices")
        stand = {sympy.Dummy(f"a{k}"): part[0] for k, part in enumerate(parts)}
        value = self.scalar(expr.func(*stand), lambda part: stand[part] if part in stand else self.read(part))
        return value, moving[0] if moving else ()

    def entry(self, expr: Any, sizes: dict[Any, Any]) -> tuple[Node, tuple[Any, ...]]:
        """Return the entries of a named array at indices, each a letter or a sum of letters."""
        base, indices = (expr.base, expr.indices) if isinstance(expr, Indexed) else (expr.parent, expr.indices)
        starts = sizes.get("from", {})
        known = {index: size for index, size in sizes.items() if index != "from"}
        lengths = [known.get(index) for index in indices]
        if isinstance(base, IndexedBase):
            given = base.shape
            shape = tuple(_positive(length) for length in given) if given is not None else tuple(lengths)
            if any(length is None for length in shape):
                raise DeriveError(f"{expr}: give {base} a shape; its size does not follow from the sums")
            array: Node = self.name(str(base.label), shape)
        else:
            array = self.read(base)
            indices = [index for index, length in zip(indices, base.shape, strict=True) if length != 1]
        factors: list[tuple[Node, tuple[Any, ...]]] = [(array, tuple(f"axis{k}" for k in range(len(indices))))]
        letters: list[Any] = []
        for k, index in enumerate(indices):
            moving = [letter for letter in known if index.has(letter)]
            start = sum(starts.get(letter, 0) * index.coeff(letter) for letter in moving)
            offset = sympy.expand(index - sum(index.coeff(letter) * letter for letter in moving) + start)
            first = starts[moving[0]] if len(moving) == 1 and index == moving[0] else 0
            steps = [index.coeff(letter) for letter in moving]
            counts = [known[letter] for letter in moving]
            place = selection(array.shape[k - len(indices)], counts, _positive(offset - first), steps)
            factors.append((place, (f"axis{k}", *moving)))
            letters += moving
        distinct = tuple(dict.fromkeys(letters))
        counts = [known.get(index) for index in indices]
        if counts == list(array.shape[-len(indices) :]) and len(distinct) == len(letters):
            return array, tuple(indices)  # every index is a letter that runs over the whole axis
        return _einsum(factors, distinct), distinct


_FUNCTIONS: dict[type, Callable[[Node], Node]] = {
    sympy.exp: exp, sympy.log: log, sympy.sin: sin, sympy.cos: cos, sympy.tanh: tanh, sympy.Abs: absolute,
    sympy.sign: sign, sympy.Heaviside: lambda x: Apply("step", x),
    sympy.erf: lambda x: Const(2) * Apply("normal_cdf", Const(sympy.sqrt(2)) * x) - Const(1),
}  # fmt: skip

Entries = tuple[Node, tuple[Any, ...]]


def _einsum(factors: Sequence[Entries], kept: tuple[Any, ...]) -> Node:
    names: dict[Any, str] = {}
    for letter in (letter for _, letters in factors for letter in letters):
        names.setdefault(letter, chr(ord("a") + len(names)))
    words = ["".join(names[letter] for letter in letters) for _, letters in factors]
    right = "".join(names[letter] for letter in kept)
    if words == [right]:
        return factors[0][0]
    return einsum(f"{','.join(words)}->{right}", *(node for node, _ in factors))


def _times(left: Entries, right: Entries) -> Entries:
    union = tuple(dict.fromkeys([*left[1], *right[1]]))
    if left[1] == right[1] or not left[1] or not right[1]:
        return left[0] * right[0], union
    return _einsum([left, right], union), union


def _plus(left: Entries, right: Entries) -> Entries:
    union = tuple(dict.fromkeys([*left[1], *right[1]]))
    return _over(left, right, union) + _over(right, left, union), union


def _over(part: Entries, other: Entries, union: tuple[Any, ...]) -> Node:
    """Return an array repeated along the indices that only the other has."""
    node, letters = part
    if not letters:
        return node
    missing = tuple(letter for letter in union if letter not in letters)
    lengths = dict(zip(other[1], other[0].shape, strict=True))
    factors = [part, (ones(*(lengths[letter] for letter in missing)), missing)] if missing else [part]
    return _einsum(factors, union)


def _added(terms: list[Node]) -> Node:
    """Add terms up, those with a minus last."""
    neat = [tidy(term) for term in terms]
    signed = [(bool(split_number(term)[0].value.could_extract_minus_sign()), term) for term in neat]
    first, *rest = sorted(signed, key=lambda pair: pair[0])
    result = first[1]
    for negative, term in rest:
        result = result - tidy(-term) if negative else result + term
    return result


# ---------------------------------------------------------------- SymPy out
def to_sympy(node: Node) -> Any:
    """Return an expression as SymPy's, where SymPy has every operation in it.

    Raises:
        DeriveError: an operation, or a tensor of more than two axes, has no form in SymPy.

    >>> from derive.expr import matrix, vector
    >>> to_sympy(matrix("A", "m", "n").T @ vector("x", "m"))
    A.T*x
    """
    if isinstance(node, Const):
        return node.value
    if isinstance(node, Var):
        return _symbol(node)
    assert isinstance(node, Apply)
    op, operands = node.op, node.operands
    if op.sympy is not None:
        return op.sympy(_dimensions(node.shape), *map(to_sympy, operands), *node.params)
    if op.body is not None or op.prime:
        return _entrywise(node)
    if op.define is not None:
        return to_sympy(op.define(*operands, *node.params))
    raise DeriveError(f"{op.name}: SymPy has no form of it; the result stays an expression of ours")


def _symbol(var: Var) -> Any:
    if not var.shape:
        return sympy.Symbol(var.latex)
    return sympy.MatrixSymbol(var.latex, *_dimensions(var.shape))


def _dimensions(shape: Shape) -> tuple[Any, ...]:
    """Return the rows and columns that a shape has in SymPy; nothing for a scalar."""
    if len(shape) > 2:
        raise DeriveError(f"{show_shape(shape)}: SymPy's matrices have two axes")
    if not shape:
        return ()
    one = sympy.Integer(1)
    return (shape[0], one) if len(shape) == 1 else (one if shape[0] == ROW else shape[0], shape[1])


def _entrywise(node: Apply) -> Any:
    """Return an operation on entries: of scalars directly, of matrices through `applyfunc`."""
    tensors = [operand for operand in node.operands if operand.shape]
    values = [to_sympy(operand) for operand in node.operands]
    if len(tensors) > 1:
        raise DeriveError(f"{node.op.name} of two matrices has no form in SymPy")
    x = sympy.Dummy("x")
    inner = [x if operand.shape else value for operand, value in zip(node.operands, values, strict=True)]
    result = _scalar(node, inner)
    if not tensors:
        return result
    (matrix,) = (value for operand, value in zip(node.operands, values, strict=True) if operand.shape)
    return matrix.applyfunc(sympy.Lambda(x, result))


def _scalar(node: Apply, values: list[Any]) -> Any:
    op = node.op
    order = int(node.params[0]) if op.prime and node.params else 0
    if op.body is None:
        function = sympy.Function(str(node.params[1]))(values[0])
        return function if order == 0 else sympy.Derivative(function, (values[0], order))
    x = sympy.Dummy("x")
    if order:
        return sympy.diff(op.body(elementwise.scalar_field(), x), x, order).subs(x, values[0])
    return op.body(elementwise.scalar_field(), *values)


def as_expression(value: Any) -> Node:
    """Return one of our expressions as it is, a number or a SymPy expression as ours."""
    return value if isinstance(value, Node) else as_node(value) if isinstance(value, int | float) else from_sympy(value)

