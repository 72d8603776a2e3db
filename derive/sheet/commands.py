"""LaTeX's commands, one handler each; a handler has its command's name and reads its own arguments."""

from __future__ import annotations

import re
import unicodedata
from typing import Final, Literal

from derive.sheet import symbols
from derive.sheet.reader import DELIMITERS, MAX_DEPTH, OPENERS, SIZES, Handler, Reader
from derive.sheet.tree import (
    EMPTY,
    Accent,
    Brace,
    Fenced,
    Fraction,
    Function,
    Grid,
    Layout,
    Root,
    Row,
    Scripts,
    Space,
    Symbol,
    row_of,
)  # fmt: skip

_MATRICES: Final = {
    "matrix": ("", ""), "smallmatrix": ("", ""), "array": ("", ""), "pmatrix": ("(", ")"),
    "bmatrix": ("[", "]"), "Bmatrix": ("{", "}"), "vmatrix": ("|", "|"), "Vmatrix": ("‖", "‖"),
}  # fmt: skip
_CASES: Final = {"cases": ("{", ""), "dcases": ("{", ""), "rcases": ("", "}")}
_IN_FORMULA: Final = frozenset({*_MATRICES, "cases", "aligned", "split", "gathered", "alignedat"})
_ARROWS: Final = {"xrightarrow": "→", "xleftarrow": "←", "stackrel": "", "overset": "", "underset": ""}
_STYLES: Final[dict[str, Literal["display", "text"]]] = {
    "dfrac": "display",
    "cfrac": "display",
    "tfrac": "text",
}
_NEGATED: Final = {r"\in": "∉", r"\exists": "∄", "=": "≠"}


# What may go to LaTeX unread: no command but an escaped sign, so nothing that could open a file.
_SAFE_PROSE: Final = re.compile(r"(?:[\w .,;:!?()/'=+*|<>\[\]-]|\\[ ,;%_&#])*", re.ASCII)
_COLOURS: Final = frozenset({"red", "green", "blue", "cyan", "magenta", "yellow", "black", "gray",
    "white", "orange",
                             "purple", "brown", "teal", "violet"})  # fmt: skip


def unseen(reader: Reader, name: str) -> None:
    """A command that sets no sign of its own: a style, a rule, a line number."""
    reader.plain &= name not in {"hline", "limits", "nolimits"}  # these need a place; here they have none


def space(_reader: Reader, name: str) -> Layout:
    """An explicit space."""
    return Space(symbols.SPACES[name])


def accent(reader: Reader, name: str) -> Layout:
    """A mark over or under its argument."""
    return Accent(reader.argument(), symbols.ACCENTS[name])


def alphabet(reader: Reader, name: str) -> Layout:
    r"""`\\mathbf{x}` takes an argument; the old `\\bf` lasts until its group ends."""
    before, reader.variant = reader.variant, symbols.VARIANTS[name]
    if name in {"bf", "rm", "cal"}:
        reader.plain = False  # some document classes refuse these
        return EMPTY
    body = reader.argument()
    reader.variant = before
    reader.plain &= name not in {"mathds", "mathbbm", "bm", "mathscr"}  # these need packages
    return body


def text(reader: Reader, _name: str) -> Layout:
    """Prose, in which dollars may enclose a formula."""
    source = reader.raw_argument()
    reader.plain &= _SAFE_PROSE.fullmatch(source) is not None
    parts = source.split("$")
    shown = [_nested(reader, part) if i % 2 else Symbol(_prose(part), "text") for i, part in enumerate(parts)]
    return row_of(*(part for part in shown if part != Symbol("", "text")))


def _nested(reader: Reader, source: str) -> Layout:
    if reader.depth >= MAX_DEPTH:
        return Symbol(source, "text")
    inner = Reader(source, reader.commands)
    inner.depth = reader.depth + 1
    return inner.formula()


def _prose(source: str) -> str:
    r"""What a reader of `\\text{...}` sees: escapes resolved, braces gone, other commands by their name."""
    spaced = re.sub(r"\\[,;:> ]|~|\\q?quad\b", " ", source)
    return re.sub(r"[{}]", "", re.sub(r"\\([^A-Za-z]|[A-Za-z]+ ?)", r"\1", spaced))


def dropped(reader: Reader, name: str) -> Layout | None:
    """Colours, labels and the like: their first argument is not part of the formula."""
    reader.plain &= reader.raw_argument() in _COLOURS and name in {"color", "textcolor"}
    return None


def operatorname(reader: Reader, _name: str) -> Layout:
    """A function by any name; the star sets its scripts below and above."""
    star = reader.took("*")
    source = reader.raw_argument()
    reader.plain &= re.fullmatch(r"(\w|\\,|-|\*| )*", source) is not None
    return Function(_prose(source).strip(), star)


def mathop(reader: Reader, _name: str) -> Layout:
    """A word made an operator by hand."""
    body = reader.argument()
    return Function(body.text, True) if isinstance(body, Symbol) and body.role != "big" else body


def function(_reader: Reader, name: str) -> Layout:
    """A function known by its name alone."""
    return Function(re.sub("^arg(?=max|min)", "arg ", name), name in symbols.LIMIT_FUNCTIONS)


def fraction(reader: Reader, name: str) -> Layout:
    """A quotient; `d` and `t` in front ask for display and text size."""
    above, below = reader.argument(), reader.argument()
    return Fraction(above, below, _STYLES.get(name, ""))


def binomial(reader: Reader, _name: str) -> Layout:
    """n over k, in parentheses."""
    return Fenced("(", Fraction(reader.argument(), reader.argument(), line=False), ")", True)


