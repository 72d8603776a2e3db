r"""Whether `d` before a letter is a differential on a page on which d also stands for a size or another quantity."""

from __future__ import annotations

import re
from collections.abc import Sequence

ASSUMED = "d before a name, as in $dW$, is a derivative or a differential, though d also stands for a quantity here"
_NAME = r"\{*(?:\\(?:mathbf|boldsymbol|bm)\s*)?\{*([A-Za-z])\}*"
_MARK = r"((?:\s*[\^_]\s*\{?[\[(]?\w+[\])]?\}?)?)"
_CHANGE = re.compile(rf"(?<![A-Za-z\\])d\s*{_NAME}{_MARK}")
_LED = re.compile(rf"(?:^|[,;&$\s{{]|\\\\)d\s*{_NAME}{_MARK}[\s}}]*(?:_\{{[^=]*\}})?\s*&?=")
MOST = 3  # names behind a d that are names by themselves as well


def reads_differentials(sources: Sequence[str]) -> bool:
    r"""Tell whether a page's formulas often write d before names of its own, and define such: dW = …, dZ = ….

    >>> reads_differentials(["Z^{[1]} = W x + b", "dW = dZ x^T", "db = dZ 1", "dZ^{[1]} = A - Y"])
    True
    >>> reads_differentials([r"W \in R^{d \times n}", "d X = 2"])
    False
    """
    led = {match.groups() for source in sources for match in _LED.finditer(source)}
    changes = {match.groups() for source in sources for match in _CHANGE.finditer(source)}
    without = " ".join(_CHANGE.sub(" ", source) for source in sources)
    letters = set(re.findall(r"(?<![A-Za-z\\])[A-Za-z](?![A-Za-z])", without))
    return len(led) > 1 and sum(letter in letters for letter, _ in changes) >= MOST
