r"""Expressions as LaTeX, from the templates of the rows.

Under a sum, entries are printed instead of arrays: the sum of `y ∘ log ŷ` becomes `\sum_{j} y_{j} \log(\hat{y}_{j})`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

import sympy

from derive.expr import Apply, Const, Node, Var, variables
from derive.notation import split_name
from derive.op import Op
from derive.ops import table
from derive.shapes import ROW, Shape, axes

INDICES = ("j", "i", "k", "l", "p", "q")
ATOM, PRODUCT, SIGNED_PRODUCT, BIG_SUM = 6, 4, 3, 2


@dataclass(frozen=True, slots=True)
class _Entries:
    """Index letters for the axes, from the last backwards; none where whole arrays are printed."""

    letters: tuple[str, ...] = ()
    scalar: bool = False  # arrays of one entry are printed as scalars


WHOLE = _Entries()


def to_latex(node: Node) -> str:
    r"""Return an expression as LaTeX.

    >>> from derive.expr import matrix, vector
    >>> to_latex(matrix("W", "m", "n").T @ (vector("a", "m") + vector("b", "m")))
    'W^T (a + b)'
    """
    return _print(node, WHOLE)[0]


def equation_latex(left: Node, right: Node) -> str:
    """Return `left = right` as LaTeX."""
    return f"{to_latex(left)} = {to_latex(right)}"


def _print(node: Node, entries: _Entries) -> tuple[str, int]:
    """Return a node's LaTeX and how tightly it binds."""
    if isinstance(node, Const):
        return _number(node.value)
    if isinstance(node, Var):
        return _variable(node, entries)
    assert isinstance(node, Apply)
    if not node.operands:
        return ("1", ATOM) if entries.letters else (r"\mathbf{1}", ATOM)
    if entries.letters and node.shape and (node.op.body is None and not node.op.prime):
        inner, _ = _print(node, WHOLE)
        return f"{_bracket(inner) if not _is_name(inner) else inner}_{{{''.join(_letters(node.shape, entries))}}}", ATOM
    if node.op.reduce == "sum" or _averages(node.op):
        return _reduction(node, entries)
    return _template(node, node.op, entries)


def _is_name(latex: str) -> bool:
    return re.fullmatch(r"[A-Za-z]|\\[a-z]+\{?\w*\}?", latex) is not None


def _number(value: sympy.Expr) -> tuple[str, int]:
    text = sympy.latex(value)
    return text, 1 if text.startswith("-") else 0 if value.is_Add else ATOM


def _variable(var: Var, entries: _Entries) -> tuple[str, int]:
    letters = _letters(var.shape, entries)
    return (_entry(var.latex, "".join(letters)) if letters else var.latex), ATOM


def _entry(latex: str, mark: str) -> str:
    r"""Return the name of an entry; that of a derivative has its index below: ∂L/∂y_j."""
    derivative = re.fullmatch(r"(\\frac\{\\partial .*?\}\{\\partial )(.*)\}", latex)
    if derivative:
        return f"{derivative[1]}{_entry(derivative[2], mark)}}}"
    base, scripts = split_name(latex)
    sub = re.search(r"_(\{[^{}]*\}|.)", scripts)
    if sub is None:
        return f"{base}{scripts}_{{{mark}}}"
    return f"{base}{scripts[: sub.start()]}_{{{sub[1].strip('{}')},{mark}}}{scripts[sub.end() :]}"


def _letters(shape: Shape, entries: _Entries) -> tuple[str, ...]:
    count = len(axes(shape))
    return entries.letters[len(entries.letters) - count :] if count and entries.letters else ()


