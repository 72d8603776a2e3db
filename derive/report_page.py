"""The verdicts of a page as one HTML file: the page's own text and formulas, each claim with its verdict beside it."""

from __future__ import annotations

import bisect
import re
from collections import defaultdict
from collections.abc import Iterable, Sequence
from pathlib import Path

from derive.claims.in_model import JudgedClaim, written
from derive.explain import mark_of, verdict_blocks
from derive.files import write_whole
from derive.markup.blocks import Broken, Formula, Heading
from derive.meaning.infer import compact
from derive.report import chains, convention, false_in, first_wrong, summary
from derive.sheet.compose import taken_for_granted
from derive.sheet.document import MARK_SIGNS, Code, Paragraph, Text
from derive.sheet.html import blocks_html, html_page, spans_html
from derive.sheet.layout import is_known
from derive.sheet.mathml import escape, to_mathml
from derive.sheet.prose import Flow, Listing, Piece, passages, with_code
from derive.sheet.reasons import MARKS, spans
from derive.sheet.report_css import REPORT_CSS
from derive.verify.judge import FALSE
from derive.version import VERSION
from derive.workbook import Workbook

_BETWEEN = re.compile(
    r"\\(?:begin|end|label|tag)\*?\{[^{}]*\}|\\(?:qquad|quad|nonumber|notag)\b|\\[\\,;:! ]|[\s.,;&]"
)
_AROUND = re.compile(
    r"\\(?:begin|end)\s*\{(?:equation|displaymath|math|align|gather|multline|eqnarray|split|aligned|gathered)\*?\}"
    r"|\\(?:label|tag)\*?\s*\{[^{}]*\}|\\(?:nonumber|notag)\b"
)  # what numbers and places a formula


def save_report(
    target: Path, source: str, claims: Sequence[JudgedClaim], assumed: Sequence[str] = (), book: Workbook | None = None
) -> Path:
    """Write the report of a check as one HTML file.

    Args:
        target: Where.
        source: What was checked, as its user names it.
        claims: Its claims, judged, in order.
        assumed: What macros were taken to mean.
        book: The page, whose own text is shown around the claims; without one the claims stand alone.
    """
    return write_whole(target, report_html(source, claims, assumed, book).encode())


def report_html(
    source: str, claims: Sequence[JudgedClaim], assumed: Sequence[str] = (), book: Workbook | None = None
) -> str:
    """Return the report of a check as a web page; see `save_report`."""
    report = _Report(claims)
    title, shown = Path(source).name, list[str]()
    if book is not None and book.is_page:
        title = book.title
        if book.wanted is None:  # of a page in part, the claims alone
            report.place(block for block in book.page.blocks if isinstance(block, Formula | Broken))
            parts = passages(with_code(book.page.blocks, book.text))
            shown = [report.part(part) for part in parts if not _is_title(part, title)]
    rest = report.cards([claim for claim in claims if id(claim) not in report.done])
    footer = f"<footer>Checked by derive {escape(VERSION)}.</footer>"
    return html_page(title, "\n".join(filter(None, [_head(source, claims, assumed), *shown, rest, footer])), REPORT_CSS)


def _is_title(part: Flow, title: str) -> bool:
    return isinstance(part, Heading) and part.text == title


# ---------------------------------------------------------------- the top
def _head(source: str, claims: Sequence[JudgedClaim], assumed: Sequence[str]) -> str:
    """Return how many claims hold, under which conventions, and which do not."""
    numbers = list(enumerate(claims, 1))
    tiles = []
    for word, count in summary(claims).items():
        if count:
            first = next(number for number, claim in numbers if claim.verdict.verdict == word)
            mark = MARKS[word]
            sign = f'<span class="sign">{MARK_SIGNS[mark]}</span>'
            tiles.append(f'<a class="tile {mark}" href="#claim-{first}">{sign}<b>{count}</b>{word}</a>')
    said = spans_html(spans(convention(claims, assumed))) if claims else "no claim was found"
    below = {id(claim) for chain in chains(claims) for claim in false_in(chain)[1:]}  # the first says it
    false = [pair for pair in numbers if pair[1].verdict.verdict in FALSE and id(pair[1]) not in below]
    wrong = "".join(_slip(number, claim) for number, claim in false)
    mend = f'<section class="mend"><h2>What does not hold</h2><ul>{wrong}</ul></section>' if wrong else ""
    source = f'<p class="source"><code>{escape(source)}</code>: {said}.</p>'
    return f'<div class="tiles">{"".join(tiles)}</div>\n{source}\n{mend}'


def _slip(number: int, claim: JudgedClaim) -> str:
    """Return a line that leads to a claim that is false: what is wrong in it, or why it is."""
    verdict = claim.verdict
    why = verdict.reason if verdict.diagnosis is None else verdict.diagnosis.text
    link = f'<a href="#claim-{number}">claim {number}, line {claim.place.line}</a>'
    return f'<li class="bad"><span class="sign">{MARK_SIGNS["bad"]}</span> {link}: {spans_html(spans(why))}</li>'


