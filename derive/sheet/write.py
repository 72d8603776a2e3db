"""Documents to files: the suffix chooses the format, and a file is whole or not there."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Final

from derive.errors import DeriveError
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
    try:
        _replace(target, data)
    except OSError as error:
        raise DeriveError(
            f"{target}: the sheet could not be written ({error.strerror or error}). "
            "Name a folder that exists and that you may write to."
        ) from error
    return target


def _replace(target: Path, data: bytes) -> None:
    handle, name = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name[:40]}.", suffix=".part")
    part = Path(name)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
        part.chmod(target.stat().st_mode & 0o777 if target.exists() else 0o666 & ~_umask())
        part.replace(target)
    except BaseException:
        part.unlink(missing_ok=True)
        raise


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
