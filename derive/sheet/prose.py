"""The running text of a page as passages: words and formulas in order, with the little markup that words carry."""

from __future__ import annotations

import bisect
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final, TypeAlias

from derive.markup.blocks import Block, Broken, Formula, Heading, Prose
from derive.sheet.document import Code, Span, Strong, Text

Piece: TypeAlias = Span | Formula | Broken


@dataclass(frozen=True, slots=True)
class Passage:
    """A paragraph, or with `mark` an item of a list: its bullet or number as written."""

    pieces: tuple[Piece, ...]
    mark: str = ""


@dataclass(frozen=True, slots=True)
class Listing:
    """Lines of a program."""

    text: str
    line: int
    column: int = 1


Flow: TypeAlias = Heading | Formula | Passage | Listing

_GAP: Final = re.compile(r"\n[ \t]*\n\s*")
_ITEM: Final = re.compile(r"[ \t]*(?P<mark>[-*+•]|\d{1,3}[.)])(?:[ \t]+|$)")
_SPAN: Final = re.compile(r"\*\*(?P<strong>[^*\n][^*]*?)\*\*|(?P<tick>`+)(?P<code>[^`]+?)(?P=tick)")
_PROGRAM: Final = re.compile(
    r"^[ \t>]*(?P<fence>`{3,}|~{3,})(?P<language>[^`\n]*)\n(?P<listing>.*?)^[ \t>]*(?P=fence)[ \t]*$"
    r"|(?<![`$\\])(?P<tick>`{1,2})(?!`)(?P<code>[^`\n]+)(?P=tick)(?!`)",
    re.MULTILINE | re.DOTALL,
)
_LINK: Final = re.compile(r"!?\[([^\[\]]*)\]\([^()\s]*\)")
_RULE: Final = re.compile(r"^[ \t]*(?:-{3,}|\*{3,}|_{3,}|\{:.*\})[ \t]*$", re.MULTILINE)
_WRITTEN_IN_LATEX: Final = re.compile(r"\\(?:begin|item|emph|text\w+|cite\w*|ref|label|documentclass)\b")
# What LaTeX says of words: (what is met, what a reader is to see).
_LATEX: Final = tuple(
    (re.compile(pattern, re.DOTALL), by)
    for pattern, by in (
        (r"\A.*\\begin\{document\}", ""),
        (r"(?<![\\\w])%[^\n]*", ""),
        (r"\\item\b\s*", "\n- "),
        (r"\\(?:textbf|textsc)\{([^{}]*)\}", r"**\1**"),
        (r"\\(?:begin|end|label|cite\w*|eqref|ref|vspace|hspace)\*?(?:\[[^\]]*\])?\{[^{}]*\}", ""),
        (r"\\[A-Za-z]+\*?\{([^{}]*)\}", r"\1"),
        (r"\\(?:[A-Za-z]+\*?|\\)[ \t]*", ""),
        (r"\\([^\w\s])", r"\1"),
        ("~", " "),
        ("---?", "–"),
    )
)
_CLOSE: Final = tuple(",.;:!?)]}'’”%-–/")
_OPEN: Final = tuple("([{“‘/")


def with_code(blocks: Sequence[Block], text: str) -> list[Block | Listing]:
    """Return the blocks of a page with the code in it, which the reader of formulas passes over.

    >>> [block.text for block in with_code([Prose("use", 1), Prose("here", 1, 11)], "use `dot` here")]
    ['use', '`dot`', 'here']
    """
    if any(isinstance(block, Prose) and "`" in block.text for block in blocks):
        return list(blocks)  # it is prose there
    starts = [0, *(match.end() for match in re.finditer("\n", text))]
    found: list[Block | Listing] = list(blocks)
    for match in _PROGRAM.finditer(text):
        line = bisect.bisect_right(starts, match.start())
        if match["code"]:
            found.append(Prose(match[0], line, match.start() - starts[line - 1] + 1))
        elif match["language"].strip().lower() != "math":
            found.append(Listing(match["listing"], line))
    return sorted(found, key=lambda block: (block.line, getattr(block, "column", 1)))


