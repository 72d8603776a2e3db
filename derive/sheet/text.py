"""A layout as one line of readable Unicode text."""

from __future__ import annotations

import re
import unicodedata
from typing import Final

from derive.sheet.layout import parse_math
from derive.sheet.symbols import clean_text, styled
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
    "hat": "\u0302", "bar": "\u0304", "tilde": "\u0303", "dot": "\u0307", "ddot": "\u0308", "vec": "\u20d7",
    "check": "\u030c", "breve": "\u0306", "acute": "\u0301", "grave": "\u0300", "ring": "\u030a",
    "overline": "\u0304", "underline": "\u0332",
}  # fmt: skip
_ABOVE: Final = dict(zip("0123456789+−()Tn⊤∗", "⁰¹²³⁴⁵⁶⁷⁸⁹⁺⁻⁽⁾ᵀⁿᵀ*", strict=True))
_BELOW: Final = dict(zip("0123456789+−", "₀₁₂₃₄₅₆₇₈₉₊₋", strict=True))
_PREFIXES: Final = {"∂", "∇", "Δ", "d", "−", "+", "±", "¬"}  # these belong to what follows, without a space


def to_unicode(latex: str) -> str:
    r"""Print a formula on one line; fractions get the parentheses they need.

    >>> to_unicode(r"\frac{\partial L}{\partial W^{[2]}} = \delta^{[2]} (a^{[1]})^T")
    '∂L/∂W^[2] = δ^[2] (a^[1])ᵀ'
    >>> to_unicode(r"\frac{a+b}{c+d} - \sum_j y_j \log(\hat y_j)")
    '(a + b)/(c + d) - ∑_j y_j log(ŷ_j)'
    """
    line = " ".join(show(parse_math(latex)).replace("−", "-").split())
    return unicodedata.normalize("NFC", clean_text(line))


def in_unicode(text: str) -> str:
    r"""Return a sentence with its `$…$` as Unicode, for a terminal.

    >>> in_unicode(r"insert $\delta^{[1]}$")
    'insert δ^[1]'
    """
    return re.sub(r"\$(.+?)\$", lambda match: to_unicode(match[1]), text)


def show(layout: Layout, small: bool = False) -> str:
    """One layout as text; `small` marks a script, where no space stands around signs."""
    match layout:
        case Symbol(text, _, variant):
            return text if variant == "roman" else styled(text, variant)
        case Function(name):
            return name
        case Row(items):
            return _joined(items, small)
        case Scripts():
            return _scripts(layout, small)
        case Fraction(above, below, line=line):
            return (
                f"{_numerator(above)}/{_denominator(below)}" if line else f"{show(above)} over {show(below)}"
            )
        case Root(body, degree):
            return _root_sign(degree) + _atomic(body)
        case Accent(body, mark):
            return _accent(body, mark)
        case Brace(body):
            return _atomic(body)
        case Fenced(opening, body, closing):
            return opening + show(body, small) + closing
        case Grid():
            return _grid(layout)
    return " "


def _root_sign(degree: Layout | None) -> str:
    above = "" if degree is None else _raised(degree)
    return {"": "√", "³": "∛", "⁴": "∜"}.get(above, f"{above}√")


def _joined(items: tuple[Layout, ...], small: bool) -> str:
    parts = [show(item, small) for item in items]  # once each: showing again would double at every level
    line = ""
    for i, part in enumerate(parts):
        if i and _space_between(items[i - 1], items[i], small, max(len(parts[i - 1]), len(part)) > 2):
            line += " "
        line += part
    return line


def _space_between(left: Layout, right: Layout, small: bool, long: bool) -> bool:
    before, after = role_of(left), role_of(right)
    if "relation" in (before, after) or "binary" in (before, after):
        return not small
    if before == "punctuation":
        return not small
    if after in {"punctuation", "close"} or before == "open":
        return False
    if before == "function":
        return not _opens(right)
    if before == "big" or after in {"big", "function"}:
        return not _is_prefix(left)
    return _space_in_product(left, right, long)


def _opens(layout: Layout) -> bool:
    match layout:
        case Fenced() | Symbol(role="open"):
            return True
        case Scripts(base=base):
            return _opens(base)
    return False


