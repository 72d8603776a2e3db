"""A document as Markdown with formulas in dollars (GitHub's and Jupyter's), and as such a notebook."""

from __future__ import annotations

import hashlib
import json
import re
from typing import Final

from derive.sheet.document import (
    MARK_SIGNS,
    Block,
    Bullets,
    Code,
    Document,
    Equation,
    Heading,
    Mark,
    Math,
    Paragraph,
    Rule,
    Span,
    Spans,
    StepRow,
    Steps,
    Strong,
    Table,
    Text,
    right_side,
)
from derive.sheet.layout import tex_source
from derive.sheet.symbols import clean_text

# Markdown reads these before the formula's renderer does, so they are written by name.
_BY_NAME: Final = {
    "<": r"\lt ", ">": r"\gt ", r"\{": r"\lbrace ", r"\}": r"\rbrace ", r"\|": r"\Vert ", "*": r"\ast ",
    r"\,": r"\thinspace ", r"\;": r"\thickspace ", r"\!": r"\negthinspace ",
}  # fmt: skip
_OPERATOR = re.compile(r"\\operatorname\s*(\*?)\s*\{([^{}]*)\}")


def to_markdown(document: Document) -> str:
    """Write a document as Markdown.

    >>> print(to_markdown(Document("A # b", (Equation("1", "x^2"),))))
    # A # b
    <BLANKLINE>
    $$
    x^2 \\tag{1}
    $$
    <BLANKLINE>
    """
    return "\n\n".join(_parts(document)) + "\n"


def to_notebook(document: Document) -> str:
    """Write a document as a Jupyter notebook, one Markdown cell a section.

    >>> json.loads(to_notebook(Document("t", ())))["nbformat_minor"]
    5
    """
    sections: list[list[str]] = [[]]
    for part in _parts(document):
        if part.startswith("## ") and sections[-1]:
            sections.append([])
        sections[-1].append(part)
    cells = [_cell(i, "\n\n".join(section)) for i, section in enumerate(sections)]
    kernel = {"kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"}}
    notebook = {"cells": cells, "metadata": kernel, "nbformat": 4, "nbformat_minor": 5}
    return json.dumps(notebook, indent=1, ensure_ascii=False) + "\n"


def _cell(index: int, source: str) -> dict[str, object]:
    name = hashlib.sha256(f"{index} {source}".encode()).hexdigest()[:12]
    return {"cell_type": "markdown", "id": name, "metadata": {}, "source": source.splitlines(keepends=True)}


def _parts(document: Document) -> list[str]:
    footer = ["---", _spans(document.footer)] if document.footer else []
    return [f"# {escape_markdown(document.title)}", *map(_block, document.blocks), *footer]


def escape_markdown(text: str) -> str:
    r"""Write prose as Markdown that shows exactly this text.

    >>> escape_markdown("<b> costs $5")
    '&lt;b&gt; costs \\$5'
    """
    safe = clean_text(text).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    safe = re.sub(r"([\\`*_\[\]|$~])", r"\\\1", safe)
    return re.sub(r"^(\s*)(?:([-+=#])|(\d+)([.)]))", _unlisted, safe)


def _unlisted(start: re.Match[str]) -> str:
    """A sign that would begin a list stays a sign."""
    space, bullet, number, point = start.groups(default="")
    return f"{space}{number}\\{bullet or point}"


def _formula(latex: str) -> str | None:
    source = tex_source(latex)
    if source is None:
        return None
    named = _OPERATOR.sub(_operator, source)  # GitHub refuses \operatorname
    return re.sub(r"\\\\|\\[{}|,;!]|[<>*]", lambda sign: _BY_NAME.get(sign[0], sign[0]), named).strip()


def _operator(name: re.Match[str]) -> str:
    return rf"\mathop{{\mathrm{{{name[2]}}}}}" + ("" if name[1] else r"\nolimits ")


def _block(block: Block) -> str:
    match block:
        case Heading(level, text):
            return f"{'#' * (min(max(level, 1), 3) + 1)} {escape_markdown(text)}"
        case Paragraph(spans):
            return _spans(spans)
        case Equation():
            return _equation(block)
        case Steps(rows):
            return _steps(rows)
        case Table(header, rows):
            return _table(header, rows)
        case Bullets(items):
            return "\n".join(f"- {_spans(item)}" for item in items)
        case Rule():
            return "---"


def _spans(spans: Spans) -> str:
    return "".join(map(_span, spans)).strip()


def _span(span: Span) -> str:
    match span:
        case Text(text):
            return escape_markdown(text)
        case Math(latex):
            source = _formula(latex)
            return _code(latex) if source is None else f"${source}$"
        case Strong(text):
            return f"**{escape_markdown(text)}**"
        case Code(text):
            return _code(text)


def _code(text: str) -> str:
    shown = clean_text(text).strip()
    fence = "`" * (max(map(len, re.findall("`+", shown)), default=0) + 1)
    pad = " " if "`" in shown else ""
    return f"{fence}{pad}{shown}{pad}{fence}" if shown else ""


def _equation(equation: Equation) -> str:
    source = _formula(equation.latex)
    number = f" \\tag{{{_label(equation.number)}}}" if equation.number is not None else ""
    plain_number = f" ({escape_markdown(equation.number)})" if equation.number is not None else ""
    shown = f"{_code(equation.latex)}{plain_number}" if source is None else f"$$\n{source}{number}\n$$"
    below = " ".join(filter(None, (_mark(equation.mark), _spans(equation.note))))
    return f"{shown}\n\n> {below}" if below else shown


def _label(number: str) -> str:
    return re.sub(r"[^\w.:() -]", "", clean_text(number), flags=re.ASCII)


def _mark(mark: Mark) -> str:
    return MARK_SIGNS[mark]


def _steps(rows: tuple[StepRow, ...]) -> str:
    sides = [(_formula(row.latex_left), _formula(right_side(row))) for row in rows]
    if any(None in side for side in sides):
        return "\n".join(
            f"- {_code(f'{row.latex_left} {right_side(row)}')} {_spans(row.because)}" for row in rows
        )
    lines = " \\\\\n".join(
        f"{left} & {right}{_reason(row)}" for (left, right), row in zip(sides, rows, strict=True)
    )
    return f"$$\n\\begin{{aligned}}\n{lines}\n\\end{{aligned}}\n$$"


def _reason(row: StepRow) -> str:
    parts = [_in_formula(span) for span in row.because]
    parts += [rf"\enspace \text{{{MARK_SIGNS[row.mark]}}}"] if row.mark else []
    return " && " + " ".join(parts) if parts else ""


def _in_formula(span: Span) -> str:
    """Prose inside a formula: letters and plain signs only, as no renderer escapes alike there."""
    if isinstance(span, Math):
        return _formula(span.latex) or rf"\text{{{_bare(span.latex)}}}"
    return rf"\text{{{_bare(span.text)}}}"


def _bare(text: str) -> str:
    return re.sub(r"[\\{}$&#_%^~<>`*|]", " ", clean_text(text))


def _table(header: tuple[Spans, ...], rows: tuple[tuple[Spans, ...], ...]) -> str:
    columns = max([1, len(header), *map(len, rows)])
    lines = [header, *rows]
    shown = ["| " + " | ".join([*map(_spans, row), *[""] * (columns - len(row))]) + " |" for row in lines]
    return "\n".join([shown[0], "|" + " --- |" * columns, *shown[1:]])
