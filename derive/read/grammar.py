r"""The arithmetic of a formula, parsed by the grammar of latex2sympy2.

This is the one module that imports that package, and it takes its lexer and its parser alone: its converter
is wrong for this notation (`^T` vanishes, products commute, `=` assigns) and keeps global state. The front
end (`factors.py`) hands over a skeleton, `\variable{q0z} + \frac{\variable{q1z}}{2}`, in which all that the
grammar does not know stands as a placeholder; here the parse tree becomes records of `syntax.py`.
"""

from __future__ import annotations

import sys
import types
import typing
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NoReturn

from derive.errors import UnreadError
from derive.read.syntax import Neg, Node, Number, Power, Product, Quotient, Sum

# The ANTLR runtime 4.7.2 imports typing.io, which Python 3.13 no longer has and 3.11 warns of: a stand-in
# serves while the runtime loads, and leaves no trace.
_before = sys.modules.get("typing.io")
sys.modules["typing.io"] = typing.cast(
    types.ModuleType, types.SimpleNamespace(TextIO=typing.TextIO, BinaryIO=typing.BinaryIO)
)
from antlr4 import CommonTokenStream, InputStream, Token  # noqa: E402  (the stand-in must come first)
from antlr4.atn.PredictionMode import PredictionMode  # noqa: E402
from antlr4.error.ErrorListener import ErrorListener  # noqa: E402
from gen.PSLexer import PSLexer  # noqa: E402
from gen.PSParser import PSParser  # noqa: E402

if _before is None:
    del sys.modules["typing.io"]
else:
    sys.modules["typing.io"] = _before

MAX_SKELETON = 20_000
_PLAIN_SIGNS = {PSParser.MUL: "*", PSParser.CMD_TIMES: r"\times", PSParser.CMD_CDOT: r"\cdot"}


class _Refuse(ErrorListener):  # type: ignore[misc]  # antlr4 ships no types
    """Turns whatever ANTLR reports into an UnreadError instead of a line on the console."""

    def syntaxError(  # noqa: N802  (ANTLR calls it so)
        self, _who: Any, _symbol: Any, _line: int, column: int, message: str, _error: Any
    ) -> NoReturn:
        """Raise, naming the place in the skeleton."""
        raise UnreadError(f"the arithmetic cannot be read at {column} of its skeleton: {message}")


def parse_skeleton(skeleton: str, atoms: Mapping[str, Node], signs: Sequence[str] = ()) -> Node:
    r"""Parse an arithmetic skeleton and put the atoms back in.

    Args:
        skeleton: `+ - * / \cdot \times \mod \frac ^ ( )`, numbers, implicit products and placeholders
            `\variable{q0z}`.
        atoms: What each placeholder stands for.
        signs: The product signs that the grammar lacks, in order: each `\mod` of the skeleton borrows the
            place of one, as it binds like `\cdot`.
    Returns:
        The tree. A juxtaposed product binds tighter than a written sign.
    Raises:
        UnreadError: The skeleton is not arithmetic, or is too long or too deep.

    >>> from derive.read.syntax import Name
    >>> parse_skeleton(r"\variable{q0z} + 2", {"q0z": Name("x")})
    Sum(sign='+', left=Name(base='x', sup=None, style='', subs=(), primes=0), right=Number(text='2'))
    """
    if len(skeleton) > MAX_SKELETON * 10:
        raise UnreadError(f"the arithmetic is {len(skeleton)} characters long; split the formula")
    stream = _tokens(skeleton)
    borrowed = [token.start for token in stream.tokens if token.type == PSParser.CMD_MOD]
    if len(borrowed) != len(signs):
        raise UnreadError(r"\mod is not read; write the product with \cdot, \odot or \circ")
    try:
        tree = _tree(stream)
        return _Visitor(atoms, dict(zip(borrowed, signs, strict=True))).node(tree)
    except RecursionError:
        raise UnreadError("the formula is nested too deeply; split it") from None


def _tokens(skeleton: str) -> Any:
    lexer = PSLexer(InputStream(skeleton))
    lexer.removeErrorListeners()
    lexer.addErrorListener(_Refuse())
    stream = CommonTokenStream(lexer)
    stream.fill()
    return stream