def _is_prefix(layout: Layout) -> bool:
    return isinstance(layout, Symbol) and (layout.text in _PREFIXES or layout.text in {"/", "|", "‖", "("})


def _space_in_product(left: Layout, right: Layout, long: bool) -> bool:
    """A product's factors stand apart where one is more than a letter; an application's do not."""
    last = right.base if isinstance(right, Scripts) else right
    if _is_prefix(left) or (isinstance(last, Symbol) and last.text in {"/", "|", "‖", "!", "′", ""}):
        return False
    if isinstance(left, Symbol) and left.role == "number" and not isinstance(right, Fraction):
        return False
    if _opens(right):
        raised = isinstance(left, Scripts) and left.sup is not None and not _is_prime(left.sup)
        return raised or isinstance(left, Fraction | Root)
    return long or not all(isinstance(part, Symbol | Accent) for part in (left, right))


def _is_prime(layout: Layout) -> bool:
    return all(isinstance(item, Symbol) and item.text == "′" for item in items_of(layout))


def _scripts(scripts: Scripts, small: bool) -> str:
    shown = show(scripts.base, small) if _is_atomic(scripts.base) else f"({show(scripts.base, small)})"
    if isinstance(scripts.base, Row) and not scripts.base.items:
        shown = ""
    if scripts.sup is not None and _is_prime(scripts.sup):
        shown += "'" * len(items_of(scripts.sup))
        return shown if scripts.sub is None else shown + _lowered(scripts.sub)
    below = "" if scripts.sub is None else _lowered(scripts.sub)
    return shown + below + ("" if scripts.sup is None else _raised(scripts.sup))


def _raised(layout: Layout) -> str:
    text = show(layout, True)
    short = len(text) == 1 or (text[:1] == "−" and text[1:].isdigit()) or text.isdigit()
    if short and all(char in _ABOVE for char in text):
        return "".join(_ABOVE[char] for char in text)
    return "^" + _enclosed(layout, text)


def _lowered(layout: Layout) -> str:
    text = show(layout, True)
    if text.isdigit() and text.isascii():
        return "".join(_BELOW[char] for char in text)
    return "_" + _enclosed(layout, text)


def _enclosed(layout: Layout, text: str) -> str:
    return text if _is_atomic(layout) or text.isalnum() else f"({text})"


def _is_atomic(layout: Layout) -> bool:
    """Whether the text of this part cannot be torn apart by what stands next to it."""
    match layout:
        case Symbol(text, role):
            return role != "text" or " " not in text.strip()
        case Function() | Fenced() | Grid() | Brace() | Accent() | Space():
            return True
    return False


def _atomic(layout: Layout) -> str:
    text = show(layout)
    return text if isinstance(layout, Fenced) or (_is_atomic(layout) and " " not in text) else f"({text})"


def _numerator(layout: Layout) -> str:
    text = show(layout)
    plain = not any(
        isinstance(item, Fraction) or role_of(item) in {"binary", "relation"} for item in items_of(layout)
    )
    return text if plain and not _bare_space(text) else f"({text})"


def _denominator(layout: Layout) -> str:
    text = show(layout)
    items = items_of(layout)
    while len(items) > 1 and isinstance(items[0], Symbol) and items[0].text in {"∂", "d"}:
        items = items[1:]
    single = len(items) == 1 and not isinstance(items[0], Fraction) and not _bare_space(text)
    return text if single else f"({text})"


def _bare_space(text: str) -> bool:
    depth = 0
    for char in text:
        depth += (char in "([{⟨") - (char in ")]}⟩")
        if char in " /" and depth <= 0:
            return True
    return False


def _accent(body: Layout, mark: str) -> str:
    text = show(body)
    letters = [char for char in text if not unicodedata.combining(char)]
    return text + _MARKS[mark] if len(letters) == 1 else f"{mark}({text})"


def _grid(grid: Grid) -> str:
    if grid.kind == "aligned":
        return "; ".join(_joined(row, False) for row in grid.rows)
    between = " " if grid.kind == "cases" else ", "
    rows = "; ".join(between.join(show(cell) for cell in row) for row in grid.rows)
    opening, closing = grid.opening or "[", grid.closing or ("}" if grid.kind == "cases" else "]")
    return f"{opening} {rows} {closing}" if grid.kind == "cases" else f"{opening}{rows}{closing}"
