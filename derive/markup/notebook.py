"""Jupyter notebooks: the Markdown cells in order, each scanned by itself, numbered as one text.

Lines count through the text of all cells, code and raw cells too, one cell right after the other; `Page.cells` says at
which line each cell begins, so that a line of the page is a line of a cell.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from derive.errors import DeriveError

MOST_CELLS = 20_000


@dataclass(frozen=True, slots=True)
class Cell:
    """A cell: whether it is Markdown, the line of the whole on which it begins, its text."""

    markdown: bool
    line: int
    text: str


def read_cells(text: str) -> list[Cell]:
    """Read the cells of a notebook.

    Raises:
        DeriveError: It is no JSON, or holds no list of cells.
    """
    try:
        notebook = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise DeriveError(f"the notebook is no JSON that can be read: {str(error)[:80]}") from None
    found, line = [], 1
    for kind, source in _sources(notebook):
        found.append(Cell(kind == "markdown", line, source))
        line += source.count("\n") + 1
    return found


def _sources(notebook: Any) -> Iterator[tuple[str, str]]:
    cells = notebook.get("cells") if isinstance(notebook, dict) else None
    if cells is None and isinstance(notebook, dict):  # notebooks before version 4 have sheets
        sheets = notebook.get("worksheets")
        cells = sheets[0].get("cells") if isinstance(sheets, list) and sheets and isinstance(sheets[0], dict) else None
    if not isinstance(cells, list):
        raise DeriveError("the notebook holds no list of cells; open it in Jupyter and save it again")
    for cell in cells[:MOST_CELLS]:
        if not isinstance(cell, dict):
            continue
        source = cell.get("source", cell.get("input", ""))
        lines = source if isinstance(source, list) else [source]
        text = "".join(line for line in lines if isinstance(line, str))
        yield str(cell.get("cell_type", "")), text.replace("\r\n", "\n").removesuffix("\n")