def root(reader: Reader, _name: str) -> Layout:
    """A root, with its degree if one is given."""
    degree: Layout | None = None
    if reader.took("["):
        degree = reader.row(frozenset({"]", "}"}))
        reader.expect("]")
    return Root(reader.argument(), degree)


def left(reader: Reader, _name: str) -> Layout:
    r"""`\\left( ... \\right)`; a missing `\\right` closes with nothing."""
    opening = _delimiter(reader)
    body = reader.row()
    if reader.took(r"\right"):
        return Fenced(opening, body, _delimiter(reader), True)
    reader.plain = False
    return Fenced(opening, body, "", True)


def _delimiter(reader: Reader) -> str:
    if reader.peek() in DELIMITERS:
        return DELIMITERS[reader.take()]
    reader.plain = False
    return ""


def right(reader: Reader, name: str) -> Layout:
    r"""A `\\right` or `\\middle` by itself shows its delimiter."""
    reader.plain = False
    return Symbol(_delimiter(reader), "relation" if name == "middle" else "close")


def sized(reader: Reader, _name: str) -> Layout | None:
    r"""`\\big(`: a fence as large as its content; before anything else the size is ignored."""
    if reader.peek() in OPENERS:
        return reader.fence(reader.take(), stretchy=True)
    reader.plain &= reader.peek() in DELIMITERS
    return None


def begin(reader: Reader, _name: str) -> Layout:
    """An environment of cells: cases, a matrix, aligned lines."""
    name = reader.raw_argument()
    reader.plain &= name in _IN_FORMULA
    if name in {"array", "alignedat", "alignat"}:
        reader.plain &= re.fullmatch("[clr|]+|[0-9]+", reader.raw_argument()) is not None
    rows = reader.cells(frozenset({"}", r"\right", r"\end"}))
    if reader.took(r"\end"):
        reader.plain &= reader.raw_argument() == name
    else:
        reader.plain = False
    bare = name.rstrip("*")
    if bare in _CASES:
        return Grid("cases", rows, *_CASES[bare])
    if bare in _MATRICES:
        return Grid("matrix", rows, *_MATRICES[bare])
    return rows[0][0] if len(rows) == len(rows[0]) == 1 else Grid("aligned", rows)


def end(reader: Reader, _name: str) -> None:
    r"""An `\\end` that nothing began."""
    reader.raw_argument()
    reader.plain = False


def substack(reader: Reader, _name: str) -> Layout:
    """Lines under a sum."""
    reader.expect("{")
    rows = reader.cells(frozenset({"}"}))
    reader.expect("}")
    return Grid("matrix", rows)


def stacked(reader: Reader, name: str) -> Layout:
    """One part over or under another."""
    small = reader.argument()
    if _ARROWS[name]:
        return Scripts(Symbol(_ARROWS[name], "relation"), None, small, True)
    base = reader.argument()
    return Scripts(base, small, None, True) if name == "underset" else Scripts(base, None, small, True)


def brace(reader: Reader, name: str) -> Layout:
    """A horizontal brace; its label follows as a script."""
    return Brace(reader.argument(), over=name == "overbrace")


def negated(reader: Reader, _name: str) -> Layout:
    r"""`\\not` strikes the next sign through."""
    token = reader.peek()
    sign = reader.argument()
    if not isinstance(sign, Symbol):
        return row_of(Symbol("¬", "ordinary"), sign)
    struck = _NEGATED.get(token, unicodedata.normalize("NFC", sign.text + "\u0338"))
    return Symbol(struck, sign.role)


def modulo(reader: Reader, name: str) -> Layout:
    """The remainder, as an operation or in parentheses after it."""
    if name == "bmod":
        return Symbol("mod", "binary")
    inner = Row((Function("mod"), reader.argument()))
    return Row((Space(1.0), Fenced("(", inner, ")", False) if name == "pmod" else inner))


def boxed(reader: Reader, name: str) -> Layout:
    """The content of a box; the frame is not drawn."""
    reader.plain &= name not in {"fbox", "ensuremath"}
    return reader.argument()


def _named(handler: Handler, names: str) -> dict[str, Handler]:
    return dict.fromkeys(names.split(), handler)


COMMANDS: Final[dict[str, Handler]] = {
    **_named(
        unseen,
        "displaystyle textstyle scriptstyle scriptscriptstyle nonumber notag hline "
        "limits nolimits relax mathstrut "
        "strut allowbreak /",
    ),
    **dict.fromkeys(symbols.SPACES, space),
    **dict.fromkeys(symbols.ACCENTS, accent),
    **dict.fromkeys(symbols.VARIANTS, alphabet),
    **_named(text, "text textrm textbf textit textsf texttt mbox hbox textnormal textup"),
    **_named(
        dropped,
        "color label tag textcolor mathcolor colorbox hspace vspace phantom vphantom "
        "hphantom href class cssId style",
    ),
    **dict.fromkeys(symbols.FUNCTIONS, function),
    **_named(operatorname, "operatorname"),
    **_named(mathop, "mathop"),
    **_named(fraction, "frac dfrac tfrac cfrac"),
    **_named(binomial, "binom dbinom tbinom"),
    **_named(root, "sqrt"),
    **_named(left, "left"),
    **_named(right, "right middle"),
    **{size[1:]: sized for size in SIZES},
    **_named(begin, "begin"),
    **_named(end, "end"),
    **_named(substack, "substack"),
    **dict.fromkeys(_ARROWS, stacked),
    **_named(brace, "underbrace overbrace"),
    **_named(negated, "not"),
    **_named(modulo, "bmod mod pmod"),
    **_named(boxed, "boxed fbox mathbin mathrel mathord mathopen mathclose mathpunct mathinner ensuremath"),
}
