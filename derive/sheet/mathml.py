"""A layout as presentation MathML (Core); the spaces are TeX's, since browsers apply only some of them."""

from __future__ import annotations

import unicodedata
from typing import Final

from derive.sheet.layout import parse_math
from derive.sheet.symbols import SIDE_LIMITS, clean_text, styled
from derive.sheet.tree import (
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
    items_of,
    role_of,
)

_MARKS: Final = {
    "hat": "ˆ", "bar": "¯", "tilde": "˜", "dot": "˙", "ddot": "¨", "vec": "→", "check": "ˇ", "breve": "˘",
    "acute": "´", "grave": "`", "ring": "˚", "overline": "‾", "underline": "_",
}  # fmt: skip
_UPRIGHT: Final = "∇∞∅∀∃∄…⋯⋮⋱⊤⊥ℓℏ∠□■✓△"
_THIN: Final = '<mspace width="0.1667em"/>'


def to_mathml(latex: str, *, display: bool = False) -> str:
    r"""Print a formula as one `<math>` element that carries its LaTeX as an annotation.

    >>> to_mathml("x^2").partition("<annotation")[0]
    '<math><semantics><msup><mi>x</mi><mn>2</mn></msup>'
    """
    style = ' display="block"' if display else ""
    source = f'<annotation encoding="application/x-tex">{escape(latex)}</annotation>'
    return f"<math{style}><semantics>{show(parse_math(latex))}{source}</semantics></math>"


def escape(text: str) -> str:
    """Make text safe between tags and inside double quotes."""
    safe = clean_text(text).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return safe.replace('"', "&quot;").replace("'", "&#x27;")


def show(layout: Layout, small: bool = False) -> str:
    """One layout as one element; `small` marks script size, where TeX sets no space around signs."""
    match layout:
        case Symbol():
            return _symbol(layout, small)
        case Function(name, limits):
            return f'<mo {_NO_SPACE} movablelimits="true">{escape(name)}</mo>' if limits else _name(name)
        case Row(items):
            return f"<mrow>{_spaced(items, small)}</mrow>"
        case Scripts():
            return _scripts(layout, small)
        case Fraction():
            return _fraction(layout)
        case Root(body, None):
            return f"<msqrt>{show(body, small)}</msqrt>"
        case Root(body, degree) if degree is not None:
            return f"<mroot>{show(body, small)}{show(degree, True)}</mroot>"
        case Accent():
            return _accent(layout, small)
        case Brace(body, over):
            tag, sign = ("mover", "⏞") if over else ("munder", "⏟")
            return f'<{tag}>{show(body, small)}<mo stretchy="true">{sign}</mo></{tag}>'
        case Fenced(opening, body, closing, stretchy):
            return f"<mrow>{_fence(opening, 'prefix', stretchy)}{_inside(body, small)}" + (
                f"{_fence(closing, 'postfix', stretchy)}</mrow>"
            )
        case Grid():
            return _grid(layout)
        case Space(width):
            return f'<mspace width="{width:.4g}em"/>'
    raise AssertionError(layout)


_NO_SPACE: Final = 'lspace="0" rspace="0"'


def _inside(layout: Layout, small: bool) -> str:
    return _spaced(items_of(layout), small)


def _name(name: str) -> str:
    return f'<mi mathvariant="normal">{escape(name)}</mi>' if len(name) == 1 else f"<mi>{escape(name)}</mi>"


def _spaced(items: tuple[Layout, ...], small: bool) -> str:
    """Parts side by side, with a function's invisible application and the thin spaces around it."""
    shown: list[str] = []
    for i, item in enumerate(items):
        shown.append(show(item, small))
        after = items[i + 1] if i + 1 < len(items) else None
        if after is None or isinstance(item, Space) or isinstance(after, Space):
            continue
        if role_of(item) == "function":
            shown.append("<mo>&#x2061;</mo>")
        if _thin_between(item, after):
            shown.append(_THIN)
    return "".join(shown)


_OPERATORS: Final = {"function", "big"}
_ORDINARY: Final = {"identifier", "number", "ordinary", "text"}


def _thin_between(left: Layout, right: Layout) -> bool:
    """TeX's thin space: between an operator and what it stands next to, parentheses apart."""
    before, after = role_of(left), role_of(right)
    if before in _OPERATORS:
        opens = after == "open" or (isinstance(_base(right), Fenced | Grid) and before == "function")
        return not opens and (after in _ORDINARY or after in _OPERATORS)
    return after in _OPERATORS and (before in _ORDINARY or before == "close") and not _is_sign(left)


def _is_sign(layout: Layout) -> bool:
    return isinstance(layout, Symbol) and layout.text in "−+±∓¬/"


def _base(layout: Layout) -> Layout:
    return _base(layout.base) if isinstance(layout, Scripts) else layout


