"""Formulas as a page spells them, after all things in them were given one name each."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace

from derive.meaning.outline import names_in, walk
from derive.read import syntax as ast
from derive.read.spelling import render


@dataclass(frozen=True, slots=True)
class Respelling:
    """What leads back from the names of a case to those of its page.

    Attributes:
        spelled: What gave the names.
        whole: The page's names, and formulas without one, by the names that they were given.
        letters: Its indices by those that they became.
    """

    spelled: Callable[[ast.Node], ast.Node] = lambda node: node
    whole: dict[ast.Name, ast.Node] = field(default_factory=dict)
    letters: dict[ast.Node, ast.Node] = field(default_factory=dict)

    def latex(self, node: ast.Node) -> str:
        """Return a formula's LaTeX in the page's names, where it would be read as the same formula."""
        back = self._back(node)
        return render(back if self.spelled(back) == node else node)

    def text(self, text: str) -> str:
        """Return a sentence with the page's names in its formulas."""
        names = {render(name): render(own) for name, own in self.whole.items() if name != own}
        if not names:
            return text
        ordered = sorted(map(re.escape, names), key=len, reverse=True)
        pattern = re.compile(rf"(?<![\\A-Za-z{{])({'|'.join(ordered)})(?![A-Za-z_]|\^(?!{{T}}))")
        parts = text.split("$")
        return "$".join(pattern.sub(lambda m: names[m[0]], part) if k % 2 else part for k, part in enumerate(parts))

    def _back(self, node: ast.Node) -> ast.Node:
        if not isinstance(node, ast.Name):
            return ast.map_children(node, self._back)
        if node in self.whole:
            return self.whole[node]
        if node in self.letters:
            return self.letters[node]
        subs = tuple(self.letters.get(sub, sub) for sub in node.subs)
        entries = (own for name, own in self.whole.items()
                   if isinstance(own, ast.Name) and _alike(name, node) and len(own.subs) == len(subs))  # fmt: skip
        alike = next(entries, node)
        return replace(alike, subs=subs)


def _alike(one: ast.Name, other: ast.Name) -> bool:
    """Tell whether two names are entries of the same thing."""
    return replace(one, subs=()) == replace(other, subs=()) and len(one.subs) == len(other.subs)


def respelling(nodes: Iterable[ast.Node], spelled: Callable[[ast.Node], ast.Node]) -> Respelling:
    """Return what leads back from spelled formulas to those of a page.

    Args:
        nodes: Formulas as the page has them; where one thing has several names, the first counts.
        spelled: What gives the names.
    """
    whole: dict[ast.Name, ast.Node] = {}
    letters: dict[ast.Node, ast.Node] = {}
    nodes = list(nodes)
    calls = [part for node in nodes for part in walk(node) if isinstance(part, ast.Call)]
    owns: list[ast.Node] = [name for node in nodes for name in names_in(node)]
    owns += [part for call in calls for part in (call, call.function, *call.args)]
    owns += [part for node in nodes for part in walk(node) if isinstance(part, ast.Differential)]
    for own in dict.fromkeys(owns):
        name = spelled(own)
        if isinstance(name, ast.Name):
            whole.setdefault(name, own)
            if isinstance(own, ast.Name) and len(name.subs) == len(own.subs):
                letters |= {sub: old for sub, old in zip(name.subs, own.subs, strict=True) if sub not in letters}
    return Respelling(spelled, whole, letters)
