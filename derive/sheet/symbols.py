"""The characters behind LaTeX's names, and their roles; nothing here knows how a formula is built."""

from __future__ import annotations

import re
import unicodedata
from typing import Final, Literal

Role = Literal[
    "identifier", "number", "ordinary", "binary", "relation", "open", "close", "punctuation", "big", "text",
    "function",
]  # fmt: skip
Variant = Literal["", "roman", "bold", "bold-italic", "script", "fraktur", "blackboard", "sans", "mono"]


def _pairs(role: Role, table: str) -> dict[str, tuple[str, Role]]:
    words = table.split()
    return {name: (char, role) for name, char in zip(words[::2], words[1::2], strict=True)}


SYMBOLS: Final[dict[str, tuple[str, Role]]] = {
    **_pairs(
        "identifier",
        "alpha α beta β gamma γ delta δ epsilon ϵ varepsilon ε zeta ζ eta η theta θ vartheta ϑ iota ι "
        "kappa κ lambda λ mu μ nu ν xi ξ omicron ο pi π varpi ϖ rho ρ varrho ϱ sigma σ "
        "varsigma ς tau τ upsilon υ "
        "phi ϕ varphi φ chi χ psi ψ omega ω Gamma Γ Delta Δ Theta Θ Lambda Λ Xi Ξ Pi Π Sigma Σ Upsilon Υ "
        "Phi Φ Psi Ψ Omega Ω imath ı jmath ȷ",
    ),
    **_pairs(
        "ordinary",
        "partial ∂ nabla ∇ infty ∞ ell ℓ hbar ℏ Re ℜ Im ℑ aleph ℵ emptyset ∅ varnothing ∅ forall ∀ exists ∃ "
        "nexists ∄ neg ¬ lnot ¬ top ⊤ bot ⊥ angle ∠ triangle △ square □ blacksquare ■ checkmark ✓ dag † "
        "prime ′ dots … ldots … cdots ⋯ vdots ⋮ ddots ⋱ dotsc … dotsb ⋯ dotsm ⋯ vert | Vert ‖ | ‖ % % # # "
        "$ $ & & _ _ backslash \\ slash / intercal ⊺ diamondsuit ♢ S § degree ° lvert | "
        "rvert | lVert ‖ rVert ‖",
    ),
    **_pairs(
        "binary",
        "circ ∘ odot ⊙ cdot ⋅ times × otimes ⊗ oplus ⊕ ominus ⊖ oslash ⊘ ast ∗ star ⋆ pm ± mp ∓ div ÷ "
        "cap ∩ cup ∪ setminus ∖ wedge ∧ land ∧ vee ∨ lor ∨ bullet ∙ diamond ⋄ uplus ⊎ sqcup ⊔ boxtimes ⊠ "
        "bigcirc ◯ dagger † ddagger ‡ cdotp ⋅",
    ),
    **_pairs(
        "relation",
        "le ≤ leq ≤ leqslant ⩽ ge ≥ geq ≥ geqslant ⩾ ne ≠ neq ≠ approx ≈ equiv ≡ sim ∼ simeq ≃ cong ≅ "
        "propto ∝ ll ≪ gg ≫ lt < gt > in ∈ notin ∉ ni ∋ subset ⊂ subseteq ⊆ supset ⊃ supseteq ⊇ mid ∣ "
        "parallel ∥ perp ⊥ to → rightarrow → leftarrow ← gets ← leftrightarrow ↔ Rightarrow ⇒ Leftarrow ⇐ "
        "Leftrightarrow ⇔ longrightarrow ⟶ longleftarrow ⟵ Longrightarrow ⟹ Longleftrightarrow ⟺ "
        "implies ⟹ impliedby ⟸ iff ⟺ mapsto ↦ longmapsto ⟼ uparrow ↑ downarrow ↓ hookrightarrow ↪ "
        "rightharpoonup ⇀ leftharpoonup ↼ triangleq ≜ doteq ≐ coloneqq ≔ eqqcolon ≕ prec ≺ succ ≻ "
        "preceq ⪯ succeq ⪰ models ⊨ vdash ⊢ asymp ≍ lesssim ≲ gtrsim ≳ nearrow ↗ searrow ↘",
    ),
    **_pairs(
        "big",
        "sum ∑ prod ∏ coprod ∐ int ∫ iint ∬ iiint ∭ oint ∮ bigcup ⋃ bigcap ⋂ bigoplus ⨁ bigotimes ⨂ "
        "bigodot ⨀ bigvee ⋁ bigwedge ⋀",
    ),
    **_pairs("open", "langle ⟨ lfloor ⌊ lceil ⌈ lbrace { { { lbrack [ lparen ("),
    **_pairs("close", "rangle ⟩ rfloor ⌋ rceil ⌉ rbrace } } } rbrack ] rparen )"),
    **_pairs("punctuation", "colon :"),
}

