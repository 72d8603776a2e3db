r"""Characters beyond ASCII as LaTeX: `σ`, `ŷ`, `x²`, `𝐖`, `ℝ`, full-width marks; lists and rules, no parsing."""

from __future__ import annotations

import unicodedata

UNICODE = {
    "α": r"\alpha", "β": r"\beta", "γ": r"\gamma", "δ": r"\delta", "ε": r"\epsilon", "ϵ": r"\epsilon",
    "ζ": r"\zeta", "η": r"\eta", "θ": r"\theta", "ι": r"\iota", "κ": r"\kappa", "λ": r"\lambda", "μ": r"\mu",
    "ν": r"\nu", "ξ": r"\xi", "π": r"\pi", "ρ": r"\rho", "σ": r"\sigma", "τ": r"\tau", "υ": r"\upsilon",
    "φ": r"\phi", "ϕ": r"\phi", "χ": r"\chi", "ψ": r"\psi", "ω": r"\omega", "Γ": r"\Gamma", "Δ": r"\Delta",
    "Θ": r"\Theta", "Λ": r"\Lambda", "Ξ": r"\Xi", "Π": r"\Pi", "Σ": r"\Sigma", "Υ": r"\Upsilon", "Φ": r"\Phi",
    "Ψ": r"\Psi", "Ω": r"\Omega", "ℓ": r"\ell", "∞": r"\infty", "∂": r"\partial", "∇": r"\nabla", "µ": r"\mu",
    "·": r"\cdot", "⋅": r"\cdot", "×": r"\times", "⊙": r"\odot", "∘": r"\circ", "⊗": r"\otimes", "−": "-",
    "–": "-", "≤": r"\leq", "≥": r"\geq", "≠": r"\neq", "≈": r"\approx", "∈": r"\in", "←": r"\leftarrow",
    "→": r"\to", "′": "'", "″": "''", "’": "'", "∑": r"\sum", "∏": r"\prod", "⊤": r"\top", "ᵀ": r"^{\top}",
    "‖": r"\|", "∥": r"\|", "，": ",", "；": ";", "。": ".", "：": ":", "＝": "=", "（": "(", "）": ")",
    "…": r"\ldots", "⋯": r"\ldots", "⋮": r"\ldots", "⇒": r"\Rightarrow", "⟹": r"\Rightarrow", "⇔": r"\Leftrightarrow",
    "∣": r"\mid", "∗": "*", "∙": r"\bullet", "•": r"\bullet", "√": r"\sqrt", "≡": r"\equiv", "∝": r"\propto",
    "∼": r"\sim", "≜": r"\triangleq", "≔": ":=", "⊘": r"\oslash", "＋": "+", "－": "-",
}  # fmt: skip
SPACES = frozenset("\u00a0\u2002\u2003\u2009\u200a\u200b\u2061\u2062\u2063\u202f\u3000\ufeff")
SUPERSCRIPTS = "⁰¹²³⁴⁵⁶⁷⁸⁹⁺⁻⁽⁾ⁱⁿˡʲᵏᵗᵢ"[:-1]
SUBSCRIPTS = "₀₁₂₃₄₅₆₇₈₉₊₋₍₎ᵢⱼₖₗₘₙₜ"
_ACCENTS = {"\u0302": "hat", "\u0304": "bar", "\u0303": "tilde", "\u0307": "dot", "\u0308": "ddot"}


def in_latex(run: str) -> str | None:
    r"""Give the LaTeX of one character, or of a run of raised or lowered ones; None for one that is not known.

    >>> in_latex("σ"), in_latex("⁻¹"), in_latex("ŷ"), in_latex("𝐖"), in_latex("漢")
    ('\\sigma', '^{-1}', '\\hat{y}', '\\mathbf{W}', None)
    """
    if run in UNICODE:
        return UNICODE[run]
    if run in SPACES:
        return r"\,"
    if run[0] in SUPERSCRIPTS or run[0] in SUBSCRIPTS:
        mark = "^" if run[0] in SUPERSCRIPTS else "_"
        return f"{mark}{{{unicodedata.normalize('NFKC', run).replace('−', '-')}}}"
    letter, *marks = list(unicodedata.normalize("NFD", run))
    if len(marks) == 1 and marks[0] in _ACCENTS and letter.isascii():
        return rf"\{_ACCENTS[marks[0]]}{{{letter}}}"
    return _styled(run)


def _styled(character: str) -> str | None:
    """Read a letter of the blocks of mathematical letters: bold, script, double-struck; italics are plain."""
    name = unicodedata.name(character, "")
    plain = unicodedata.normalize("NFKC", character)
    if len(plain) != 1 or not name.startswith(("MATHEMATICAL", "DOUBLE-STRUCK", "SCRIPT")):
        return None
    letter = plain if plain.isascii() and plain.isalnum() else UNICODE.get(plain)
    if letter is None:
        return None
    if "DOUBLE-STRUCK" in name:
        return rf"\mathbb{{{letter}}}"
    if "SCRIPT" in name:
        return rf"\mathcal{{{letter}}}"
    if "BOLD" in name:
        return rf"\mathbf{{{letter}}}" if letter.isascii() and len(letter) == 1 else rf"\boldsymbol{{{letter}}}"
    return letter
