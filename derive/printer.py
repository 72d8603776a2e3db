r"""Expressions as LaTeX, from the templates of the rows.

Under a sum, entries are printed instead of arrays: the sum of `y ∘ log ŷ` becomes `\sum_{j} y_{j} \log(\hat{y}_{j})`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

import sympy

from derive.expr import Apply, Const, Node, Var, ones_like, variables, walk
from derive.notation import split_name
from derive.op import Op
from derive.ops import table
from derive.shapes import ROW, Shape, axes
from derive.tidy import constant, is_eye, is_op

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
    if node.op.name == table.SELECTION:
        return _selection(node, entries)
    if node.op.name == table.EINSUM:
        return _index_form(node, entries)
    if not node.operands:
        if len(node.shape) == 2 and not entries.letters:
            return r"\mathbf{1} \mathbf{1}^T", PRODUCT
        return ("1", ATOM) if entries.letters else (r"\mathbf{1}", ATOM)
    if node.op.name in (table.ADD, table.SUB) and not entries.letters and not entries.scalar:
        node = _with_ones(node)
    if entries.letters and node.op.name == table.TRANSPOSE:
        return _print(node.operands[0], _Entries(tuple(reversed(_letters(node.shape, entries)))))
    if node.op.name == table.TRANSPOSE and is_op(node.operands[0], table.INVERSE):
        return _raised(node.operands[0].operands[0], "-T", entries)
    if entries.letters and node.shape and (node.op.body is None and not node.op.prime):
        inner, _ = _print(node, WHOLE)
        return f"{_bracket(inner) if not _is_name(inner) else inner}_{{{_joined(_letters(node.shape, entries))}}}", ATOM
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
    return (_entry(var.latex, _joined(letters)) if letters else var.latex), ATOM


def _with_ones(node: Apply) -> Apply:
    """Write a scalar that is added to each entry as a multiple of ones; plain numbers are understood."""
    if not node.shape or all(operand.shape or isinstance(operand, Const) for operand in node.operands):
        return node
    whole = ones_like(next(operand for operand in node.operands if operand.shape))
    operands = (
        operand if operand.shape else whole * operand if is_op(operand, table.SUM) else operand * whole
        for operand in node.operands
    )
    return Apply(node.args[0], *operands)


def _joined(letters: tuple[str, ...]) -> str:
    """Return indices as they stand below a name; with commas where one is more than a letter."""
    return ("" if len(letters) < 3 and all(len(letter) == 1 for letter in letters) else ",").join(letters)


def _raised(base: Node, power: str, entries: _Entries) -> tuple[str, int]:
    text, binds = _print(base, entries)
    return rf"{_bracket(text) if binds < ATOM or '^' in text else text}^{{{power}}}", 5


# ---------------------------------------------------------------- index form
def _index_form(node: Apply, entries: _Entries) -> tuple[str, int]:
    r"""Print an einsum as a sum of entries; of a tensor, with its free indices below: `(\sum_t g_t x_{t+j})_j`.

    The index that a selection determines is written out in the other factors: x_{t+j} for x_s [s = t + j].
    """
    words, right = (part.split(",") for part in str(node.params[0]).split("->"))
    used = {letter for word in words for letter in word}
    names = _index_names(node, sorted(used, key="".join([*right, *words]).index), entries)
    if entries.letters and right[0]:
        names |= dict(zip(right[0], entries.letters[-len(right[0]) :], strict=True))
    texts = dict(names)
    pairs = list(zip(words, node.operands, strict=True))
    factors = [(word, operand) for word, operand in pairs if not is_op(operand, table.SELECTION)]
    relations = [(word, operand) for word, operand in pairs if is_op(operand, table.SELECTION)]
    summed = [letter for letter in dict.fromkeys("".join(words)) if letter not in right[0]]
    brackets = [b for word, operand in relations if (b := _determine(word, operand, summed, texts))]
    parts = [*brackets]
    for word, operand in factors:
        if operand.shape and constant(operand) == Const(1):
            continue
        text, binds = _print(operand, _Entries(tuple(texts[letter] for letter in word)) if word else entries)
        parts.append(_bracket(text) if binds < PRODUCT else text)
    body = "".join((r" \cdot " if part[:1].isdigit() else " ") + part for part in parts).strip() or "1"
    body = body.removeprefix(r"\cdot ")
    text = rf"\sum_{{{','.join(texts[letter] for letter in summed)}}} {body}" if summed else body
    if entries.letters or not right[0]:
        return text, BIG_SUM if summed else PRODUCT
    return rf"\left({text}\right)_{{{_joined(tuple(texts[letter] for letter in right[0]))}}}", ATOM


def _index_names(node: Apply, letters: list[str], entries: _Entries) -> dict[str, str]:
    """Return a printed letter for each letter of an einsum, none of which is a name or a size nearby."""
    nearby = [var.latex for var in variables(node)]
    sizes = {str(symbol) for part in walk(node) for length in part.shape for symbol in length.free_symbols}
    taken = " ".join([*nearby, *sizes, *entries.letters])
    free = (c for c in "ijkltuvabcpqrsmn" if not re.search(rf"(?<![a-zA-Z\\]){c}(?![a-zA-Z])", taken))
    return {letter: next(free) for letter in letters}


def _determine(word: str, selection: Apply, summed: list[str], texts: dict[str, str]) -> str:
    """Write an index that a selection determines through the others, or return the relation in brackets."""
    _, offset, *pairs = selection.params
    steps = dict(zip(word[1:], pairs[1::2], strict=True))
    terms = {texts[letter]: step for letter, step in steps.items()}
    if word[0] in summed:
        summed.remove(word[0])
        texts[word[0]] = _affine(terms, offset)
        return ""
    for letter, step in steps.items():
        if letter in summed and step in (1, -1):
            rest = {texts[word[0]]: step, **{texts[other]: -c * step for other, c in steps.items() if other != letter}}
            summed.remove(letter)
            texts[letter] = _affine(rest, -offset * step)
            return ""
    return f"[{texts[word[0]]} = {_affine(terms, offset)}]"


def _affine(terms: Mapping[str, sympy.Expr], offset: sympy.Expr) -> str:
    text = ""
    for name, factor in terms.items():
        size = "" if factor in (1, -1) else sympy.latex(abs(factor))
        text += ("-" if factor.is_negative else "+" if text else "") + f"{size}{name}"
    if offset != 0:
        text += ("" if str(offset).startswith("-") else "+") + sympy.latex(offset).replace(" ", "")
    return text


def _selection(node: Apply, entries: _Entries) -> tuple[str, int]:
    """Print a selection on its own: the identity matrix, or a relation between indices."""
    if is_eye(node) and not entries.letters:
        return "I", ATOM
    letters = _index_names(node, ["i", "j", "k", "l"][: len(node.shape)], entries)
    names = entries.letters[-len(node.shape) :] if entries.letters else tuple(letters.values())
    texts = dict(zip("ijkl", names, strict=False))
    relation = _determine("ijkl"[: len(node.shape)], node, [], texts)
    return (relation, ATOM) if entries.letters else (rf"{relation}_{{{_joined(names)}}}", ATOM)


# ---------------------------------------------------------------- templates


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
    if op.define is not None and node.params and "({0})" in template:
        axis = len(node.operands[0].shape) - 1 - int(node.params[0])
        template = template.replace("({0})", f"_{{{{{_AXIS_WORDS[axis]}}}}}({{0}})")
    bracketless = _encloses(template)
    last, binds, wanted = len(node.operands) - 1, op.binds, op.needs
    if template.startswith((r"{0} \circ", r"{0} \oslash")):  # a b ∘ c is (a b) ∘ c: a sign binds looser than none
        binds, wanted = SIGNED_PRODUCT, (SIGNED_PRODUCT, PRODUCT + 1)
    parts = []
    for k, operand in enumerate(node.operands):
        text, tight = _print(operand, entries)
        needs = 0 if bracketless else wanted[min(k, len(wanted) - 1)]
        scales = op.name == table.MUL and not node.operands[0].shape
        if (op.name == table.MATMUL or scales) and (is_op(operand, table.MATMUL) or _scales(operand)):
            needs = PRODUCT  # matrix products and numbers before them need no brackets
        elif scales and k == last and tight == SIGNED_PRODUCT:
            needs, binds = SIGNED_PRODUCT, SIGNED_PRODUCT  # c (A ∘ B) is (c A) ∘ B
        if tight == BIG_SUM and k == last and binds in (PRODUCT, SIGNED_PRODUCT):
            needs, binds = BIG_SUM, BIG_SUM  # a sum ends a product without brackets, and then ends what follows
        parts.append(_bracket(text) if tight < needs or _collides(template, k, text) else text)
    if op.name == table.MUL and parts[1][:1].isdigit():
        template = template.replace(" ", r" \cdot ", 1)
    marks = [str(param) for param in node.params]
    return template.format(*parts, f=label, p="'" * order, a=marks), ATOM if template.startswith(r"\frac") else binds


_AXIS_WORDS = (r"\text{{row}}", r"\text{{col}}", "3", "4", "5", "6")  # what a function of an axis acts on


def _scales(node: Node) -> bool:
    """Tell whether a node is a scalar times something."""
    return is_op(node, table.MUL) and not node.operands[0].shape and not isinstance(node.operands[0], Const)


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