# ---------------------------------------------------------------- the page
class _Report:
    """The claims of a report by their formulas, and which of them have been shown."""

    def __init__(self, claims: Sequence[JudgedClaim]) -> None:
        self.claims = claims
        self.number = {id(claim): number for number, claim in enumerate(claims, 1)}
        self.said = first_wrong(claims)
        self.done: set[int] = set()
        self.by_formula: defaultdict[tuple[int, int], list[JudgedClaim]] = defaultdict(list)

    def place(self, formulas: Iterable[Formula | Broken]) -> None:
        """Find the formula in which each claim stands."""
        starts = sorted((formula.line, formula.column) for formula in formulas)
        for claim in self.claims:
            at = bisect.bisect_right(starts, (claim.place.line, claim.place.column))
            if at:
                self.by_formula[starts[at - 1]].append(claim)

    def part(self, part: Flow) -> str:
        """Return a part of the page, with the claims made in it."""
        if isinstance(part, Listing):
            return f"<pre><code>{'&#10;'.join(map(escape, part.text.splitlines()))}</code></pre>"
        if isinstance(part, Heading):
            level = min(part.level + 1, 4)
            return f"<h{level}>{escape(part.text)}</h{level}>"
        if isinstance(part, Formula):
            claims = self.by_formula[part.line, part.column]
            whole = "" if _covers(claims, part.latex) else f'<div class="shown">{_formula(part.latex, True)}</div>'
            return whole + self.cards(claims)
        made = [self.by_formula[p.line, p.column] for p in part.pieces if isinstance(p, Formula | Broken)]
        words = "".join(map(self._piece, part.pieces))
        bullet = f'<span class="bullet">{"•" if part.mark in "-*+•" else escape(part.mark)}</span>' if part.mark else ""
        opened = '<p class="item">' if part.mark else "<p>"
        return f"{opened}{bullet}{words}</p>{self.cards([claim for claims in made for claim in claims])}"

    def _piece(self, piece: Piece) -> str:
        if not isinstance(piece, Formula | Broken):
            return spans_html((piece,))
        shown = _formula(piece.latex) if isinstance(piece, Formula) else spans_html((Code(piece.text),))
        return shown + "".join(map(self._tag, self.by_formula[piece.line, piece.column]))

    def _tag(self, claim: JudgedClaim) -> str:
        mark, number = mark_of(claim), self.number[id(claim)]
        title = f'title="claim {number}: {claim.verdict.verdict}"'
        return f'<a class="tag {mark}" href="#claim-{number}" {title}>{MARK_SIGNS[mark]}{number}</a>'

    def cards(self, claims: Sequence[JudgedClaim]) -> str:
        """Return claims as cards that open; nothing where there are none."""
        self.done |= set(map(id, claims))
        return f'<div class="claims">{"".join(map(self._card, claims))}</div>' if claims else ""

    def _card(self, claim: JudgedClaim) -> str:
        mark, number, verdict = mark_of(claim), self.number[id(claim)], claim.verdict
        chained = self.said.get(id(claim), "")
        after = f'<p class="first-wrong">{MARK_SIGNS["bad"]} {escape(chained)}</p>' if chained else ""
        inside = blocks_html([
            Paragraph((Text(f"Claim {number}, line {claim.place.line}, column {claim.place.column}."),)),
            *verdict_blocks(claim), *taken_for_granted(verdict.assumptions),
        ])  # fmt: skip
        return (
            f'<details class="claim {mark}" id="claim-{number}"><summary>'
            f'<span class="verdict">{MARK_SIGNS[mark]} {verdict.verdict}</span>'
            f'<span class="formula">{_claimed(claim)}</span><a class="number" href="#claim-{number}">{number}</a>'
            f'</summary><div class="inside">{inside}</div></details>{after}'
        )


def _claimed(claim: JudgedClaim) -> str:
    """Return a claim as a formula; as its source where it was not understood."""
    if not claim.lhs:
        return spans_html((Code(" ".join(claim.latex.split())),))
    latex = written(claim)
    shown = to_mathml(latex if is_known(latex) else f"{compact(claim.lhs)} = {compact(claim.rhs)}")
    return shown.replace("<math>", '<math displaystyle="true">', 1)


def _formula(latex: str, display: bool = False) -> str:
    bare = _AROUND.sub("", latex).strip()
    if not is_known(bare):
        return spans_html((Code(" ".join(latex.split())),))
    rows = "&" in bare or r"\\" in bare
    return to_mathml(rf"\begin{{aligned}} {bare} \end{{aligned}}" if rows else bare, display=display)


def _covers(claims: Sequence[JudgedClaim], latex: str) -> bool:
    """Tell whether a formula says nothing but what its claims say, which are shown one by one."""
    started = all(any(c.place == claim.chain for c in claims) for claim in claims if claim.chain is not None)
    for claim in claims:
        latex = latex.replace(claim.latex, "")
    return bool(claims) and started and not _BETWEEN.sub("", latex)
