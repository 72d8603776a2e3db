r"""One scanner for each markup: where are headings, formulas and code; the rest is prose.

A scanner is a list of openings, each with the function that takes what it opens. Nothing here reads
mathematics or expands macros.
"""

from __future__ import annotations

import html
import re

from derive.markup.blocks import Builder
from derive.markup.delimiters import DELIMITERS, Taker, between, is_mathematics, pass_over, scan, skip
from derive.markup.traced import Traced

_LEVELS = {"part": 1, "chapter": 1, "section": 1, "subsection": 2, "subsubsection": 3, "paragraph": 4}


# -------------------------------------------------------------------- Markdown


def _fence(builder: Builder, match: re.Match[str]) -> int:
    mark = match["fence"]
    close = builder.find(rf"^[ \t>]*{mark[0]}{{{len(mark)},}}[ \t\r]*$", match.end())
    inner_end, end = (close.start(), close.end()) if close else (len(builder.text), len(builder.text))
    if match["language"].strip().lower() == "math":
        builder.formula((match.start(), end), (match.end(), inner_end), True)
    else:
        builder.skip(match.start(), end)
    return end


def _inline_code(builder: Builder, match: re.Match[str]) -> int:
    close = builder.find(re.escape(match[0]), match.end())
    if close is None or close.start() > builder.paragraph_end(match.end()):
        return match.end()
    builder.skip(match.start(), close.end())
    return close.end()


def _hashes(builder: Builder, match: re.Match[str]) -> int:
    text = re.sub(r"\s*(?:#+|\{[#:.][^{}]*\})\s*$", "", match["title"])
    builder.heading(len(match["hashes"]), text, match.start(), match.end())
    return match.end()


def underlined(builder: Builder, match: re.Match[str]) -> int:
    """Take a heading with a rule below it."""
    builder.heading(1 if match["rule"][0] == "=" else 2, match["over"], match.start("over"), match.end())
    return match.end()


def markdown(builder: Builder) -> None:
    """Scan Markdown, with the mathematics of Jekyll, GitHub and GitLab."""
    front = re.compile(r"\ufeff?---[ \t\r]*\n(?:[^\n]*\n){0,200}?(?:---|\.\.\.)[ \t\r]*\n").match(builder.text)
    if front:
        builder.skip(0, front.end())
    openings: dict[str, Taker] = {
        r"^[ \t>]*(?:[-*+][ \t]+)?(?P<fence>`{3,}|~{3,})(?P<language>[^`\n]*)$": _fence,
        r"<!--": skip("-->"),
        r"<(?:script|style)\b": skip(r"</(?:script|style)\s*>"),
        r"^ {0,3}(?P<hashes>#{1,6})[ \t]+(?P<title>[^\n]+)$": _hashes,
        r"(?:\A|(?<=\n\n))(?P<over>[^\s#>|$`-][^\n|]{0,200})\n(?P<rule>={2,}|-{3,})[ \t\r]*$": underlined,
        r"\$`": between(r"`\$", False, paragraph=True),
        r"`+": _inline_code,
        **DELIMITERS,
    }
    scan(builder, openings, front.end() if front else 0)


# -------------------------------------------------------------------- LaTeX


def _section(builder: Builder, match: re.Match[str]) -> int:
    builder.heading(_LEVELS[match["level"]], match["title"], match.start(), match.end())
    return match.end()


# Short names that papers give to the two ends of a displayed formula.
_PAIRS = (("beq", "eeq"), ("bea", "eea"), ("be", "ee"), ("ba", "ea"), ("beqn", "eeqn"), ("beqa", "eeqa"))
_MOST_WRAPPED = 4_000


def _wrapped(builder: Builder, match: re.Match[str]) -> int:
    r"""Take `\aln{ … }` over several lines, a wrapper of the paper's own around `align`."""
    start = match.end()
    depth = 1
    for brace in re.compile(r"\\.|[{}]", re.DOTALL).finditer(builder.text, start, start + _MOST_WRAPPED):
        depth += {"{": 1, "}": -1}.get(brace[0], 0)
        if depth == 0:
            inner = builder.text[start : brace.start()]
            if re.search(r"=|&", inner) and re.search(r"\\[A-Za-z]|[_^]", inner) and is_mathematics(inner):
                builder.formula((match.start(), brace.end()), (start, brace.start()), True)
                return brace.end()
            break
    return start


