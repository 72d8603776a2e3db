"""What is wrong with a claim: the smallest edit of its right side that makes it hold."""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from derive.diagnose.edits import edits, undone_derivative
from derive.diagnose.respelled import Respelling
from derive.diagnose.rewriting import Edit, Vocabulary
from derive.meaning.outline import walk
from derive.read import syntax as ast
from derive.verify.judge import Diagnosis

BUDGET = 1500  # edits tried
SECONDS = 3.0  # of the processor; the limit of a whole claim is more, so that no verdict is lost by a search for edits


@dataclass(slots=True)
class Search:
    """How much has been searched, in all searches for one claim: what it says may be read in several ways."""

    tried: int = 0
    seconds: float = 0.0

    def within(self, found: Iterable[Edit]) -> Iterator[Edit]:
        """Yield edits until too many were tried, or trying them took too long."""
        begin = time.process_time()
        for edit in found:
            if self.tried >= BUDGET or self.seconds > SECONDS:
                return
            self.tried += 1
            yield edit
            now = time.process_time()
            self.seconds += now - begin
            begin = now


def diagnose(
    left: ast.Node, right: ast.Node, words: Vocabulary, holds: Callable[[ast.Node], bool],
    search: Search | None = None, spelling: Respelling | None = None,
) -> Diagnosis | None:  # fmt: skip
    """Return the first edit after which the claim holds, or None.

    Args:
        left, right: The claim.
        words: Names that an edit may use.
        holds: Tells whether the claim holds with another right side; it must not raise.
        search: How much has been searched for the same claim; None: nothing.
        spelling: How the page spells the claim.
    """
    tries = itertools.chain(undone_derivative(left, right), edits(right, words))
    return first_that_holds(left, right, tries, holds, search or Search(), spelling)


def first_that_holds(
    left: ast.Node, right: ast.Node, tries: Iterable[Edit], holds: Callable[[ast.Node], bool], search: Search,
    spelling: Respelling | None = None,
) -> Diagnosis | None:  # fmt: skip
    """Return the first of some edits after which the claim holds, or None."""
    page = spelling or Respelling()
    for edit in search.within(_new(left, right, tries)):
        if holds(edit.node):
            return Diagnosis(edit.kind, page.text(edit.text), f"{page.latex(left)} = {page.latex(edit.node)}")
    return None


def _new(left: ast.Node, right: ast.Node, tries: Iterable[Edit]) -> Iterator[Edit]:
    """Yield each edit once, without those by which a claim is said of itself: δ = δ holds and says nothing."""
    seen: set[ast.Node] = {right}
    for edit in tries:
        if edit.node not in seen and left not in walk(edit.node):
            seen.add(edit.node)
            yield edit