def _symbol(symbol: Symbol, small: bool) -> str:
    text = escape(styled(symbol.text, symbol.variant))
    match symbol.role:
        case "identifier":
            upright = len(symbol.text) == 1 and (symbol.variant == "roman" or "Α" <= symbol.text <= "Ω")
            return f'<mi mathvariant="normal">{text}</mi>' if upright else f"<mi>{text}</mi>"
        case "number":
            return f"<mn>{text}</mn>"
        case "text":
            return f"<mtext>{text.replace(' ', '&#xa0;')}</mtext>"
        case "big":
            limits = "" if symbol.text in SIDE_LIMITS else ' movablelimits="true"'
            return f'<mo {_NO_SPACE} largeop="true"{limits}>{text}</mo>'
        case "binary" | "relation":
            space = 0.0 if small else 0.2222 if symbol.role == "binary" else 0.2778
            return f'<mo form="infix" stretchy="false" lspace="{space:g}em" rspace="{space:g}em">{text}</mo>'
        case "punctuation":
            return f'<mo separator="true" lspace="0" rspace="{0 if small else 0.1667:g}em">{text}</mo>'
        case "ordinary" if symbol.text in _UPRIGHT:
            return f'<mi mathvariant="normal">{text}</mi>'
        case "ordinary" if symbol.text == "∂" or unicodedata.category(symbol.text[:1] or " ")[0] == "L":
            return f"<mi>{text}</mi>"
    form = {"open": ' form="prefix"', "close": ' form="postfix"'}.get(symbol.role, "")
    return f'<mo{form} stretchy="false" {_NO_SPACE}>{text}</mo>'


def _scripts(scripts: Scripts, small: bool) -> str:
    if scripts.sub is None and scripts.sup is not None and _is_primes(scripts.sup):
        # The prime is a raised sign already; browsers make it small and set it too high as a script.
        return f"<mrow>{show(scripts.base, small)}{show(scripts.sup, small)}</mrow>"
    low, high = ("under", "over") if scripts.limits else ("sub", "sup")
    parts = [(low, scripts.sub), (high, scripts.sup)]
    tag = "m" + "".join(side for side, part in parts if part is not None)
    small_parts = "".join(show(part, True) for _, part in parts if part is not None)
    return f"<{tag}>{_script_base(scripts.base, small)}{small_parts}</{tag}>"


def _is_primes(layout: Layout) -> bool:
    return all(isinstance(item, Symbol) and item.text == "′" for item in items_of(layout))


def _script_base(base: Layout, small: bool) -> str:
    """A group in plain parentheses counts as high as they are: the T of (W^[2])^T stays level, as in TeX."""
    shown = show(base, small)
    plain = isinstance(base, Fenced) and not base.stretchy
    return f'<mpadded height="0.75em" depth="0.2em">{shown}</mpadded>' if plain else shown


def _fraction(fraction: Fraction) -> str:
    line = "" if fraction.line else ' linethickness="0"'
    shown = f"<mfrac{line}>{show(fraction.numerator)}{show(fraction.denominator)}</mfrac>"
    if not fraction.style:
        return shown
    return f'<mstyle displaystyle="{"true" if fraction.style == "display" else "false"}">{shown}</mstyle>'


def _accent(accent: Accent, small: bool) -> str:
    line = accent.mark in {"overline", "underline"}
    look = 'stretchy="true"' if line else f'stretchy="false" class="accent {accent.mark}"'
    mark = f"<mo {look} {_NO_SPACE}>{_MARKS[accent.mark]}</mo>"
    tag = "munder" if accent.mark == "underline" else "mover"
    return f'<{tag} accent{"under" * (tag == "munder")}="true">{show(accent.body, small)}{mark}</{tag}>'


def _fence(delimiter: str, form: str, stretchy: bool) -> str:
    if not delimiter:
        return ""
    stretch = "true" if stretchy else "false"
    return f'<mo form="{form}" stretchy="{stretch}" {_NO_SPACE}>{escape(delimiter)}</mo>'


def _grid(grid: Grid) -> str:
    rows = "".join(f"<mtr>{_cells(grid, row)}</mtr>" for row in grid.rows)
    style = ' displaystyle="true"' if grid.kind == "aligned" else ""
    table = f'<mtable class="{grid.kind}"{style}>{rows}</mtable>'
    return (
        f"<mrow>{_fence(grid.opening, 'prefix', True)}{table}{_fence(grid.closing, 'postfix', True)}</mrow>"
    )


def _cells(grid: Grid, row: tuple[Layout, ...]) -> str:
    sides = {"cases": ("left",), "matrix": ("center",), "aligned": ("right", "left")}[grid.kind]
    return "".join(_cell(show(cell), sides[i % len(sides)]) for i, cell in enumerate(row))


def _cell(shown: str, side: str) -> str:
    style = "" if side == "center" else f' style="text-align: {side}; text-align: -webkit-{side}"'
    return f"<mtd{style}>{shown}</mtd>"
