"""Documents to files: the suffix chooses the format, and a file is whole or not there."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Final

from derive.errors import DeriveError
from derive.files import write_whole
from derive.sheet.document import Document
from derive.sheet.html import to_html
from derive.sheet.pdf import to_pdf
from derive.sheet.plain import to_markdown, to_notebook, to_tex, to_text

_TEXTS: Final[dict[str, Callable[[Document], str]]] = {
    ".html": to_html,
    ".tex": to_tex,
    ".md": to_markdown,
    ".txt": to_text,
    ".ipynb": to_notebook,
}
SUFFIXES: Final = (".html", ".pdf", ".tex", ".md", ".txt", ".ipynb")


def render(document: Document, suffix: str) -> bytes:
    """Set a document in the format of a file suffix.

    Raises:
        DeriveError: The suffix names no known format.

    >>> render(Document("Sheet", ()), ".md")
    b'# Sheet\\n'
    """
    if suffix.lower() == ".pdf":
        return to_pdf(document)
    if (writer := _TEXTS.get(suffix.lower())) is None:
        met = f"the suffix {suffix!r}" if suffix else "a name without a suffix"
        raise DeriveError(
            f"A sheet cannot be written as {met}; known are {', '.join(SUFFIXES)}. Choose one of them."
        )
    return writer(document).encode()


def save_document(document: Document, path: str | Path) -> Path:
    """Write a document to a file, in the format that its suffix names; return the path.

    Raises:
        DeriveError: The suffix is unknown, or the file cannot be written; then nothing is left behind.
    """
    target = Path(path)
    data = render(document, target.suffix)
    return write_whole(target, data)
