r"""The words of the notation: which commands are letters, functions, fonts, relations; lists alone, no rules.

A command in none of these lists is refused by the scanner: nothing is passed over in silence.
"""

from __future__ import annotations

import string


def _set(*lines: str) -> frozenset[str]:
    return frozenset(" ".join(lines).split())


FUNCTION_COMMANDS = _set(r"\log \ln \exp \tanh \sinh \cosh \sin \cos \tan \max \min \det")
FUNCTION_WORDS = _set(
    "softmax sigmoid relu ReLU tanh tr Tr diag exp log ln vec logsumexp sign sgn sum mean onehot",
    "sinh cosh sin cos tan max min det",
)
# Words of fewer letters than most that are names all the same: net_{h1} and out_{h1} of a neuron.
SHORT_WORDS = _set("net out err")
# Letters that name a function when a bracket follows, and a quantity when none does.
FUNCTION_LETTERS = _set(r"\sigma \varsigma \phi \varphi \psi")
# Letters that a bracket with a plain name in it, `h(x)`, shows to be functions: nobody writes a product so.
USUAL_FUNCTIONS = _set("f g h")
# Letters that are functions where they stand nowhere but before brackets.
APPLIED = _set(" ".join(string.ascii_letters), r"\ell") - {"d"}
# Operators whose bracket may be of any kind and hold a relation: E[x], 1{x > 0}. Without a relation in it, a one
# is the vector of ones.
BRACKET_OPERATORS = _set(r"\mathbb{E} \mathbb{1} \mathbf{1} \mathbb{I}")
INDICATORS = _set(r"\mathbb{1} \mathbf{1} \mathbb{I}")
ONES = _set(r"\mathbb{1} \mathbf{1} \vec{1}")
# What Euler's number looks like; raised, it is the exponential function.
EULER = _set(r"e \text{e}")
UPRIGHT_D = r"\text{d}"  # of a differential

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
    r"= := \equiv \leftarrow < > \leq \geq \neq \approx \in \propto \to \sim \mapsto \triangleq :",
)
# Between two statements: what follows is said to follow.
ARROWS = _set(r"\Rightarrow \Leftrightarrow \Leftarrow")
PRODUCT_SIGNS = _set(r"\cdot \times * \ast \circ \odot \otimes \bullet \oslash @")
OPERATORS = PRODUCT_SIGNS | {"+", "-", "/"}
BIG = {r"\sum": "sum", r"\prod": "prod"}
# Commands that begin a factor.
LEADING = STYLES | frozenset(BIG) | _set(r"\lim \frac \sqrt \nabla \partial \boxed \underbrace \overbrace \ldots")

SIGNS = (
    LEADING
    | OPERATORS
    | RELATIONS
    | ARROWS
    | _set(r"\mid \over , ;")
    | _set(r"\prime \top \intercal \star ' \| \lvert \rvert \lVert \rVert \{ \} | ( ) [ ] { }")
)
# One spelling for several: the value stands in the tree.
SAME = {
    r"\dfrac": r"\frac", r"\tfrac": r"\frac", r"\cfrac": r"\frac", r"\le": r"\leq", r"\ge": r"\geq",
    r"\ne": r"\neq", r"\gets": r"\leftarrow", r"\rightarrow": r"\to", r"\leqslant": r"\leq",
    r"\geqslant": r"\geq", r"\coloneqq": ":=", r"\lt": "<", r"\gt": ">", r"\lbrace": r"\{", r"\rbrace": r"\}",
    r"\lbrack": "[", r"\rbrack": "]", r"\Vert": r"\|", "||": r"\|", r"\vert": "|", r"\widehat": r"\hat",
    r"\widetilde": r"\tilde",
    "<=": r"\leq", ">=": r"\geq", "..": r"\ldots", "...": r"\ldots", "....": r"\ldots",
    r"\cdots": r"\ldots", r"\dots": r"\ldots", r"\vdots": r"\ldots", r"\ddots": r"\ldots",
    r"\hdots": r"\ldots", r"\dotsc": r"\ldots", r"\dotsb": r"\ldots", r"\dotsm": r"\ldots",
    r"\parallel": r"\|", r"\colon": ":", r"\implies": r"\Rightarrow", r"\iff": r"\Leftrightarrow",
    r"\impliedby": r"\Leftarrow", r"\Longrightarrow": r"\Rightarrow", r"\longrightarrow": r"\to",
    r"\Longleftrightarrow": r"\Leftrightarrow", r"\longleftarrow": r"\leftarrow", r"\fbox": r"\boxed",
    r"\cal": r"\mathcal", r"\bf": r"\mathbf", r"\prime": "'",
}  # fmt: skip
# After these, TeX takes so many arguments of one character each where no brace stands.
BARE_ARGUMENTS = {r"\frac": 2, "^": 1, "_": 1, r"\sqrt": 1}

# Font switches, which hold up to the closing brace.
SWITCHES = {
    "bf": "mathbf", "bfseries": "mathbf", "cal": "mathcal", "rm": "rm", "rmfamily": "rm", "it": "", "sf": "", "tt": "",
}  # fmt: skip
# Arguments with a name, as NumPy has them.
KEYWORDS = _set("axis dim keepdims keepdim")

TRANSPOSES = _set(r"T \top \intercal \text{T}")
# Words in \text{...} that are never a name: between statements, before a condition, before a comment.
CONNECTIVES = _set(
    "and so hence thus therefore then with where let also but we have get obtain that is gives giving yields gradient",
    "implies which this means such note now here finally because while i.e",
)
CONDITIONS = _set("if for when whenever given unless assuming provided iff otherwise else subject s.t s.t.")
CONDITION_PHRASES = _set("subject") | {"such that", "subject to"}
CONSTRAINTS = frozenset(("s.t", "s.t.", "subject to", "such that", "assuming", "given"))
# What makes of a remark a condition.
QUALIFIERS = CONDITIONS | _set("only not up to except where in case all each every some any with without or")
# Single words in brackets beside a formula that name what it is of; others may say when it holds: (symmetric).
REMARKS = _set("weights weight bias biases input inputs output outputs error gradient loss compactly vectorized")
COMMENTS = _set("from by since using via see because as")
STOP_WORDS = (
    _set("or of the all each not", "and so hence thus therefore then with where let also but we have while because")
    | CONDITIONS
    | COMMENTS
    | _set("is such that which gives yields implies")
)
OTHERWISE = _set("otherwise else elsewhere")
