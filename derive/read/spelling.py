r"""A tree of `syntax.py` back to LaTeX, in one canonical spelling: it is the key under which a name is known.

Reading the text again gives an equal tree. Typography is the work of the sheet, not of this module.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from functools import lru_cache
from typing import Any

from derive.read import vocabulary as words
from derive.read.syntax import (
    Abs,
    Big,
    Call,
    Cases,
    Derivative,
    Differential,
    Dots,
    Entry,
    Evaluated,
    Given,
    Group,
    Implied,
    Keyword,
    Limit,
    Matrix,
    Name,
    Neg,
    Node,
    Norm,
    Number,
    Power,
    Product,
    Quotient,
    Relation,
    Sum,
    Transpose,
    Where,
)

_DIFFERENTIALS = (Name("d"), Name(r"\text{d}"))  # before a factor they would be a differential's
_TIGHT = (Number, Name, Call, Abs, Norm, Matrix, Group, Entry)


def render(node: Node, functions: Collection[str] = frozenset()) -> str:
    r"""Spell a tree canonically.

    Args:
        node: What was read.
        functions: The spellings that were given as functions when it was read.
    Returns:
        LaTeX that reads as the same tree.

    >>> from derive.read.latex import read_formula
    >>> render(read_formula(r"\tfrac12 {W^{[1]}}^T x"))
    '\\frac{1}{2} \\left(W^{[1]}\\right)^{T} x'
    """
    if functions:
        return _Speller(frozenset(functions)).spell(node)
    return _name_spelled(node) if isinstance(node, Name) else _plain_speller().spell(node)


@lru_cache(maxsize=1)
def _plain_speller() -> _Speller:
    return _Speller(frozenset())


@lru_cache(maxsize=1 << 16)  # names are asked for again and again
def _name_spelled(name: Name) -> str:
    return _plain_speller().spell(name)


def _in_brackets(body: str) -> str:
    return rf"\left({body}\right)"


class _Speller:
    """One method for each kind of node; `functions` are the names that a bracket would turn into calls."""

    def __init__(self, functions: frozenset[str]) -> None:
        self.functions = functions
        self.rules: dict[type, Callable[[Any], str]] = {
            Number: lambda node: str(node.text),
            Name: self.name,
            Neg: lambda node: f"-{self.negated(node.arg)}",
            Sum: self.sum,
            Product: self.product,
            Quotient: self.quotient,
            Power: self.power,
            Transpose: self.transpose,
            Call: self.call,
            Derivative: self.derivative,
            Differential: lambda node: rf"\mathrm{{d}}{_in_brackets(self.differentiated(node.arg))}",
            Evaluated: self.evaluated,
            Big: self.big,
            Limit: self.limit,
            Norm: self.norm,
            Abs: lambda node: rf"\left|{self.spell(node.arg)}\right|",
            Entry: lambda node: f"{self.indexed(node.arg)}_{{{self.listed(node.subs)}}}",
            Cases: self.cases,
            Matrix: self.matrix,
            Group: lambda node: _in_brackets(self.listed(node.items)),
            Given: lambda node: f"{self.listed(node.left)} {node.sign} {self.listed(node.right)}",
            Keyword: lambda node: f"{node.name}={self.spell(node.value)}",
            Dots: lambda node: r"\ldots",
            Implied: lambda node: "",
            Where: self.where,
            Relation: self.relation,
        }

    def spell(self, node: Node) -> str:
        return self.rules[type(node)](node)

    def listed(self, nodes: tuple[Node, ...]) -> str:
        return ",".join(self.spell(node) for node in nodes)

    def name(self, node: Name) -> str:
        base = _letter(node.base)
        subs = f"_{{{self.listed(node.subs)}}}" if node.subs else ""
        sup = "" if node.sup is None else f"^{{{self.mark(node)}}}"
        return base + "'" * node.primes + subs + sup

    def mark(self, node: Name) -> str:
        assert node.sup is not None
        if len(node.style) > 2 and isinstance(node.sup, Group):
            pairs = zip(node.style[::2], node.sup.items, node.style[1::2], strict=True)
            return "".join(f"{opening}{self.spell(item)}{closing}" for opening, item, closing in pairs)
        return f"{node.style[:1]}{self.spell(node.sup)}{node.style[1:]}"

    def negated(self, node: Node) -> str:
        if isinstance(node, Sum | Neg | Relation) or (isinstance(node, Product) and node.sign):
            return _in_brackets(self.spell(node))
        return self.spell(node)

    def sum(self, node: Sum) -> str:
        right = self.spell(node.right)
        if isinstance(node.right, Sum | Neg):
            right = _in_brackets(right)
        return f"{self.spell(node.left)} {node.sign} {right}"

    def product(self, node: Product) -> str:
        if node.sign:
            right = self.operand(node.right)
            left = self.spell(node.left) if _is_signed(node.left) else self.operand(node.left)
            return f"{left} {node.sign} {right}"
        right = self.spell(node.right)
        numeric = right[:1].isdigit() or right.startswith((r"\infty", r"\pi", "."))
        if numeric or isinstance(node.right, Product | Sum | Neg | Big | Limit | Number) or self.reaches(node.right):
            right = _in_brackets(right)
        called = right.startswith((r"\left(", r"\left.")) and self.could_call(_last(node.left), node.right)
        if isinstance(node.left, Sum | Neg | Big | Limit) or _is_signed(node.left) or self.reaches(node.left):
            left = _in_brackets(self.spell(node.left))
        elif called or _last(node.left) in _DIFFERENTIALS:
            left = self.guarded(node.left)
        else:
            left = self.spell(node.left)
        return f"{left} {right}"

    def guarded(self, node: Node) -> str:
        """Put the last factor into brackets, so that it is not taken for a function of the next one."""
        if isinstance(node, Product) and not node.sign:
            left = Product("", node.left, Group((node.right,)))
            return self.product(left)
        return _in_brackets(self.spell(node))

    def could_call(self, node: Node, right: Node) -> bool:
        while isinstance(node, Power | Transpose):
            node = node.base if isinstance(node, Power) else node.arg
        while isinstance(right, Power | Transpose | Entry):
            right = right.base if isinstance(right, Power) else right.arg
        if node == Number(r"\pi"):
            return isinstance(right, Group)
        if not isinstance(node, Name):
            return False
        known = node.base in self.functions | words.FUNCTION_LETTERS | words.BRACKET_OPERATORS
        return known or bool(node.primes) or isinstance(right, Group) or _letters(node.base) > 1

    def operand(self, node: Node) -> str:
        """Spell an operand of a written product sign."""
        if isinstance(node, Sum | Neg | Big | Limit) or _is_signed(node) or self.reaches(node, tight=False):
            return _in_brackets(self.spell(node))
        return self.spell(node)

    def reaches(self, node: Node, tight: bool = True) -> bool:
        """Say whether a node would take in what follows it: a gradient, a bare function name."""
        if isinstance(node, Name):
            return node.base in words.FUNCTION_WORDS and tight
        return isinstance(node, Derivative) and node.sign == r"\nabla"

    def quotient(self, node: Quotient) -> str:
        top, bottom = self.spell(node.top), self.spell(node.bottom)
        if bottom.startswith(("d ", "d_", "d^", r"\text{d}", "d'")) or bottom == "d":
            top, bottom = _in_brackets(top), _in_brackets(bottom)
        return rf"\frac{{{top}}}{{{bottom}}}"

    def base(self, node: Node) -> str:
        """Spell what a superscript stands on."""
        if isinstance(node, Name):
            special = node.primes or node.sup or node.base in words.FUNCTION_WORDS | {"e", r"\text{e}"}
            return _in_brackets(self.name(node)) if special else self.name(node)
        if isinstance(node, _TIGHT) and node != Number(r"\infty"):
            return self.spell(node)
        return _in_brackets(self.spell(node))

    def indexed(self, node: Node) -> str:
        alone = isinstance(node, Call) and node.function.base != "sqrt"
        return self.spell(node) if alone else _in_brackets(self.spell(node))

    def power(self, node: Power) -> str:
        mark = r"\circ " if node.entrywise else ""
        exponent = self.spell(node.exponent)
        apart = "{}" if exponent.startswith(r"\left(") else ""  # a bracket alone would be a mark
        return f"{self.base(node.base)}^{{{mark}{apart}{exponent}}}"

    def transpose(self, node: Transpose) -> str:
        arg = node.arg
        if isinstance(arg, Name) and arg.style and arg.base not in words.FUNCTION_WORDS:
            return rf"\left({self.name(arg)}\right)^{{T}}"
        if isinstance(arg, Name) and arg.sup is None and arg.base not in words.FUNCTION_WORDS:
            return f"{self.name(arg)}^{{T}}"
        return f"{self.base(arg)}^{{T}}"

    def call(self, node: Call) -> str:
        function = node.function
        if function == Name("sqrt") and len(node.args) == 1:
            return rf"\sqrt{{{self.spell(node.args[0])}}}"
        return f"{self.name(function)}{_in_brackets(self.listed(node.args))}"

    def derivative(self, node: Derivative) -> str:
        if isinstance(node.of, Implied):
            return rf"\nabla_{{{self.spell(node.wrt)}}}" if node.wrt is not None else r"\nabla"
        if node.sign == r"\nabla":
            of = self.spell(node.of) if isinstance(node.of, Name | Call) else _in_brackets(self.spell(node.of))
            return (r"\nabla " if node.wrt is None else rf"\nabla_{{{self.spell(node.wrt)}}} ") + of
        assert node.wrt is not None
        if twice := self.second(node):
            return twice
        of, wrt = self.differentiated(node.of), self.spell(node.wrt)
        loose = isinstance(node.of, Sum | Neg | Relation | Big | Limit | Power | Entry) or self.reaches(node.of)
        if loose or (isinstance(node.of, Product) and of.endswith(r"\right)")):  # L (x) would be a call here
            of = _in_brackets(of)
        if not isinstance(node.wrt, Name | Call) or self.reaches(node.wrt):
            wrt = _in_brackets(wrt)
        return rf"\frac{{{node.sign} {of}}}{{{node.sign} {wrt}}}"

    def second(self, node: Derivative) -> str:
        """Spell the second derivative of a name by plain letters; "" for any other."""
        inner = node.of
        if not isinstance(inner, Derivative) or inner.sign != node.sign or not isinstance(inner.of, Name):
            return ""
        plain = [isinstance(by, Name) and by == Name(by.base) for by in (node.wrt, inner.wrt)]
        if not all(plain) or node.wrt is None or inner.wrt is None:
            return ""
        of, outer, wrt = self.spell(inner.of), self.spell(node.wrt), self.spell(inner.wrt)
        below = f"{node.sign} {outer}^2" if outer == wrt else f"{node.sign} {outer} {node.sign} {wrt}"
        return rf"\frac{{{node.sign}^2 {of}}}{{{below}}}"

    def differentiated(self, node: Node) -> str:
        """Spell what is differentiated: L (x), all of it, would be a call there."""
        spelled = self.spell(node)
        if not isinstance(node, Product) or node.sign or not isinstance(node.left, Name):
            return spelled
        name = self.name(node.left)
        apart = spelled.startswith(f"{name} ") and spelled.endswith(r"\right)")
        return _in_brackets(name) + spelled.removeprefix(name) if apart else spelled

    def evaluated(self, node: Evaluated) -> str:
        return rf"\left.{self.spell(node.arg)}\right|_{{{self.listed(_items(node.where))}}}"

    def where(self, node: Where) -> str:
        condition = "" if node.condition is None else self.listed(_items(node.condition))
        return rf"{self.spell(node.body)} \quad \text{{{node.word}}} {condition}".strip()

    def big(self, node: Big) -> str:
        index = "" if node.index is None else self.listed(_items(node.index))
        lower = "" if node.lower is None else f"={self.spell(node.lower)}"
        below = f"_{{{index}{lower}}}" if index else ""
        above = "" if node.upper is None else f"^{{{self.spell(node.upper)}}}"
        body = self.spell(node.body)
        if isinstance(node.body, Sum | Neg):
            body = _in_brackets(body)
        return rf"\{node.kind}{below}{above} {body}"

    def limit(self, node: Limit) -> str:
        body = self.spell(node.body)
        if isinstance(node.body, Sum | Neg):
            body = _in_brackets(body)
        return rf"\lim_{{{self.spell(node.name)} \to {self.spell(node.at)}}} {body}"

    def norm(self, node: Norm) -> str:
        p = f"_{{{node.p if len(node.p) == 1 or not node.p.isalpha() else self.spell(Name(node.p))}}}" if node.p else ""
        return rf"\left\|{self.spell(node.arg)}\right\|{p}"

    def cases(self, node: Cases) -> str:
        rows = [
            rf"{self.spell(value)} & " + (r"\text{otherwise}" if condition is None else self.spell(condition))
            for value, condition in node.rows
        ]
        return _environment("cases", rows)

    def matrix(self, node: Matrix) -> str:
        rows = [" & ".join(self.spell(cell) for cell in row) for row in node.rows]
        return _environment("pmatrix", rows)

    def relation(self, node: Relation) -> str:
        parts = [self.spell(node.links[0])]
        for sign, link in zip(node.signs, node.links[1:], strict=True):
            parts += [sign, self.spell(link)]
        return " ".join(parts)


def _environment(name: str, rows: list[str]) -> str:
    body = r" \\ ".join(rows)
    return rf"\begin{{{name}}} {body} \end{{{name}}}"


def _letter(base: str) -> str:
    if base in words.FUNCTION_WORDS:
        return rf"\{base}" if rf"\{base}" in words.FUNCTION_COMMANDS else rf"\operatorname{{{base}}}"
    return base


def _letters(base: str) -> int:
    return 1 if base.startswith("\\") and not base.startswith(r"\text{") else sum(map(str.isalpha, base))


def _is_signed(node: Node) -> bool:
    return isinstance(node, Product) and bool(node.sign)


def _last(node: Node) -> Node:
    while isinstance(node, Product) and not node.sign:
        node = node.right
    return node


def _items(node: Node) -> tuple[Node, ...]:
    return node.items if isinstance(node, Group) else (node,)
