"""A document as one HTML file that needs no network, no script and no installed font."""

from __future__ import annotations

import re
from base64 import b64encode
from collections.abc import Iterable
from importlib.metadata import PackageNotFoundError, version
from typing import Final

from derive.sheet.css import CSS
from derive.sheet.document import (
    MARK_SIGNS,
    MARK_WORDS,
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
from derive.sheet.font import font_subset
from derive.sheet.mathml import escape, to_mathml

_CONTENTS_FROM: Final = 4  # headings that make a table of contents worth its place
_CONTENTS_DEEP: Final = 12  # with more headings than these, the contents list the sections alone
_ENTITY = re.compile(r"&#x([0-9a-f]+);|&(lt|gt|amp);")


def to_html(document: Document) -> str:
    """Set a document as a web page; the same document gives the same bytes.

    >>> page = to_html(Document("A & B", (Equation("1", "x^2"),)))
    >>> "<title>A &amp; B</title>" in page, "<msup><mi>x</mi><mn>2</mn></msup>" in page
    (True, True)
    """
    headings = _heading_ids(document)
    body = "\n".join(_block(block, headings.get(i, "")) for i, block in enumerate(document.blocks))
    footer = f"\n<footer>{spans_html(document.footer)}</footer>" if document.footer else ""
    return html_page(document.title, f"{_contents(document, headings)}{body}{footer}")


def html_page(title: str, body: str, style: str = "") -> str:
    """Return a whole web page: what stands below its title as HTML, and further rules of style."""
    title = escape(title)
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f'<meta name="generator" content="derive {_version()}">\n<title>{title}</title>\n'
        f"<style>{_font_face(body)}{CSS}{style}</style>\n</head>\n<body>\n<main>\n<h1>{title}</h1>\n"
        f"{body}\n</main>\n</body>\n</html>\n"
    )


def _version() -> str:
    try:
        return version("derive")
    except PackageNotFoundError:  # run from a checkout that was not installed
        return "from source"


def _font_face(body: str) -> str:
    formulas = re.sub(
        r"<annotation.*?</annotation>", "", "".join(re.findall(r"<math.*?</math>", body, re.S)), flags=re.S
    )
    shown = _ENTITY.sub(_character, re.sub(r"<[^>]*>", "", formulas))
    font = font_subset(shown + "√") if shown else None  # a root's sign stands in no element's text
    if font is None:
        return ""
    source = f"url(data:font/woff2;base64,{b64encode(font).decode('ascii')}) format('woff2')"
    return f'\n@font-face {{ font-family: "Derive Math"; src: {source}; }}'


def _character(entity: re.Match[str]) -> str:
    return chr(int(entity[1], 16)) if entity[1] else {"lt": "<", "gt": ">", "amp": "&"}[entity[2]]


def _heading_ids(document: Document) -> dict[int, str]:
    ids: dict[int, str] = {}
    for i, block in enumerate(document.blocks):
        if isinstance(block, Heading):
            slug = _slug(block.text) or "section"
            ids[i] = slug if slug not in ids.values() else f"{slug}-{i}"
    return ids


def _slug(text: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")


def _contents(document: Document, headings: dict[int, str]) -> str:
    if len(headings) < _CONTENTS_FROM:
        return ""
    lines = []
    for i, anchor in headings.items():
        heading = document.blocks[i]
        if isinstance(heading, Heading) and (heading.level == 1 or len(headings) <= _CONTENTS_DEEP):
            deep = ' class="deep"' if heading.level > 1 else ""
            lines.append(f'<li{deep}><a href="#{anchor}">{escape(heading.text)}</a></li>')
    return f'<nav aria-label="Contents"><ol>{"".join(lines)}</ol></nav>\n'


def _block(block: Block, anchor: str) -> str:
    match block:
        case Heading(level, text):
            tag = f"h{min(max(level, 1), 3) + 1}"
            return f'<{tag} id="{anchor}">{escape(text)}</{tag}>'
        case Paragraph(spans):
            return f"<p>{spans_html(spans)}</p>"
        case Equation():
            return _equation(block)
        case Steps(rows):
            return f'<div class="scroll"><table class="steps">{"".join(map(_step, rows))}</table></div>'
        case Table(header, rows):
            return _table(header, rows)
        case Bullets(items):
            return f"<ul>{''.join(f'<li>{spans_html(item)}</li>' for item in items)}</ul>"
        case Rule():
            return "<hr>"


def blocks_html(blocks: Iterable[Block]) -> str:
    """Return blocks without links to them."""
    return "\n".join(_block(block, "") for block in blocks)


def spans_html(spans: Spans) -> str:
    """Return what stands in a line."""
    return "".join(map(_span, spans))


def _span(span: Span) -> str:
    match span:
        case Text(text):
            return escape(text)
        case Math(latex):
            return to_mathml(latex)
        case Strong(text):
            return f"<strong>{escape(text)}</strong>"
        case Code(text):
            return f"<code>{escape(text)}</code>"


def _equation(equation: Equation) -> str:
    anchor = _anchor(equation)
    target = f' id="{anchor}"' if anchor else ""
    number = ""
    if equation.number is not None:
        shown = f"({escape(equation.number)})"
        number = f'<a class="number" href="#{anchor}">{shown}</a>'
    note = f'<p class="note">{spans_html(equation.note)}</p>' if equation.note else ""
    return (
        f'<div class="eq"{target}><div class="line">'
        f'<div class="formula" tabindex="0">{to_mathml(equation.latex, display=True)}</div>'
        f"{_mark(equation.mark)}{number}</div>{note}</div>"
    )


def _anchor(equation: Equation) -> str:
    wanted = equation.anchor or (f"eq-{equation.number}" if equation.number is not None else "")
    return re.sub(r"[^\w.-]+", "-", escape(wanted), flags=re.ASCII)


def _mark(mark: Mark, tag: str = "span") -> str:
    if not mark:
        return "" if tag == "span" else f"<{tag}></{tag}>"
    word = MARK_WORDS[mark]
    return f'<{tag} class="mark {mark}" title="{word}" aria-label="{word}">{MARK_SIGNS[mark]}</{tag}>'


def _step(row: StepRow) -> str:
    left, right = (to_mathml(side).replace("<math>", '<math displaystyle="true">', 1) if side else ""
                   for side in (row.latex_left, right_side(row)))  # fmt: skip
    return (
        f'<tr><td class="left">{left}</td><td class="right">{right}</td>'
        f'<td class="why">{spans_html(row.because)}</td>{_mark(row.mark, "td")}</tr>'
    )


def _table(header: tuple[Spans, ...], rows: tuple[tuple[Spans, ...], ...]) -> str:
    head = "".join(f'<th scope="col">{spans_html(cell)}</th>' for cell in header)
    body = "".join(f"<tr>{''.join(f'<td>{spans_html(cell)}</td>' for cell in row)}</tr>" for row in rows)
    thead = f"<thead><tr>{head}</tr></thead>" if header else ""
    return f'<div class="scroll"><table class="data">{thead}<tbody>{body}</tbody></table></div>'
