r"""Macros that papers share and excerpts do not define: `\bW`, `\yhat`, `\R`, `\pd{}{}`; lists and rules, no parsing.

They are understood where their meaning is common, and each use says so, for the report to print. A definition on
the page is expanded before a formula is read, and so always wins. What means one thing here and another there,
such as `\I`, `\N` or `\inv`, is left out.
"""

from __future__ import annotations

import re

_WORDS = {
    "R": r"\mathbb{R}", "reals": r"\mathbb{R}", "RR": r"\mathbb{R}", "E": r"\mathbb{E}", "EE": r"\mathbb{E}",
    "Z": r"\mathbb{Z}", "ind": r"\mathbb{1}", "one": r"\mathbf{1}", "ones": r"\mathbf{1}",
    "tr": r"\operatorname{tr}", "Tr": r"\operatorname{tr}", "trace": r"\operatorname{tr}",
    "diag": r"\operatorname{diag}", "Diag": r"\operatorname{diag}", "sgn": r"\operatorname{sgn}",
    "sign": r"\operatorname{sign}", "relu": r"\operatorname{relu}", "ReLU": r"\operatorname{ReLU}",
    "softmax": r"\operatorname{softmax}", "smx": r"\operatorname{softmax}", "sigmoid": r"\operatorname{sigmoid}",
    "logsumexp": r"\operatorname{logsumexp}", "sech": r"\operatorname{sech}",
    "T": r"\top", "tp": r"\top", "trans": r"\top", "transp": r"\top", "transpose": r"\top",
    "eps": r"\epsilon", "half": r"\frac{1}{2}", "grad": r"\nabla", "given": r"\mid", "dd": r"\mathrm{d}",
    "d": r"\mathrm{d}", "diff": r"\mathrm{d}", "defeq": ":=", "eqdef": ":=", "hada": r"\odot", "hadamard": r"\odot",
}  # fmt: skip
# Macros with arguments: how many, and what they stand for.
WITH_ARGUMENTS = {
    r"\pd": r"\frac{\partial #1}{\partial #2}", r"\pdv": r"\frac{\partial #1}{\partial #2}",
    r"\pp": r"\frac{\partial #1}{\partial #2}", r"\pder": r"\frac{\partial #1}{\partial #2}",
    r"\pfrac": r"\frac{\partial #1}{\partial #2}", r"\partialfrac": r"\frac{\partial #1}{\partial #2}",
    r"\pderiv": r"\frac{\partial #1}{\partial #2}", r"\dv": r"\frac{d #1}{d #2}", r"\deriv": r"\frac{d #1}{d #2}",
    r"\norm": r"\left\|#1\right\|", r"\abs": r"\left|#1\right|",
}  # fmt: skip
# Fonts with an argument that are macros of papers.
_FONTS = {"bs": "boldsymbol", "mb": "mathbf", "vb": "mathbf", "mat": "mathbf", "bfm": "mathbf"}
_GREEK = (
    "alpha|beta|gamma|delta|epsilon|zeta|eta|theta|kappa|lambda|mu|nu|xi|pi|rho|sigma|tau|phi|chi|psi|omega"
    "|Gamma|Delta|Theta|Lambda|Sigma|Phi|Psi|Omega"
)
_ACCENTS = {"hat": "hat", "bar": "bar", "tilde": "tilde", "vec": "vec", "dot": "dot"}
_BOLD = re.compile(rf"(?:b|bf)([A-Za-z]|{_GREEK})|[v]([A-Za-z])|m([A-Z])|v({_GREEK})")
_SCRIPT = re.compile(r"(?:c|cal|mc)([A-Z])")
_ACCENTED = re.compile(rf"([A-Za-z]|{_GREEK})(hat|bar|tilde)")


def meaning_of(command: str) -> str | None:
    r"""Give the LaTeX that a macro without arguments stands for in most papers; None for one that says nothing.

    >>> meaning_of(r"\bW"), meaning_of(r"\btheta"), meaning_of(r"\yhat"), meaning_of(r"\foo")
    ('\\mathbf{W}', '\\boldsymbol{\\theta}', '\\hat{y}', None)
    """
    name = command.removeprefix("\\")
    if name in _WORDS:
        return _WORDS[name]
    if found := _BOLD.fullmatch(name):
        letter = next(group for group in found.groups() if group)
        return rf"\mathbf{{{letter}}}" if len(letter) == 1 else rf"\boldsymbol{{\{letter}}}"
    if found := _SCRIPT.fullmatch(name):
        return rf"\mathcal{{{found[1]}}}"
    if found := _ACCENTED.fullmatch(name):
        letter = found[1] if len(found[1]) == 1 else rf"\{found[1]}"
        return rf"\{_ACCENTS[found[2]]}{{{letter}}}"
    return rf"\{_FONTS[name]}" if name in _FONTS else None


def sentence(command: str, meaning: str) -> str:
    r"""Say what was assumed.

    >>> sentence(r"\R", r"\mathbb{R}")
    '\\R, which the page does not define, is read as \\mathbb{R}'
    """
    return f"{command}, which the page does not define, is read as {meaning}"
