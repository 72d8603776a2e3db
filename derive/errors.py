"""What derive raises, and nothing else: every message says what was met, what was expected, what to do."""

from __future__ import annotations


class DeriveError(Exception):
    """A limit of derive, or an input that it cannot use; the message is one line for the user."""


class ShapeError(DeriveError, ValueError):
    """Two shapes that an operation needs to agree do not."""


class MissingRuleError(DeriveError):
    """An operation lacks the rule that was asked for; the message names the operation and where its row is."""


class UnreadError(DeriveError):
    """A formula, or a part of it, was not understood; `column` counts from 1 in the formula's own text."""

    def __init__(self, message: str, column: int | None = None) -> None:
        super().__init__(message)
        self.column = column


class ModelError(DeriveError):
    """A model that cannot be used: no loss, two definitions of one name, a name that nothing defines."""