def passages(blocks: Sequence[Block | Listing]) -> Iterator[Flow]:
    """Yield headings, displayed formulas, listings and paragraphs of a page, in order.

    >>> [type(part).__name__ for part in passages([Prose("Let", 1), Formula("x", 1, 6, False), Prose("be.", 1, 8)])]
    ['Passage']
    """
    pieces: list[Piece] = []
    mark = ""
    for fresh, item, part in _parts(blocks):
        if fresh:
            yield from _closed(pieces, mark)
            pieces, mark = [], item
        if isinstance(part, list):
            pieces += _joined(pieces, part)
        else:
            yield part
    yield from _closed(pieces, mark)


def _parts(blocks: Sequence[Block | Listing]) -> Iterator[tuple[bool, str, list[Piece] | Heading | Formula | Listing]]:
    """Yield what stands alone, and pieces: whether a paragraph begins with them, and its mark if it is an item."""
    latex = any(isinstance(block, Prose) and _WRITTEN_IN_LATEX.search(block.text) for block in blocks)
    end = 0  # the line at which the block before ends
    for block in blocks:
        if isinstance(block, Heading | Listing) or (isinstance(block, Formula) and block.display):
            yield True, "", block
        elif isinstance(block, Prose):
            for k, (words, new, item) in enumerate(_lines(_words(block.text, latex))):
                fresh = new if k else block.line - end > 1 or (bool(item) and block.line > end)
                dash = item if not (k or fresh) else ""  # a dash within a line
                yield fresh, item, _spans(f"{dash} {words}" if dash else words)
        else:
            yield block.line - end > 1, "", [block]
        end = block.line + _breaks(block)


def _closed(pieces: Sequence[Piece], mark: str) -> Iterator[Passage]:
    if any(not isinstance(piece, Text) or re.search(r"\w", piece.text) for piece in pieces):
        yield Passage(tuple(pieces), mark)


def _breaks(block: Block | Listing) -> int:
    text = block.latex if isinstance(block, Formula) else block.text
    closing = isinstance(block, Formula) and block.display and "\n" in block.latex
    return text.count("\n") + closing


def _words(text: str, latex: bool) -> str:
    """Return prose without commands, links and rules."""
    for pattern, by in _LATEX if latex else ():
        text = pattern.sub(by, text)
    return _RULE.sub("", _LINK.sub(r"\1", text))


def _lines(text: str) -> Iterator[tuple[str, bool, str]]:
    """Yield the parts of prose: the words, whether a paragraph begins with them, and the mark of an item."""
    for paragraph in _GAP.split(text):
        fresh = True
        kept: list[str] = []
        for line in paragraph.split("\n"):
            if item := _ITEM.match(line):
                if kept:
                    yield " ".join(kept), fresh, ""
                yield line[item.end() :].strip(), True, item["mark"]
                kept, fresh = [], False
            elif line.strip():
                kept.append(line.strip())
        if kept:
            yield " ".join(kept), fresh, ""


def _spans(words: str) -> list[Piece]:
    found: list[Piece] = []
    at = 0
    for match in _SPAN.finditer(words):
        found += [Text(words[at : match.start()])] if match.start() > at else []
        found.append(Strong(match["strong"]) if match["strong"] else Code(match["code"].strip()))
        at = match.end()
    return [*found, Text(words[at:])] if words[at:] else found


def _joined(before: Sequence[Piece], pieces: list[Piece]) -> list[Piece]:
    """Return pieces with the space that goes between them and those before: none inside brackets or before a comma."""
    if not before or not pieces:
        return pieces
    last, first = before[-1], pieces[0]
    opens = isinstance(last, Text) and last.text.endswith(_OPEN)
    closes = isinstance(first, Text) and first.text.startswith(_CLOSE) and not first.text.startswith(("- ", "– ", "/ "))
    return pieces if opens or closes else [Text(" "), *pieces]