def _template(node: Apply, op: Op, entries: _Entries) -> tuple[str, int]:
    shapes = tuple(() if entries.letters or entries.scalar else operand.shape for operand in node.operands)
    template = op.latex if isinstance(op.latex, str) else op.latex(shapes)
    order = int((*node.params, 0)[0]) if op.prime else 0
    label = str((*node.params, "", "")[1]) if op.prime else ""
    if label:
        template = "{f}{p}({0})"
    bracketless = _encloses(template)
    last, binds, wanted = len(node.operands) - 1, op.binds, op.needs
    if template.startswith((r"{0} \circ", r"{0} \oslash")):  # a b ∘ c is (a b) ∘ c: a sign binds looser than none
        binds, wanted = SIGNED_PRODUCT, (SIGNED_PRODUCT, PRODUCT + 1)
    parts = []
    for k, operand in enumerate(node.operands):
        text, tight = _print(operand, entries)
        needs = 0 if bracketless else wanted[min(k, len(wanted) - 1)]
        if tight == BIG_SUM and k == last and binds in (PRODUCT, SIGNED_PRODUCT):
            needs, binds = BIG_SUM, BIG_SUM  # a sum ends a product without brackets, and then ends what follows
        parts.append(_bracket(text) if tight < needs or _collides(template, k, text) else text)
    if op.name == table.MUL and parts[1][:1].isdigit():
        template = template.replace(" ", r" \cdot ", 1)
    return template.format(*parts, f=label, p="'" * order), ATOM if template.startswith(r"\frac") else binds


def _encloses(template: str) -> bool:
    """Tell whether a template sets its operands apart by itself, such as a fraction or a call."""
    return template.startswith((r"\frac", r"\sqrt")) or "({0})" in template or template.startswith(("[", "|"))


def _averages(op: Op) -> bool:
    """Tell whether a row's template has a place for the number of entries."""
    return isinstance(op.latex, str) and "{n}" in op.latex


def _collides(template: str, place: int, text: str) -> bool:
    """Tell whether a second superscript would hit the first: (W^{[2]})^T."""
    raised = place == 0 and template.startswith("{0}^")
    return raised and ("^" in text or text.startswith(r"\frac")) and not text.startswith("(")


def _bracket(text: str) -> str:
    return rf"\left({text}\right)" if r"\frac" in text or r"\sum" in text else f"({text})"


def _reduction(node: Apply, entries: _Entries) -> tuple[str, int]:
    """Print a sum or a mean over all entries with an index; one along an axis as a product with ones."""
    (operand,) = node.operands
    lengths = axes(operand.shape)
    if node.params:
        axis = int(node.params[0])
        if lengths[axis] == 1:
            return _print(operand, _Entries(scalar=False))
        text, binds = _print(operand, WHOLE)
        text = _bracket(text) if binds <= PRODUCT else text
        product = rf"\mathbf{{1}}^T {text}" if axis == 0 else rf"{text} \mathbf{{1}}"
        return (rf"\frac{{1}}{{{sympy.latex(lengths[axis])}}} {product}" if _averages(node.op) else product), PRODUCT
    if all(length == 1 for length in lengths):
        return _print(operand, _Entries(scalar=True))
    used = " ".join(entries.letters)
    letters = _fresh_letters(operand, used, len(lengths), ("i", *INDICES) if _averages(node.op) else INDICES)
    text, binds = _print(operand, _Entries(letters))
    return _with_sign(node, letters, _bracket(text) if binds < 3 else text, lengths), 2


def _with_sign(node: Apply, letters: tuple[str, ...], body: str, lengths: Shape) -> str:
    single = len(lengths) == 1
    bounds = f"_{{{letters[0]}=1}}^{{{sympy.latex(lengths[0])}}}" if single else f"_{{{','.join(letters)}}}"
    if node.op.reduce == "sum":
        return rf"\sum{bounds} {body}"
    count = sympy.latex(sympy.Mul(*lengths))
    return rf"\frac{{1}}{{{count}}} \sum{bounds} {body}"


def _fresh_letters(node: Node, used: str, count: int, order: tuple[str, ...]) -> tuple[str, ...]:
    words = [used, *(text for var in variables(node) for text in (var.latex, *map(str, var.shape)))]
    taken = " ".join([*words, *map(str, node.shape)])
    free = [letter for letter in dict.fromkeys(order) if not re.search(rf"(?<![a-zA-Z\\]){letter}(?![a-zA-Z])", taken)]
    return tuple(free[:count])


def shape_latex(shape: Shape) -> str:
    r"""Return the space of a shape: `\mathbb{R}^{h \times n}`.

    >>> from derive.shapes import size
    >>> shape_latex((size("h"), size("n")))
    '\\mathbb{R}^{h \\times n}'
    """
    if not shape:
        return r"\mathbb{R}"
    lengths = [("1" if length == ROW else sympy.latex(length)) for length in shape]
    power = r" \times ".join(lengths)
    return rf"\mathbb{{R}}^{{{power}}}"