CHARACTERS: Final[dict[str, tuple[str, Role]]] = {
    **{char: (char, role) for char, role in SYMBOLS.values()},
    "+": ("+", "binary"), "-": ("−", "binary"), "*": ("∗", "binary"), "·": ("⋅", "binary"),
    "−": ("−", "binary"),
    "=": ("=", "relation"), ":": (":", "relation"), "(": ("(", "open"), "[": ("[", "open"),
    ")": (")", "close"), "]": ("]", "close"), ",": (",", "punctuation"), ";": (";", "punctuation"),
    "|": ("|", "ordinary"), "/": ("/", "ordinary"), "†": ("†", "ordinary"), "⊥": ("⊥", "ordinary"),
}  # fmt: skip

SIDE_LIMITS: Final = frozenset("∫∬∭∮")  # integrals keep their limits at the side, as TeX does

_SIDE_FUNCTIONS = (
    "log ln lg exp sin cos tan cot sec csc sinh cosh tanh coth arcsin arccos arctan arg deg dim ker hom"
)
_LIMIT_FUNCTIONS = "max min sup inf lim limsup liminf det gcd Pr argmax argmin"
LIMIT_FUNCTIONS: Final = frozenset(_LIMIT_FUNCTIONS.split())
FUNCTIONS: Final = frozenset(_SIDE_FUNCTIONS.split()) | LIMIT_FUNCTIONS

ACCENTS: Final = {
    "hat": "hat", "widehat": "hat", "bar": "bar", "overline": "overline", "underline": "underline",
    "tilde": "tilde", "widetilde": "tilde", "dot": "dot", "ddot": "ddot", "vec": "vec", "check": "check",
    "breve": "breve", "acute": "acute", "grave": "grave", "mathring": "ring", "overrightarrow": "vec",
}  # fmt: skip

VARIANTS: Final[dict[str, Variant]] = {
    "mathrm": "roman", "mathbf": "bold", "mathcal": "script", "mathscr": "script", "mathbb": "blackboard",
    "mathbbm": "blackboard", "mathds": "blackboard", "mathfrak": "fraktur", "mathsf": "sans",
    "mathtt": "mono", "mathit": "", "mathnormal": "", "boldsymbol": "bold-italic", "bm": "bold-italic",
    "pmb": "bold-italic", "bf": "bold", "rm": "roman", "cal": "script",
}  # fmt: skip

SPACES: Final = {
    ",": 3 / 18, "thinspace": 3 / 18, ":": 4 / 18, ">": 4 / 18, "medspace": 4 / 18, ";": 5 / 18,
    "thickspace": 5 / 18, "!": -3 / 18, "negthinspace": -3 / 18, " ": 0.25, "~": 0.25, "quad": 1.0,
    "qquad": 2.0, "enspace": 0.5, "enskip": 0.5,
}  # fmt: skip

_STYLE_NAMES: Final[dict[str, str]] = {
    "BOLD": "bold", "ITALIC": "italic", "BOLD ITALIC": "bold-italic", "SCRIPT": "script",
    "FRAKTUR": "fraktur", "BLACK-LETTER": "fraktur", "DOUBLE-STRUCK": "blackboard",
    "SANS-SERIF": "sans", "MONOSPACE": "mono",
}  # fmt: skip
_STYLED_NAME = re.compile(r"(?:MATHEMATICAL )?([A-Z -]+?) (?:CAPITAL|SMALL|DIGIT|PARTIAL|NABLA|\w+ SYMBOL)")


def _alphabets() -> dict[tuple[str, str], str]:
    """Read the styled letters off Unicode's own names: no table of code points to keep right."""
    found = {("h", "italic"): "ℎ"}  # U+210E is named PLANCK CONSTANT
    for code in (*range(0x2100, 0x2150), *range(0x1D400, 0x1D800)):
        named = _STYLED_NAME.match(unicodedata.name(chr(code), ""))
        decomposed = unicodedata.decomposition(chr(code)).split()
        if named and decomposed[:1] == ["<font>"] and (style := _STYLE_NAMES.get(named[1])):
            found.setdefault((chr(int(decomposed[1], 16)), style), chr(code))
    return found


_ALPHABETS: Final = _alphabets()


def styled(text: str, style: str) -> str:
    """Write text in a mathematical alphabet; a letter that the alphabet lacks stays as it is.

    >>> styled("R", "blackboard"), styled("W1", "bold")
    ('ℝ', '𝐖𝟏')
    """
    return "".join(_ALPHABETS.get((char, style), char) for char in text)


def clean_text(text: str) -> str:
    """Replace what no output format can carry: control characters, lone surrogates, non-characters.

    >>> clean_text("a\\x00b\\tc")
    'a�b c'
    """
    return text if text.isascii() and text.isprintable() else "".join(_carried(char) for char in text)


def _carried(char: str) -> str:
    if char in "\t\n\r\x0b\x0c\x85\u2028\u2029":
        return " "
    return "\ufffd" if unicodedata.category(char) in {"Cc", "Cs", "Cn"} else char
