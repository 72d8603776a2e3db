r"""One scanner for each markup: where are headings, formulas and code; the rest is prose.

A scanner is a list of openings, each with the function that takes what it opens. Nothing here reads
mathematics or expands macros.
"""

from __future__ import annotations

import html
import re
from collections.abc import Callable, Mapping
from typing import TypeAlias

from derive.read.blocks import Builder

# A taker gets the builder and the opening, and gives the place where the scan goes on.
Taker: TypeAlias = Callable[[Builder, re.Match[str]], int]

_MATH = r"(?:equation|align|alignat|gather|eqnarray|multline|split|displaymath|math|flalign)"
_LEVELS = {"part": 1, "chapter": 1, "section": 1, "subsection": 2, "subsubsection": 3, "paragraph": 4}


def scan(builder: Builder, openings: Mapping[str, Taker], start: int = 0) -> None:
    """Go through the text once; at each opening, its taker decides."""
    groups = "|".join(f"(?P<taker{index}>{pattern})" for index, pattern in enumerate(openings))
    opening = re.compile(groups, re.MULTILINE)
    takers = {f"taker{index}": taker for index, taker in enumerate(openings.values())}
    at = start
    while match := opening.search(builder.text, at):
        at = max(takers[str(match.lastgroup)](builder, match), match.start() + 1)


def _between(closing: str, display: bool | None, paragraph: bool = False) -> Taker:
    """Take a formula up to a closing; `display` None means: when it stands alone on its lines."""

    def take(builder: Builder, match: re.Match[str]) -> int:
        close = builder.find(closing, match.end())
        if close is None or (paragraph and close.start() > builder.paragraph_end(match.end())):
            return match.end()
        alone = builder.alone(match.start(), close.end()) if display is None else display
        builder.formula((match.start(), close.end()), (match.end(), close.start()), alone)
        return close.end()

    return take


def _dollar(builder: Builder, match: re.Match[str]) -> int:
    """Take `$x$`; `$5 and $6` is money: a space stands before the second sign."""
    close = builder.find(r"(?<!\\)\$", match.end())
    if close is None or close.start() > builder.paragraph_end(match.end()):
        return match.end()
    inner = builder.text[match.end() : close.start()]
    after = builder.text[close.end() : close.end() + 1]
    if not inner or inner[0].isspace() or inner[-1].isspace() or after.isdigit():
        return match.end()
    builder.formula((match.start(), close.end()), (match.end(), close.start()), False)
    return close.end()


def _environment(builder: Builder, match: re.Match[str]) -> int:
    name = re.escape(re.sub(r"^\\begin\s*\{|\}$", "", match[0]))
    close = builder.find(rf"\\end\s*\{{{name}\}}", match.end())
    if close is None:
        return match.end()
    # the environment stays in the formula: its rows and its & have a meaning
    builder.formula((match.start(), close.end()), (match.start(), close.end()), True)
    return close.end()


def _skip(closing: str | None, to_end: bool = False) -> Taker:
    """Leave out all up to a closing; with none, the opening alone or the rest of the page."""

    def take(builder: Builder, match: re.Match[str]) -> int:
        close = builder.find(closing, match.end()) if closing else match
        end = close.end() if close else len(builder.text) if to_end else match.end()
        if close or to_end:
            builder.skip(match.start(), end)
        return end

    return take


def _pass_over(_builder: Builder, match: re.Match[str]) -> int:
    return match.end()


# In this order: what is escaped is no opening.
_DELIMITERS: dict[str, Taker] = {
    rf"\\begin\s*\{{{_MATH}\*?\}}": _environment,
    r"\\\\\[(?!\d*(?:pt|em|ex))": _between(r"\\\\\]", True),
    r"\\\\\(": _between(r"\\\\\)", False, paragraph=True),
    r"(?<!\\)\\\[": _between(r"\\\]", True),
    r"(?<!\\)\\\(": _between(r"\\\)", False, paragraph=True),
    r"\\\$": _pass_over,
    r"\$\$": _between(r"\$\$", None, paragraph=True),
    r"\$": _dollar,
}


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


def _underlined(builder: Builder, match: re.Match[str]) -> int:
    builder.heading(1 if match["rule"][0] == "=" else 2, match["over"], match.start("over"), match.end())
    return match.end()


def markdown(builder: Builder) -> None:
    """Scan Markdown, with the mathematics of Jekyll, GitHub and GitLab."""
    front = re.compile(r"\ufeff?---[ \t\r]*\n(?:[^\n]*\n){0,200}?(?:---|\.\.\.)[ \t\r]*\n").match(builder.text)
    if front:
        builder.skip(0, front.end())
    openings: dict[str, Taker] = {
        r"^[ \t>]*(?:[-*+][ \t]+)?(?P<fence>`{3,}|~{3,})(?P<language>[^`\n]*)$": _fence,
        r"<!--": _skip("-->"),
        r"<(?:script|style)\b": _skip(r"</(?:script|style)\s*>"),
        r"^ {0,3}(?P<hashes>#{1,6})[ \t]+(?P<title>[^\n]+)$": _hashes,
        r"(?:\A|(?<=\n\n))(?P<over>[^\s#>|$`-][^\n|]{0,200})\n(?P<rule>={2,}|-{3,})[ \t\r]*$": _underlined,
        r"\$`": _between(r"`\$", False, paragraph=True),
        r"`+": _inline_code,
        **_DELIMITERS,
    }
    scan(builder, openings, front.end() if front else 0)


# -------------------------------------------------------------------- LaTeX


