"""The notation of backward passes in code: dW for the derivative of the cost by W; and the layers that it leaves out.

Trees become trees; nothing is known of shapes. What is supplied is an assumption, and comes with its words.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace

from derive.cases.unsaid import PRE_ACTIVATIONS, TARGETS, Said
from derive.meaning.facts import Definition, key_without_indices, used_in
from derive.meaning.kinds import is_loss_name
from derive.meaning.naming import plain
from derive.meaning.outline import Equation, names_in, walk, with_sides
from derive.meaning.terms import Function, usual
from derive.notation import bare_letter
from derive.ops import table
from derive.read import syntax as ast
from derive.read.spelling import render

PARAMETERS = frozenset(["W", "w", "b", "B", "U", "V", r"\theta", r"\Theta", r"\beta", r"\gamma"])
ONE = ast.Number("1")
LOGISTIC = r"\sigma"


def changes_in(node: ast.Node) -> list[ast.Node]:
    """Return what stands behind each d in a formula."""
    return [part.arg for part in walk(node) if isinstance(part, ast.Differential)]


def above(key: str, definitions: Iterable[Definition]) -> set[str]:
    """Return the keys of what a name is computed from, through all equations."""
    uses = {item.key: used_in([item]) for item in definitions}
    found: set[str] = set()
    new = set(uses.get(key, ()))
    while new:
        found |= new
        new = {used for one in new for used in uses.get(one, ())} - found
    return found


def is_code(claim: Equation, definitions: Sequence[Definition]) -> bool | None:
    """Tell whether a claim leads from a value to what is computed from it, as code does.

    A true differential leads to what its value is computed from: False. None: neither can be told.
    """
    left = claim.left
    assert isinstance(left, ast.Differential)
    if not isinstance(left.arg, ast.Name):
        return False
    key, changes = key_without_indices(left.arg), changes_in(claim.right)
    if not all(isinstance(part, ast.Name) for part in changes):
        return None
    keys = {key_without_indices(part) for part in changes if isinstance(part, ast.Name)}
    if not keys:
        return None if is_loss_name(key) else True
    if all(key in above(other, definitions) for other in keys):
        return True
    upstream = above(key, definitions)
    return False if is_loss_name(key) or (upstream and all(other in upstream for other in keys)) else None


def one_letter(definitions: Sequence[Definition]) -> list[Definition]:
    """Return definitions in which what is said of a sample and of all, a = g(Z) beside A = g(Z), has one name."""
    lefts = {item.key: item.equation.left for item in definitions}
    same: dict[ast.Node, ast.Node] = {}
    for item in definitions:
        left = item.equation.left
        if isinstance(left, ast.Name):
            capital = render(replace(left, base=left.base.upper()))
            other = next((one for one in definitions if one.key == capital and one.key != item.key), None)
            if other is not None and other.equation.right == item.equation.right:
                same[left] = lefts[capital]
    kept = [(item, item.equation) for item in definitions if item.equation.left not in same]
    return [replace(item, equation=replace(told, right=ast.with_parts(told.right, same))) for item, told in kept]


def is_parameter(name: ast.Name, definitions: Iterable[Definition]) -> bool:
    """Tell whether a name is one of what is learnt: nothing defines it, and its letter is usual for that."""
    defined = any(item.key == key_without_indices(name) for item in definitions)
    return not defined and bare_letter(plain(name.base)) in PARAMETERS


# ---------------------------------------------------------------- what code writes
def as_mathematics(node: ast.Node) -> ast.Node:
    """Return a formula with the `*` of code as the product of entries, and sums along an axis as products with 1."""
    node = ast.map_children(node, as_mathematics)
    if isinstance(node, ast.Product) and node.sign == "*":
        return replace(node, sign=r"\odot")
    if isinstance(node, ast.Call) and node.function == ast.Name("sum") and len(node.args) > 1:
        told = {part.name: part.value for part in node.args if isinstance(part, ast.Keyword)}
        axis, kept = told.get("axis"), told.get("keepdims", told.get("keepdim")) == ast.Name("True")
        ones, arg = ast.Name(r"\mathbf{1}"), node.args[0]
        if axis == ONE:
            return ast.Product("", arg, ones)
        if axis == ast.Number("0"):
            return ast.Product("", ast.Transpose(ones), arg) if kept else ast.Product("", ast.Transpose(arg), ones)
    return node


def averages(node: ast.Node) -> bool:
    """Tell whether a formula has a factor 1/m, or is divided by m, with any letter for m."""
    for part in walk(node):
        if isinstance(part, ast.Quotient):
            below = [n for n in walk(part.bottom) if not isinstance(n, ast.Number | ast.Product)]
            if below and all(isinstance(n, ast.Name) and len(n.base) == 1 and not n.subs for n in below):
                return True
    return False


def counted(node: ast.Node) -> str:
    """Return the letter m of a factor 1/m; "" where there is none."""
    quotients = [part for part in walk(node) if isinstance(part, ast.Quotient)]
    return next((q.bottom.base for q in quotients if isinstance(q.bottom, ast.Name) and q.top == ONE), "")


# ---------------------------------------------------------------- layers
def further_layers(definitions: Sequence[Definition], claim: Equation) -> Iterator[Said]:
    """Yield the equations of the layers that a claim speaks of and nothing defines, by the pattern of those before."""
    marks = [mark for name in _names(claim) if (mark := _mark(name)) is not None]
    marked = [(item, mark) for item in definitions if isinstance(item.equation.left, ast.Name)
              and (mark := _mark(item.equation.left)) is not None]  # fmt: skip
    if not marks or not marked:
        return
    last = max(mark for _, mark in marked)
    layer = [item for item, mark in marked if mark == last]
    output = next((item.equation.left for item in layer if isinstance(item.equation.right, ast.Call)), None)
    known = {item.key for item in definitions}
    wanted = {key_without_indices(name) for name in _names(claim)}
    for step in range(1, max(marks) - last + 1):
        for item in layer:
            if output is None and not _reads_marked(item, last):
                return
            equation = _moved(item.equation, last, step, output if isinstance(output, ast.Name) else None, known)
            assert isinstance(equation.left, ast.Name)
            key = key_without_indices(equation.left)
            is_last = last + step == max(marks) and isinstance(item.equation.right, ast.Call)
            if key not in known and not (is_last and key not in wanted):
                words = f"${render(equation.left)} = {render(equation.right)}$, as in the layer before"
                yield Definition(key, equation, item.order + 1000 * step), words


def _names(claim: Equation) -> list[ast.Name]:
    return [*names_in(claim.left), *names_in(claim.right)]


def _mark(name: ast.Node) -> int | None:
    if isinstance(name, ast.Name) and isinstance(name.sup, ast.Number) and name.sup.text.isdigit():
        return int(name.sup.text)
    return None


def _reads_marked(item: Definition, mark: int) -> bool:
    return any(_mark(name) == mark - 1 for name in names_in(item.equation.right))


def _moved(equation: Equation, last: int, step: int, output: ast.Name | None, known: set[str]) -> Equation:
    """Return a layer's equation some layers on: what comes in, x, is what the layer before gives out."""

    def marked(name: ast.Name, mark: int) -> ast.Name:
        return replace(name, sup=ast.Number(str(mark)))

    def change(node: ast.Node) -> ast.Node:
        if isinstance(node, ast.Call):
            mark = _mark(node.function)
            function = node.function if mark is None else marked(node.function, mark + step)
            return replace(node, function=function, args=tuple(map(change, node.args)))
        if isinstance(node, ast.Name):
            mark = _mark(node)
            if mark is not None:
                return marked(node, mark + step)
            data = node.sup is None and plain(node.base) in ("x", "X") and render(node) not in known
            return marked(output, last + step - 1) if data and output is not None else node
        return ast.map_children(node, change)

    return with_sides(equation, change)


