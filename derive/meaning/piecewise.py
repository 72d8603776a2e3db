"""Functions by cases: each value times the indicator of its condition, so that they are formulas like any other.

At the border of two conditions either value may be taken: a formula is judged away from it.
"""

from __future__ import annotations

from derive.errors import UnreadError
from derive.meaning.outline import walk
from derive.read import syntax as ast
from derive.read.spelling import render

BORDER = "where two cases meet, either value may be taken"
_INDICATOR = ast.Name(r"\mathbb{1}")
_ONE = ast.Number("1")
_ABOVE, _BELOW = (">", r"\geq"), ("<", r"\leq")


def has_cases(*nodes: ast.Node) -> bool:
    """Tell whether a case distinction stands in some formulas."""
    return any(isinstance(part, ast.Cases) for node in nodes for part in walk(node))


def without_cases(node: ast.Cases) -> ast.Node:
    r"""Return a case distinction as a sum: of `a` if x > 0 and `b` otherwise, a [x > 0] + b (1 - [x > 0]).

    Raises:
        UnreadError: a condition is no comparison.

    >>> from derive.read.latex import read_formula
    >>> render(without_cases(read_formula(r"\begin{cases} z & z > 0 \\ 0 & z \leq 0 \end{cases}")))
    '\\mathbb{1}\\left(z > 0\\right) z'
    """
    holds = [None if condition is None else _holds(condition, node) for _, condition in node.rows]
    if None in holds[:-1] or len(holds) < 2:
        raise UnreadError(f"${render(node)}$: only the last case goes without a condition")
    known = [one for one in holds if one is not None]
    if len(known) == 2 and known[1] in (_not(known[0]), known[0]):
        holds[1] = _not(known[0])
    elif holds[-1] is None:
        holds[-1] = _rest(known)
    pairs = [(value, one) for (value, _), one in zip(node.rows, holds, strict=True) if value != ast.Number("0")]
    terms = [one if value == _ONE else ast.Product("", one, value) for value, one in pairs if one is not None]
    total: ast.Node = terms[0] if terms else ast.Number("0")
    for term in terms[1:]:
        total = ast.Sum("+", total, term)
    return total


def _rest(known: list[ast.Node]) -> ast.Node:
    """Return what is 1 where no condition holds."""
    if len(known) == 1:
        return _not(known[0])
    rest: ast.Node = _ONE
    for one in known:
        rest = ast.Sum("-", rest, one)
    return rest


def _not(one: ast.Node) -> ast.Node:
    return one.right if isinstance(one, ast.Sum) and one.left == _ONE else ast.Sum("-", _ONE, one)


def _holds(condition: ast.Node, node: ast.Cases) -> ast.Node:
    """Return what is 1 where a condition holds: a comparison, or a chain of them as a product."""
    if not isinstance(condition, ast.Relation):
        raise UnreadError(f"${render(node)}$: a condition is no comparison")
    found: ast.Node | None = None
    for sign, left, right in zip(condition.signs, condition.links, condition.links[1:], strict=False):
        one = _compared(sign, left, right, node)
        found = one if found is None else ast.Product("", found, one)
    assert found is not None
    return found


def _compared(sign: str, left: ast.Node, right: ast.Node, node: ast.Cases) -> ast.Node:
    """Return an indicator with the sign > or =: with 0 on the right where it stands on the left."""
    if left == ast.Number("0") and sign in (*_ABOVE, *_BELOW):
        left, right, sign = right, left, "<" if sign in _ABOVE else ">"
    relation = ast.Relation((left, right), ("=",) if sign in ("=", r"\neq") else (">",))
    one = ast.Call(_INDICATOR, (relation,))
    if sign in _ABOVE or sign == "=":
        return one
    if sign in _BELOW or sign == r"\neq":
        return _not(one)
    raise UnreadError(f"${render(node)}$: a condition is no comparison")
