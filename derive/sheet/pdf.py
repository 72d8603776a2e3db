"""A document as a PDF, through Typst with its own fonts: no system font, no file, no network, no clock."""

from __future__ import annotations

import tempfile
from typing import Final

import typst

from derive.errors import DeriveError
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
from derive.sheet.typst import escape_markup, literal, to_typst_math

_PREAMBLE: Final = r"""
#set page(paper: "a4", margin: (x: 24mm, top: 24mm, bottom: 22mm), numbering: "1 / 1",
  footer: context align(center, text(8.5pt, gray, counter(page).display("1 / 1", both: true))))
#set text(font: "New Computer Modern", size: 10.5pt, lang: "en")
#set par(leading: 0.62em, spacing: 0.95em)
#show heading: set block(above: 1.7em, below: 0.8em, sticky: true)
#show heading.where(level: 1): set text(13pt)
#show heading.where(level: 2): set text(11.2pt)
#show heading.where(level: 3): set text(10.5pt, style: "italic")
#show raw: set text(font: "DejaVu Sans Mono", size: 0.95em)
#set math.mat(gap: 0.6em)
#set math.cases(gap: 0.55em)
#show math.equation.where(block: true): set align(left)
#let soft = rgb("#667085")
#let note(body) = text(8.8pt, soft, body)
#let marks = (ok: text(rgb("#1a7f4b"))[✓], bad: text(rgb("#c0362c"))[✗], open: text(soft, weight: "bold")[?])
#let mark(kind) = text(9pt, font: "DejaVu Sans Mono", marks.at(kind, default: []))
#let fit(body, width) = {
  let natural = measure(body).width
  let ratio = calc.min(1, width / calc.max(natural, 0.1pt)) * 100%
  if ratio < 100% { scale(x: ratio, y: ratio, reflow: true, body) } else { body }
}
#let shown(..options, body) = block(above: 1.1em, below: 1.1em, width: 100%, ..options, body)
#let equation-line(formula, number, sign, why) = shown(breakable: false, {
  grid(columns: (1.2em, 1fr, auto, auto), column-gutter: (0pt, 6pt, 8pt), align: horizon,
    [], layout(size => fit(formula, size.width)), sign, number)
  if why != none { v(0.5em, weak: true); pad(left: 1.2em, note(why)) }
})
#let steps-lines(beside, below) = shown(inset: (left: 1.2em), layout(size =>
  if measure(beside).width <= size.width { beside } else { fit(below, size.width) }))
"""


def to_pdf(document: Document) -> bytes:
    """Set a document as a PDF; the same document gives the same bytes.

    >>> to_pdf(Document("Gradients", ()))[:5]
    b'%PDF-'
    """
    with tempfile.TemporaryDirectory() as empty:  # the root that Typst may read from
        try:
            compiler = typst.Compiler(
                to_typst(document).encode(), root=empty, ignore_system_fonts=True, package_path=empty,
                package_cache_path=empty,
            )  # fmt: skip
            made = compiler.compile(format="pdf", timestamp=0)
        except typst.TypstError as error:
            raise DeriveError(
                f"The sheet could not be set as PDF: Typst says {error.message!r}. Write it as .html instead."
            ) from error
    if not isinstance(made, bytes):
        raise DeriveError(
            "The sheet could not be set as PDF: Typst gave no single file. Write it as .html instead."
        )
    return made


def to_typst(document: Document) -> str:
    """Write a document as Typst source, every word of it escaped.

    >>> "= A \\\\# heading" in to_typst(Document("t", (Heading(1, "A # heading"),)))
    True
    """
    title = f"#set document(title: {literal(document.title)})"
    heading = f'#block(below: 1.6em, text(19pt, weight: "bold")[{escape_markup(document.title)}])'
    footer = (_block(Rule()), f"#note[{_spans(document.footer)}]") if document.footer else ()
    return "\n\n".join((title + _PREAMBLE, heading, *map(_block, document.blocks), *footer)) + "\n"


def _block(block: Block) -> str:
    match block:
        case Heading(level, text):
            return f"{'=' * min(max(level, 1), 3)} {escape_markup(text)}"
        case Paragraph(spans):
            return _spans(spans)
        case Equation():
            return _equation(block)
        case Steps(rows):
            return _steps(rows)
        case Table(header, rows):
            return _table(header, rows)
        case Bullets(items):
            return f"#list({', '.join(f'[{_spans(item)}]' for item in items)})"
        case Rule():
            return "#block(above: 1.4em, below: 1.4em, line(length: 100%, stroke: 0.5pt + luma(200)))"


def _spans(spans: Spans) -> str:
    return "".join(map(_span, spans))


def _span(span: Span) -> str:
    match span:
        case Text(text):
            return escape_markup(text)
        case Math(latex):
            return f"${to_typst_math(latex)}$"
        case Strong(text):
            return f"#strong[{escape_markup(text)}]"
        case Code(text):
            return f"#raw({literal(text)})"


def _mark(mark: Mark) -> str:
    return f"#mark({literal(mark)})" if mark in MARK_SIGNS and mark else ""


def _equation(equation: Equation) -> str:
    number = f"[({escape_markup(equation.number)})]" if equation.number is not None else "[]"
    note = f"[{_spans(equation.note)}]" if equation.note else "none"
    formula = f"$ {to_typst_math(equation.latex)} $"
    return f"#equation-line({formula}, {number}, [{_mark(equation.mark)}], {note})"


def _steps(rows: tuple[StepRow, ...]) -> str:
    beside = " \\\n  ".join(
        f"{_formula(row)} & & quad {_because(row)} & & quad {_mark(row.mark)}" for row in rows
    )
    below = " \\\n  ".join(f"{_formula(row)} {_mark(row.mark)}{_under(row)}" for row in rows)
    return f"#steps-lines($ {beside} $, $ {below} $)"


def _formula(row: StepRow) -> str:
    return f"{to_typst_math(row.latex_left)} & {to_typst_math(right_side(row))}"


def _because(row: StepRow) -> str:
    return f"#note[{_spans(row.because)}]" if row.because else '""'


def _under(row: StepRow) -> str:
    return f" \\\n  & {_because(row)}" if row.because else ""


def _table(header: tuple[Spans, ...], rows: tuple[tuple[Spans, ...], ...]) -> str:
    columns = max([len(header), *map(len, rows)])
    cells = [f"[{_spans(cell)}]" for row in rows for cell in (*row, *((),) * (columns - len(row)))]
    head = ", ".join(f"[#strong[{_spans(cell)}]]" for cell in header)
    top = f"table.header({head}), " if header else ""
    style = "stroke: (x, y) => (bottom: 0.5pt + luma(210)), inset: (x: 6pt, y: 5pt), align: left + horizon"
    return f"#table(columns: {max(columns, 1)}, {style}, {top}{', '.join(cells)})"