# ---------------------------------------------------------------- the last layer
def output_of(claim: Equation, definitions: Sequence[Definition]) -> tuple[ast.Name, ast.Name, ast.Name] | None:
    """Return prediction, target and pre-activation where a claim speaks of A - Y; None where it is not clear."""
    for part in walk(claim.right):
        if isinstance(part, ast.Sum) and part.sign == "-":
            predicted, target = part.left, part.right
            if isinstance(predicted, ast.Name) and plain(predicted.base) in TARGETS:
                predicted, target = target, predicted
            if isinstance(predicted, ast.Name) and isinstance(target, ast.Name) and plain(target.base) in TARGETS:
                found = _before(predicted, claim, definitions)
                return None if found is None else (predicted, target, found)
    return None


def _before(predicted: ast.Name, claim: Equation, definitions: Sequence[Definition]) -> ast.Name | None:
    """Return the pre-activation of a prediction: the argument of its function, or the one name with its mark."""
    own = next((item.equation.right for item in definitions if item.key == key_without_indices(predicted)), None)
    if own is not None:
        one = isinstance(own, ast.Call) and len(own.args) == 1 and isinstance(own.args[0], ast.Name)
        function = render(own.function) if isinstance(own, ast.Call) else ""
        open_ = one and (function == LOGISTIC or usual(function) in (None, usual("sigmoid")))
        return own.args[0] if open_ and isinstance(own, ast.Call) and isinstance(own.args[0], ast.Name) else None
    left = [item.equation.left for item in definitions] + changes_in(claim.left)
    found = {name for name in left if isinstance(name, ast.Name) and name.sup == predicted.sup
             and name.subs == predicted.subs and plain(name.base) in PRE_ACTIVATIONS
             and name != predicted}  # fmt: skip
    return found.pop() if len(found) == 1 else None


def cross_entropy(predicted: ast.Node, target: ast.Node) -> ast.Node:
    """Return y log a + (1 - y) log(1 - a)."""

    def logged(node: ast.Node) -> ast.Node:
        return ast.Call(ast.Name("log"), (node,))

    first = ast.Product("", target, logged(predicted))
    second = ast.Product("", ast.Sum("-", ONE, target), logged(ast.Sum("-", ONE, predicted)))
    return ast.Sum("+", first, second)


def is_binary_entropy(body: ast.Node, predicted: ast.Name) -> bool:
    """Tell whether a loss is the cross-entropy of a prediction: it has log a and log(1 - a)."""
    logged = {part.args[0] for part in walk(body) if isinstance(part, ast.Call)
              and usual(render(part.function)) == Function(table.LOG)}  # fmt: skip
    return {predicted, ast.Sum("-", ONE, predicted)} <= logged