def _section(builder: Builder, match: re.Match[str]) -> int:
    builder.heading(_LEVELS[match["level"]], match["title"], match.start(), match.end())
    return match.end()


def latex(builder: Builder) -> None:
    """Scan a LaTeX document; what stands before `\\begin{document}` is left out."""
    begin = builder.find(r"\\begin\s*\{document\}", 0)
    if begin:
        builder.skip(0, begin.end())
    openings: dict[str, Taker] = {
        r"\\[\\%]": _pass_over,
        r"%[^\n]*": _skip(None),
        r"\\begin\s*\{(?:verbatim|lstlisting|minted|comment|tikzpicture)\*?\}": _skip(
            r"\\end\s*\{(?:verbatim|lstlisting|minted|comment|tikzpicture)\*?\}"
        ),
        r"\\end\s*\{document\}": _skip(None),
        r"\\(?P<level>part|chapter|(?:sub){0,2}section|paragraph)\*?\s*"
        r"\{(?P<title>(?:[^{}\n]|\{[^{}\n]*\})*)\}": _section,
        **_DELIMITERS,
        r"\$": _between(r"(?<!\\)\$", False, paragraph=True),
    }
    del openings[r"\\\\\[(?!\d*(?:pt|em|ex))"], openings[r"\\\\\("]
    scan(builder, openings, begin.end() if begin else 0)


# -------------------------------------------------------------------- reStructuredText


def _indented_end(builder: Builder, at: int, indent: int) -> int:
    """Give where the block ends that is indented deeper than `indent`."""
    dedent = builder.find(rf"^ {{0,{indent}}}[^ \n\r]", at)
    return dedent.start() if dedent else len(builder.text)


def _directive(builder: Builder, match: re.Match[str]) -> int:
    end = _indented_end(builder, match.end(), len(match["indent"]))
    if match["directive"] != "math":
        builder.skip(match.start(), end)
        return end
    start = match.end()
    while option := re.compile(r"\s*:\w+:[^\n]*").match(builder.text, start, end):
        start = option.end()
    builder.formula((match.start(), end), (start, end), True)
    return end


def rst(builder: Builder) -> None:
    """Scan reStructuredText."""
    openings: dict[str, Taker] = {
        r"^(?P<indent> *)\.\. (?P<directive>math|code|code-block|sourcecode|raw|plot|doctest)::": _directive,
        r"^(?P<over>[^\s.:$`][^\n]{0,200})\n(?P<rule>={3,}|-{3,}|~{3,}|\^{3,}|\*{3,})[ \t\r]*$": _underlined,
        r":math:`": _between("`", False, paragraph=True),
        r"``": _skip("``"),
        **_DELIMITERS,
    }
    scan(builder, openings)


# -------------------------------------------------------------------- HTML and plain text


def _tag_heading(builder: Builder, match: re.Match[str]) -> int:
    close = builder.find(rf"(?i)</h{match['rank']}\s*>", match.end())
    if close is None or close.start() - match.end() > 1_000:
        return match.end()
    builder.heading(int(match["rank"]), builder.text[match.end() : close.start()], match.start(), close.end())
    return close.end()


def _math_script(builder: Builder, match: re.Match[str]) -> int:
    return _between(r"(?i)</script\s*>", "display" in match[0])(builder, match)


def html_page(builder: Builder) -> None:
    """Scan HTML, with the delimiters and the scripts of MathJax and KaTeX."""
    openings: dict[str, Taker] = {
        r"<!--": _skip("-->"),
        r"(?i:<script\b[^<>]*math/tex[^<>]*>)": _math_script,
        r"(?i:<(?:script)\b)": _skip(r"(?i)</script\s*>"),
        r"(?i:<(?:style)\b)": _skip(r"(?i)</style\s*>"),
        r"(?i:<(?:pre)\b)": _skip(r"(?i)</pre\s*>"),
        r"(?i:<(?:code)\b)": _skip(r"(?i)</code\s*>"),
        r"(?i:<annotation\b[^<>]*x-tex[^<>]*>)": _between(r"(?i)</annotation\s*>", False),
        r"(?i:<h(?P<rank>[1-6])\b[^<>]*>)": _tag_heading,
        r"<[^<>$]*>": _pass_over,
        **_DELIMITERS,
    }
    scan(builder, openings)


def plain_html(text: str) -> str:
    """Give the words of a piece of HTML."""
    return html.unescape(re.sub(r"<[^<>]*>", " ", text))


def latex_in_html(text: str) -> str:
    """Give the LaTeX of a formula in HTML: tags dropped, entities resolved."""
    return html.unescape(re.sub(r"</?[A-Za-z][^<>]*>", " ", text))


def latex_uncommented(text: str) -> str:
    """Drop the comments of a formula in LaTeX."""
    return re.sub(r"(?<!\\)%[^\n]*", "", text)


def _lone_line(builder: Builder, match: re.Match[str]) -> int:
    if re.search(r"[A-Za-z]", match["lone"]):
        builder.heading(1, match["lone"], match.start("lone"), match.end("lone"))
    return match.end("lone")


def plain_text(builder: Builder) -> None:
    """Scan plain text: a short line alone, not indented and without a full stop, is a heading."""
    openings: dict[str, Taker] = {
        r"(?:\A|(?<=\n\n))(?P<lone>[^\s$][^\n$]{0,68}[^\s.,:;!?$)\]*])"
        r"[ \t]*(?=\n[ \t]*(?:\n|\Z))": _lone_line,
        **_DELIMITERS,
    }
    scan(builder, openings)