def _tree(stream: Any) -> Any:
    parser = PSParser(stream)
    parser.removeErrorListeners()
    parser.addErrorListener(_Refuse())
    # SLL finds the same tree or fails; full LL is twenty times slower on a long sum and quadratic.
    parser._interp.predictionMode = PredictionMode.SLL
    tree = parser.expr()
    if parser.getCurrentToken().type != Token.EOF:
        raise UnreadError(f"the arithmetic ends early, at {parser.getCurrentToken().text!r}")
    return tree


class _Visitor:
    """Walks a parse tree of latex2sympy2; one method for each rule of its grammar that a skeleton can use."""

    def __init__(self, atoms: Mapping[str, Node], borrowed: Mapping[int, str]) -> None:
        self.atoms = atoms
        self.borrowed = borrowed
        self.rules: dict[type, Callable[[Any], Node]] = {
            PSParser.ExprContext: lambda tree: self.node(tree.additive()),
            PSParser.AdditiveContext: self.additive,
            PSParser.MpContext: self.product,
            PSParser.UnaryContext: self.unary,
            PSParser.PostfixContext: self.postfix,
            PSParser.ExpContext: self.power,
            PSParser.CompContext: lambda tree: self.node(tree.getChild(0)),
            PSParser.GroupContext: lambda tree: self.node(tree.expr()),
            PSParser.FracContext: lambda tree: Quotient(self.node(tree.upper), self.node(tree.lower)),
            PSParser.AtomContext: self.atom,
        }

    def node(self, tree: Any) -> Node:
        rule = self.rules.get(type(tree))
        if rule is None:
            raise UnreadError(f"the grammar reads {tree.getText()!r} as a {type(tree).__name__}, which is not used")
        return rule(tree)

    def additive(self, tree: Any) -> Node:
        first, rest = _left_spine(tree, "additive")
        node = self.node(first.mp())
        for step, right in rest:
            node = Sum("+" if step.ADD() else "-", node, self.node(right))
        return node

    def product(self, tree: Any) -> Node:
        first, rest = _left_spine(tree, "mp")
        node = self.node(first.unary())
        for step, right in rest:
            node = self.signed(step.getChild(1).symbol, node, self.node(right))
        return node

    def signed(self, symbol: Any, left: Node, right: Node) -> Node:
        if symbol.type == PSParser.DIV:
            return Quotient(left, right)
        sign = _PLAIN_SIGNS.get(symbol.type) or self.borrowed.get(symbol.start)
        if sign is None:
            raise UnreadError(f"the sign {symbol.text!r} is not read")
        return Product(sign, left, right)

    def unary(self, tree: Any) -> Node:
        if tree.unary():
            return Neg(self.node(tree.unary())) if tree.SUB() else self.node(tree.unary())
        node, *rest = (self.node(factor) for factor in tree.postfix())
        for factor in rest:
            node = Product("", node, factor)
        return node

    def postfix(self, tree: Any) -> Node:
        if tree.postfix_op():
            raise UnreadError(f"the mark {tree.postfix_op(0).getText()!r} is not read")
        return self.node(tree.exp())

    def power(self, tree: Any) -> Node:
        if tree.comp():
            return self.node(tree.comp())
        return Power(self.node(tree.exp()), self.node(tree.atom() or tree.expr()))

    def atom(self, tree: Any) -> Node:
        if tree.VARIABLE():
            return self.atoms[tree.getText().removeprefix(r"\variable{").removesuffix("}")]
        if tree.NUMBER():
            return Number(tree.getText())
        raise UnreadError(f"the grammar meets {tree.getText()!r}, which is no placeholder and no number")


def _left_spine(tree: Any, rule: str) -> tuple[Any, list[tuple[Any, Any]]]:
    """Unroll `a + b + c` without recursion: a sum of 200 terms is as deep as it is long."""
    rest = []
    while len(parts := getattr(tree, rule)()) == 2:
        rest.append((tree, parts[1]))
        tree = parts[0]
    return tree, rest[::-1]
