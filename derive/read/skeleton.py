"""The arithmetic of an expression on its way to the grammar: text, and what its placeholders stand for."""

from __future__ import annotations

from derive.errors import UnreadError
from derive.read.grammar import parse_skeleton
from derive.read.nesting import fail
from derive.read.syntax import Node

_KNOWN = frozenset(("+", "-", "/", "*", r"\cdot", r"\times"))


class Skeleton:
    r"""Grows from left to right; `depth` is how many brackets are open in its text.

    >>> from derive.read.syntax import Name
    >>> skeleton = Skeleton()
    >>> skeleton.place(Name("x")) + skeleton.sign(r"\odot") + "2"
    '\\variable{q0z} \\mod 2'
    """

    def __init__(self) -> None:
        self.atoms: dict[str, Node] = {}
        self.signs: list[str] = []
        self.depth = 0

    def place(self, node: Node) -> str:
        """Give the placeholder of a node."""
        key = f"q{len(self.atoms)}z"
        self.atoms[key] = node
        return rf"\variable{{{key}}} "

    def sign(self, sign: str) -> str:
        r"""Spell a sign for the grammar; one that it lacks borrows `\mod`, which binds like `\cdot`."""
        if sign in _KNOWN:
            return f"{sign} "
        self.signs.append(sign)
        return r"\mod "

    def parse(self, text: str, start: int) -> Node:
        """Parse, and give an error of the grammar its place in the source."""
        if len(self.atoms) == 1 and text.strip() == r"\variable{q0z}":
            return self.atoms["q0z"]
        try:
            return parse_skeleton(text, self.atoms, self.signs)
        except UnreadError as error:
            fail(str(error), start)
