r"""A page to headings, formulas and prose, whatever it is written in; no mathematics is read here.

Markdown, LaTeX, reStructuredText, HTML and plain text. The scanners are in `markup.py`, the macros of the
page in `macros.py`.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from pathlib import Path

from derive.errors import DeriveError
from derive.read import markup
from derive.read.blocks import Block, Builder, Formula, Heading, Page, Prose
from derive.read.macros import find_macros

__all__ = ["Block", "Formula", "Heading", "Page", "Prose", "load_page", "read_page"]

MAX_BYTES = 20_000_000
_SCANNERS: dict[str, Callable[[Builder], None]] = {
    "markdown": markup.markdown,
    "latex": markup.latex,
    "rst": markup.rst,
    "html": markup.html_page,
    "text": markup.plain_text,
}
_ENDINGS = {
    ".md": "markdown", ".markdown": "markdown", ".mkd": "markdown", ".qmd": "markdown", ".rmd": "markdown",
    ".tex": "latex", ".ltx": "latex", ".rst": "rst", ".html": "html", ".htm": "html", ".xhtml": "html",
}  # fmt: skip
_SIGNS = {
    "html": r"(?i)\A\s*(?:<!doctype html|<html|<\?xml)|<(?:p|div|h[1-6]|body)\b[^<>]*>",
    "latex": r"\\documentclass|\\begin\s*\{document\}|^\\(?:sub)*section\*?\{",
    "rst": r"^ *\.\. [\w-]+::|:math:`",
    "markdown": r"\A---[ \t\r]*\n|^#{1,6} +\S|^[ \t]*(?:```|~~~)|\*\*\w|^[-*] |\]\(",
}


def read_page(text: str, kind: str | None = None) -> Page:
    r"""Split a page into its blocks, in order.

    Args:
        text: The page.
        kind: "markdown", "latex", "rst", "html" or "text"; None to tell by the content.
    Raises:
        ValueError: The kind is none of these.

    >>> read_page("Let $x$ be given.").blocks[1]
    Formula(latex='x', line=1, column=6, display=False)
    """
    kind = kind or guess_kind(text)
    if kind not in _SCANNERS:
        raise ValueError(f"kind is {kind!r}; give one of {', '.join(_SCANNERS)}")
    macros = find_macros(text)
    plain: Callable[[str], str] = markup.plain_html if kind == "html" else str
    clean: dict[str, Callable[[str], str]] = {"html": markup.latex_in_html, "latex": markup.latex_uncommented}
    before = clean.get(kind, str)
    builder = Builder(text, plain, lambda latex: macros.expand(before(latex)))
    _SCANNERS[kind](builder)
    return builder.page()


def guess_kind(text: str) -> str:
    """Tell the markup of a page by its first 20,000 characters."""
    head = text[:20_000]
    return next((kind for kind, sign in _SIGNS.items() if re.search(sign, head, re.MULTILINE)), "text")


def load_page(path: str | os.PathLike[str], content: bytes | None = None) -> Page:
    """Read a file and split it; bytes that are no UTF-8 become the replacement character.

    Args:
        path: Where it is; its ending tells the markup.
        content: Its bytes, where they were read already.
    Raises:
        DeriveError: No such file, no file, not readable, or over 20 MB.
    """
    path = Path(path)
    content = _content(path) if content is None else content
    text = content.decode("utf-8", errors="replace")
    return read_page(text.replace("\r\n", "\n"), _ENDINGS.get(path.suffix.lower()))


def _content(path: Path) -> bytes:
    try:
        if path.is_dir():
            raise DeriveError(f"{path} is a directory; give one page")
        if path.stat().st_size > MAX_BYTES:
            raise DeriveError(f"{path} has {path.stat().st_size} bytes, more than {MAX_BYTES}; split it")
        return path.read_bytes()
    except OSError as error:
        raise DeriveError(f"{path} cannot be read: {error.strerror or error}") from None
