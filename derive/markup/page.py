r"""A page to headings, formulas and prose, whatever it is written in; no mathematics is read here.

Markdown, LaTeX, reStructuredText, HTML, plain text and Jupyter notebooks. The scanners are in `scanners.py` and
`rst.py`, the macros of the page in `macros.py`.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from pathlib import Path

from derive.errors import DeriveError
from derive.markup import scanners
from derive.markup.blocks import Block, Broken, Builder, Formula, Heading, Page, Prose
from derive.markup.macros import Macros, find_macros
from derive.markup.notebook import read_cells
from derive.markup.rst import rst

__all__ = ["Block", "Broken", "Formula", "Heading", "Page", "Prose", "load_page", "read_page"]

MAX_BYTES = 20_000_000
_SCANNERS: dict[str, Callable[[Builder], None]] = {
    "markdown": scanners.markdown,
    "latex": scanners.latex,
    "rst": rst,
    "html": scanners.html_page,
    "text": scanners.plain_text,
}
KINDS = (*_SCANNERS, "notebook")
# What ends a paragraph, besides an empty line.
_ENDS = {
    "markdown": r"\n(?=#{1,6} )",
    "latex": r"\n(?=\\(?:sub)*section\b)",
    "html": r"(?i:</p\s*>|<p\b|<h[1-6]\b|</h[1-6])",
}
_ENDINGS = {
    ".md": "markdown", ".markdown": "markdown", ".mkd": "markdown", ".qmd": "markdown", ".rmd": "markdown",
    ".tex": "latex", ".ltx": "latex", ".rst": "rst", ".ipynb": "notebook",
    ".html": "html", ".htm": "html", ".xhtml": "html",
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
        kind: "markdown", "latex", "rst", "html", "text" or "notebook"; None to tell by the content.
    Raises:
        ValueError: The kind is none of these.
        DeriveError: A notebook that is none.

    >>> read_page("Let $x$ be given.").blocks[1]
    Formula(latex='x', line=1, column=6, display=False)
    """
    kind = kind or guess_kind(text)
    if kind not in KINDS:
        raise ValueError(f"kind is {kind!r}; give one of {', '.join(KINDS)}")
    if kind == "notebook":
        return _notebook(text)
    return _page(text, kind, find_macros(text))


def _notebook(text: str) -> Page:
    cells = read_cells(text)
    macros = find_macros("\n\n".join(cell.text for cell in cells))
    blocks = [
        block.moved(cell.line - 1)
        for cell in cells
        if cell.markdown
        for block in _page(cell.text, "markdown", macros).blocks
    ]
    return Page(tuple(blocks), tuple(cell.line for cell in cells))


def _page(text: str, kind: str, macros: Macros) -> Page:
    plain: Callable[[str], str] = scanners.plain_html if kind == "html" else str
    clean = {"html": scanners.latex_in_html, "latex": scanners.latex_uncommented, "markdown": scanners.latex_unquoted}
    before = clean.get(kind)
    builder = Builder(
        text, plain, lambda formula: macros.expand(before(formula) if before else formula), _ENDS.get(kind, "(?!)")
    )
    _SCANNERS[kind](builder)
    return builder.page()


def guess_kind(text: str) -> str:
    """Tell the markup of a page by its first 20,000 characters."""
    head = text[:20_000]
    if re.match(r"\s*\{", head) and re.search(r'"(?:cells|worksheets|nbformat)"\s*:', text):
        return "notebook"
    return next((kind for kind, sign in _SIGNS.items() if re.search(sign, head, re.MULTILINE)), "text")


def load_page(path: str | os.PathLike[str], content: bytes | None = None) -> Page:
    """Read a file and split it; bytes that are no UTF-8 become the replacement character.

    Args:
        path: Where it is; its ending tells the markup.
        content: Its bytes, where they were read already.
    Raises:
        DeriveError: No such file, no file, not readable, or over 20 MB.
    """
    return read_page(load_text(path, content), _ENDINGS.get(Path(path).suffix.lower()))


def load_text(path: str | os.PathLike[str], content: bytes | None = None) -> str:
    """Return the text of a file; see `load_page`."""
    content = _content(Path(path)) if content is None else content
    return content.decode("utf-8", errors="replace").replace("\r\n", "\n")


def _content(path: Path) -> bytes:
    try:
        if path.is_dir():
            raise DeriveError(f"{path} is a directory; give one page")
        if path.stat().st_size > MAX_BYTES:
            raise DeriveError(f"{path} has {path.stat().st_size} bytes, more than {MAX_BYTES}; split it")
        return path.read_bytes()
    except OSError as error:
        raise DeriveError(f"{path} cannot be read: {error.strerror or error}") from None
