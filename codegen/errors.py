"""What codegen raises: every message is one line that says what was met, what was expected, what to do."""

from __future__ import annotations

from derive.errors import DeriveError


class CodegenError(DeriveError):
    """A limit of the generator, or an input that it cannot use."""


class UnsupportedOpError(CodegenError):
    """An operation that no target, or not this one, can compute; names the operation and its equation."""


class UnboundSizeError(CodegenError):
    """A size of the model that neither the data nor the user fixes."""


class CompilerMissingError(CodegenError):
    """No C compiler was found."""


class CompileFailedError(CodegenError):
    """The C compiler refused a source; the message has its last lines and where the source was kept."""


class NonFiniteError(CodegenError):
    """A loss that is no finite number; the message names the step and the equation where it began."""


class BrokenProgramError(CodegenError):
    """A program that breaks a rule of its own; always a bug of a pass, never the user's."""
