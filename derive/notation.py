r"""Names: how a cotangent is called, how a sample's name becomes the batch's, how a name is spelled in code."""

from __future__ import annotations

import re

_NAME = re.compile(r"(\\[a-zA-Z]+\s*\{(?:[^{}]|\{[^{}]*\})*\}|\\[a-zA-Z]+|[a-zA-Z]+|.)(.*)", re.DOTALL)
_ACCENT = re.compile(r"\\(hat|bar|tilde|vec|dot|widehat|overline)\s*\{?\s*([^{}]*)\}?")
_FONT = re.compile(r"\\(mathbf|mathrm|mathcal|mathbb|boldsymbol|bm|text|operatorname|mathit|mathsf)\s*\{([^{}]*)\}")
_CAPITAL = {r"\delta": r"\Delta", r"\sigma": r"\Sigma", r"\theta": r"\Theta", r"\phi": r"\Phi", r"\xi": r"\Xi"}
DATA_LETTERS = frozenset("xyt")


def split_name(latex: str) -> tuple[str, str]:
    r"""Split a name into letter (with accent and font) and scripts.

    >>> split_name(r"\hat{y}^{(i)}")
    ('\\hat{y}', '^{(i)}')
    """
    match = _NAME.match(latex.strip())
    return (match[1], match[2]) if match else (latex, "")


def bare_letter(latex: str) -> str:
    r"""Return the letter under accents and fonts.

    >>> bare_letter(r"\hat{\mathbf{y}}_2")
    'y'
    """
    base = split_name(latex)[0]
    while (inner := re.match(r"\\[a-zA-Z]+\s*\{(.*)\}$", base, re.DOTALL)) is not None:
        base = inner[1]
    return base


def derivative_name(of: str, by: str) -> str:
    r"""Return the name of a cotangent written as a derivative.

    >>> derivative_name("L", "W")
    '\\frac{\\partial L}{\\partial W}'
    """
    return rf"\frac{{\partial {of}}}{{\partial {by}}}"


def delta_name(pre_activation: str, batch: bool = False) -> str:
    r"""Return the name of a pre-activation's cotangent: δ with the same scripts, Δ for a batch.

    >>> delta_name("Z^{[1]}")
    '\\delta^{[1]}'
    """
    return (r"\Delta" if batch else r"\delta") + split_name(pre_activation)[1]


def batch_name(latex: str) -> str:
    r"""Return the name of all samples' values as the columns of a matrix: the capital letter.

    >>> batch_name(r"\hat{y}"), batch_name("Z^{[1]}"), batch_name("x")
    ('\\hat{Y}', 'Z^{[1]}', 'X')
    """
    base, scripts = split_name(latex)
    letter = bare_letter(latex)
    capital = _CAPITAL.get(letter, letter.upper() if len(letter) == 1 else letter)
    return base[::-1].replace(letter[::-1], capital[::-1], 1)[::-1] + scripts


_MARK = re.compile(r"\^\{?\[([^\[\]]*)\]\}?|\^\{?\(([^()]*)\)\}?|_\{([^{}]*)\}|_([a-zA-Z])")


def marks(latex: str) -> list[str]:
    r"""Return what stands in a name's marks.

    >>> marks(r"a^{[l-1]}"), marks("h_t"), marks(r"\frac{\partial L}{\partial z_{t+1}}")
    (['l-1'], ['t'], ['t+1'])
    """
    return [next(group for group in match.groups() if group is not None) for match in _MARK.finditer(latex)]


def runs(latex: str, letter: str) -> bool:
    r"""Tell whether a name changes with a letter: h_t and h_{t-1} with t.

    >>> runs("h_{t-1}", "t"), runs("W_{h}", "t")
    (True, False)
    """
    return any(re.fullmatch(rf"{re.escape(letter)}([+-]\d+)?", mark.replace(" ", "")) for mark in marks(latex))


def moved(latex: str, letter: str, to: str) -> str:
    r"""Return a name at another step: the letter in its marks replaced, a mark of one character without braces.

    >>> moved("a^{[l-1]}", "l", "l+1"), moved("h_{t-1}", "t", "3"), moved("h_t", "t", "T")
    ('a^{[l]}', 'h_2', 'h_T')
    """

    def change(match: re.Match[str]) -> str:
        inner = next(group for group in match.groups() if group is not None)
        found = re.fullmatch(rf"{re.escape(letter)}([+-]\d+)?", inner.replace(" ", ""))
        return match[0].replace(inner, _plus(to, int(found[1] or 0))) if found else match[0]

    return _unbraced(_MARK.sub(change, latex))


def _unbraced(latex: str) -> str:
    braced = re.sub(r"_([a-zA-Z])([+-]\d+)", r"_{\1\2}", latex)
    return re.sub(r"_\{([a-zA-Z0-9])\}", r"_\1", braced)


def _plus(word: str, number: int) -> str:
    """Return `l+1` and 1 as `l+2`, 3 and -1 as 2."""
    match = re.fullmatch(r"(\\?[a-zA-Z]*)([+-]?\d+)?", word)
    assert match is not None
    base, total = match[1], int(match[2] or 0) + number
    return f"{base}{total:+d}" if base and total else base or str(total)


def code_name(latex: str) -> str:
    r"""Return an identifier for C and Python.

    >>> code_name("W^{[1]}"), code_name(r"\hat{y}"), code_name(r"\frac{\partial J}{\partial W^{[1]}}")
    ('W1', 'y_hat', 'dJ_dW1')
    """
    text = latex
    fraction = re.fullmatch(r"\\frac\{\\partial (.*?)\}\{\\partial (.*)\}", text)
    if fraction:
        return f"d{code_name(fraction[1])}_d{code_name(fraction[2])}"
    text = _FONT.sub(r"\2", text)
    text = _ACCENT.sub(r"\2_\1", text)
    text = text.replace("-", "m").replace("+", "p").replace("'", "_prime").replace("*", "_star")
    text = re.sub(r"\\([a-zA-Z]+)", r"\1", text)
    text = re.sub(r"_\{?([a-zA-Z0-9]+)\}?", r"_\1", text)
    word = re.sub(r"[^a-zA-Z0-9_]", "", text)
    return word if word and not word[0].isdigit() else f"v{word}"


def unique_code_names(names: list[str]) -> dict[str, str]:
    """Return an identifier for each name, all different.

    >>> unique_code_names(["W^{1}", "W^{[1]}"])
    {'W^{1}': 'W1', 'W^{[1]}': 'W1_2'}
    """
    taken: dict[str, str] = {}
    for name in names:
        word, count = code_name(name), 1
        while word in taken.values():
            count += 1
            word = f"{code_name(name)}_{count}"
        taken[name] = word
    return taken