def latex(builder: Builder) -> None:
    """Scan a LaTeX document; what stands before `\\begin{document}` is left out."""
    begin = builder.find(r"\\begin\s*\{document\}", 0)
    if begin:
        builder.skip(0, begin.end())
    openings: dict[str, Taker] = {
        r"\\[\\%]": pass_over,
        r"%[^\n]*": skip(None),
        r"\\begin\s*\{(?:verbatim|lstlisting|minted|comment|tikzpicture)\*?\}": skip(
            r"\\end\s*\{(?:verbatim|lstlisting|minted|comment|tikzpicture)\*?\}"
        ),
        r"\\end\s*\{document\}": skip(None),
        r"\\(?P<level>part|chapter|(?:sub){0,2}section|paragraph)\*?\s*"
        r"\{(?P<title>(?:[^{}\n]|\{[^{}\n]*\})*)\}": _section,
        **DELIMITERS,
        r"\$": between(r"(?<!\\)\$", False, paragraph=True),
        r"^[ \t]*\\(?P<wrapper>[A-Za-z]+)[ \t]*\{[ \t]*$": _wrapped,
    }
    openings |= {rf"\\{opening}(?![A-Za-z])": between(rf"\\{closing}(?![A-Za-z])", True) for opening, closing in _PAIRS}
    del openings[r"\\\\\[(?!\d*(?:pt|em|ex))"], openings[r"\\\\\("]
    scan(builder, openings, begin.end() if begin else 0)


# -------------------------------------------------------------------- HTML and plain text


def _tag_heading(builder: Builder, match: re.Match[str]) -> int:
    close = builder.find(rf"(?i)</h{match['rank']}\s*>", match.end())
    if close is None or close.start() - match.end() > 1_000:
        return match.end()
    builder.heading(int(match["rank"]), builder.text[match.end() : close.start()], match.start(), close.end())
    return close.end()


def _math_script(builder: Builder, match: re.Match[str]) -> int:
    return between(r"(?i)</script\s*>", "display" in match[0])(builder, match)


def html_page(builder: Builder) -> None:
    """Scan HTML, with the delimiters and the scripts of MathJax and KaTeX."""
    openings: dict[str, Taker] = {
        r"<!--": skip("-->"),
        r"(?i:<script\b[^<>]*math/tex[^<>]*>)": _math_script,
        r"(?i:<(?:script)\b)": skip(r"(?i)</script\s*>"),
        r"(?i:<(?:style)\b)": skip(r"(?i)</style\s*>"),
        r"(?i:<(?:pre)\b)": skip(r"(?i)</pre\s*>"),
        r"(?i:<(?:code)\b)": skip(r"(?i)</code\s*>"),
        r"(?i:<annotation\b[^<>]*x-tex[^<>]*>)": between(r"(?i)</annotation\s*>", False),
        r"(?i:<h(?P<rank>[1-6])\b[^<>]*>)": _tag_heading,
        r"<[^<>$]*>": pass_over,
        **DELIMITERS,
    }
    scan(builder, openings)


def plain_html(text: str) -> str:
    """Give the words of a piece of HTML."""
    return html.unescape(re.sub(r"<[^<>]*>", " ", text))


def latex_in_html(formula: Traced) -> Traced:
    """Give the LaTeX of a formula in HTML: tags dropped, entities resolved."""
    return formula.sub(r"</?[A-Za-z][^<>]*>", " ").sub(r"&#?\w{1,12};", lambda match: html.unescape(match[0]))


def latex_unquoted(formula: Traced) -> Traced:
    """Drop the signs that the lines of a quotation begin with."""
    rest = formula.text.split("\n")[1:]
    quoted = all(re.match(r"[ \t]*>", line) for line in rest) and rest and re.fullmatch(r"[ \t]*>[ \t]*", rest[-1])
    return formula.sub(r"\n[ \t]*>", "\n") if quoted else formula  # the last line begins what closes the formula


def latex_uncommented(formula: Traced) -> Traced:
    """Drop the comments of a formula in LaTeX."""
    return formula.sub(r"(?<!\\)%[^\n]*\n?[ \t]*", " ")  # TeX passes over the end of the line too


def _lone_line(builder: Builder, match: re.Match[str]) -> int:
    if re.search(r"[A-Za-z]", match["lone"]):
        builder.heading(1, match["lone"], match.start("lone"), match.end("lone"))
    return match.end("lone")


def plain_text(builder: Builder) -> None:
    """Scan plain text: a short line alone, not indented and without a full stop, is a heading."""
    openings: dict[str, Taker] = {
        r"(?:\A|(?<=\n\n))(?P<lone>[^\s$][^\n$]{0,68}[^\s.,:;!?$)\]*])"
        r"[ \t]*(?=\n[ \t]*(?:\n|\Z))": _lone_line,
        **DELIMITERS,
    }
    scan(builder, openings)
