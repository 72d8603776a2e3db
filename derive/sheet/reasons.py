"""What stands beside a step: the rule and why it holds, and the sign of its check."""

from __future__ import annotations

from derive.derivation import Check, Step
from derive.sheet import document as doc
from derive.verify.judge import FALSE, GOOD, OPEN

_WORDS: dict[doc.Mark, tuple[str, ...]] = {"ok": GOOD, "bad": FALSE, "open": OPEN}
MARKS: dict[str, doc.Mark] = {word: mark for mark, words in _WORDS.items() for word in words}


def spans(text: str) -> doc.Spans:
    r"""Return prose with `$…$` in it as spans.

    >>> [type(span).__name__ for span in spans(r"insert $\delta$")]
    ['Text', 'Math']
    """
    pieces = text.split("$")
    made = (doc.Math(piece) if k % 2 else doc.Text(piece) for k, piece in enumerate(pieces) if piece)
    return tuple(made)


def because(step: Step) -> doc.Spans:
    """Return the name of a rule, and its formula."""
    said = spans(step.rule)
    return (*said, doc.Text(": "), doc.Math(step.because)) if step.because else said


def mark(check: Check | None) -> doc.Mark:
    """Return the sign of a check; nothing where nothing was checked."""
    return "" if check is None else MARKS.get(check.outcome, "open")
