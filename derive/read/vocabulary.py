r"""The words of the notation: which commands are letters, functions, fonts, relations; lists alone, no rules.

A command in none of these lists is refused by the scanner: nothing is passed over in silence.
"""

from __future__ import annotations


def _set(*lines: str) -> frozenset[str]:
    return frozenset(" ".join(lines).split())


FUNCTION_COMMANDS = _set(r"\log \ln \exp \tanh \sinh \cosh \sin \cos \tan \max \min \det")
FUNCTION_WORDS = _set(
    "softmax sigmoid relu ReLU tanh tr Tr diag exp log ln vec logsumexp sign sgn sum mean onehot",
    "sinh cosh sin cos tan max min det",
)
# Letters that name a function when a bracket follows, and a quantity when none does.
FUNCTION_LETTERS = _set(r"\sigma \phi \varphi \psi")
# Operators whose bracket may be of any kind and hold a relation: E[x], 1{x > 0}. Without a relation in it, a one
# is the vector of ones.
BRACKET_OPERATORS = _set(r"\mathbb{E} \mathbb{1} \mathbf{1} \mathbb{I}")
INDICATORS = _set(r"\mathbb{1} \mathbf{1} \mathbb{I}")
ONES = _set(r"\mathbb{1} \mathbf{1}")
# What Euler's number looks like; raised, it is the exponential function.
EULER = _set(r"e \text{e}")

LETTERS = _set(
    r"\alpha \beta \gamma \delta \epsilon \varepsilon \zeta \eta \theta \vartheta \iota \kappa \lambda \mu",
    r"\nu \xi \pi \varpi \rho \varrho \sigma \varsigma \tau \upsilon \phi \varphi \chi \psi \omega \ell",
    r"\Gamma \Delta \Theta \Lambda \Xi \Pi \Sigma \Upsilon \Phi \Psi \Omega",
)
FONTS = _set("mathbf boldsymbol bm mathcal mathbb mathfrak mathscr pmb cal bf")
TEXT = _set(
    "text mathrm operatorname textrm textnormal textup mbox hbox textbf textit textsf texttt mathsf mathit",
    "mathtt",
)
ACCENTS = _set(r"\hat \bar \tilde \vec \dot \ddot \check \breve \overline \underline \overrightarrow")
STYLES = ACCENTS | {rf"\{font}" for font in FONTS}

RELATIONS = _set(
    r"= := \equiv \leftarrow < > \leq \geq \neq \approx \in \propto \to \sim \mapsto \triangleq",
)
PRODUCT_SIGNS = _set(r"\cdot \times * \ast \circ \odot \otimes \bullet \oslash")
OPERATORS = PRODUCT_SIGNS | {"+", "-", "/"}
BIG = {r"\sum": "sum", r"\prod": "prod"}
# Commands that begin a factor.
LEADING = STYLES | frozenset(BIG) | _set(r"\frac \sqrt \nabla \partial \boxed \underbrace \overbrace")

SIGNS = (
    LEADING
    | OPERATORS
    | RELATIONS
    | _set(r"\prime \top \intercal \star ' \| \lvert \rvert \lVert \rVert \{ \} | ( ) [ ] { }")
)
# One spelling for several: the value stands in the tree.
SAME = {
    r"\dfrac": r"\frac", r"\tfrac": r"\frac", r"\cfrac": r"\frac", r"\le": r"\leq", r"\ge": r"\geq",
    r"\ne": r"\neq", r"\gets": r"\leftarrow", r"\rightarrow": r"\to", r"\leqslant": r"\leq",
    r"\geqslant": r"\geq", r"\coloneqq": ":=", r"\lt": "<", r"\gt": ">", r"\lbrace": r"\{", r"\rbrace": r"\}",
    r"\lbrack": "[", r"\rbrack": "]", r"\Vert": r"\|", "||": r"\|", r"\vert": "|", r"\widehat": r"\hat",
    r"\widetilde": r"\tilde", r"\cal": r"\mathcal", r"\bf": r"\mathbf", r"\prime": "'",
}  # fmt: skip
UNICODE = {
    "α": r"\alpha", "β": r"\beta", "γ": r"\gamma", "δ": r"\delta", "ε": r"\epsilon", "ϵ": r"\epsilon",
    "ζ": r"\zeta", "η": r"\eta", "θ": r"\theta", "ι": r"\iota", "κ": r"\kappa", "λ": r"\lambda", "μ": r"\mu",
    "ν": r"\nu", "ξ": r"\xi", "π": r"\pi", "ρ": r"\rho", "σ": r"\sigma", "τ": r"\tau", "υ": r"\upsilon",
    "φ": r"\phi", "ϕ": r"\phi", "χ": r"\chi", "ψ": r"\psi", "ω": r"\omega", "Γ": r"\Gamma", "Δ": r"\Delta",
    "Θ": r"\Theta", "Λ": r"\Lambda", "Ξ": r"\Xi", "Π": r"\Pi", "Σ": r"\Sigma", "Υ": r"\Upsilon", "Φ": r"\Phi",
    "Ψ": r"\Psi", "Ω": r"\Omega", "ℓ": r"\ell", "∞": r"\infty", "∂": r"\partial", "∇": r"\nabla",
    "·": r"\cdot", "⋅": r"\cdot", "×": r"\times", "⊙": r"\odot", "∘": r"\circ", "⊗": r"\otimes", "−": "-",
    "–": "-", "≤": r"\leq", "≥": r"\geq", "≠": r"\neq", "≈": r"\approx", "∈": r"\in", "←": r"\leftarrow",
    "→": r"\to", "′": "'", "’": "'", "∑": r"\sum", "∏": r"\prod", "⊤": r"\top", "‖": r"\|", "∥": r"\|",
}  # fmt: skip
# After these, TeX takes so many arguments of one character each where no brace stands.
BARE_ARGUMENTS = {r"\frac": 2, "^": 1, "_": 1, r"\sqrt": 1}

TRANSPOSES = _set(r"T \top \intercal \text{T}")
# Words in \text{...} that are never a name.
STOP_WORDS = _set(
    "and or if where for with otherwise else when then is let given such that subject the of by as from",
    "since all each not iff while so we have thus hence because",
)
OTHERWISE = _set("otherwise else elsewhere")
