r"""Formulas and pages, mutated: what a reader of untrusted text must answer soon and without a crash.

`python tests/mutations.py 100000` runs longer than the suite does, and prints what fails; a second number is the seed.
"""

from __future__ import annotations

import random
import re
import sys
import time
from collections.abc import Iterator

from derive.errors import UnreadError
from derive.markup.page import KINDS, read_page
from derive.meaning.outline import outline
from derive.read.latex import Refused, read_formula, read_parts
from derive.read.spelling import render

FUNCTIONS = frozenset(("f", "g", "h"))
FORMULAS = r"""
    Z^{[1]} = W^{[1]} X + b^{[1]}
    dW^{[2]} = \frac{1}{m} dZ^{[2]} A^{[1]T}
    \frac{\partial L}{\partial w_{jk}} = \sum_{i=1}^{n} \delta_{ij} x_k^{(i)}
    \begin{align} a &= b + c \\ &= \frac{d}{dx} f(x) \quad \text{by (3)} \\ z &= w \text{ if } i = j \end{align}
    \sigma'(z) = \sigma(z) \odot (1 - \sigma(z))
    \mathrm{d}(\mathbf{X}^{-1}) = -\mathbf{X}^{-1} (\mathrm{d}\mathbf{X}) \mathbf{X}^{-1}
    P(y = k \mid \mathbf{x}) = \frac{e^{z_k}}{\sum_j e^{z_j}}
    \nabla_{\theta} J(\theta) = \left[ \partial_{x_1} f, \ldots, \partial_{x_n} f \right]^\top
    f(x) = \begin{cases} x & \text{if } x > 0 \\ 0 & \text{otherwise} \end{cases}
    db = \frac{1}{m} np.sum(dZ, axis=1, keepdims=True) + X.T @ Y
    \left. \frac{\partial f}{\partial x} \right|_{x = x_0} = \underbrace{a b}_{n \times 1} \tag{3}
    \pd{\bz}{\bW} = \bx^\T \circ \diag(f'(\bz)) \Rightarrow \yhat = \smx(\btheta)
    {\partial L \over \partial W} = {\bf W} x + \text{relu}(z), \quad i = 1, \dots, n
    \begin{bmatrix} a & \cdots & b \\ \vdots & \ddots & \vdots \end{bmatrix} \in \mathbb{R}^{n \times d}
    \|x\|_2^2 + |x| - \log \det A = \operatorname{tr}(A^T B) + 1\{y = k\}
    \hat{y}_i^{(l)} \propto \exp\left(-\tfrac12 \lVert x - \mu \rVert^2\right), z \leftarrow z - \eta \nabla_z L
    \frac{\partial^2 f}{\partial x \partial y} = x² + ŷ − σ(𝐖 x₁)
"""
PAGES = [
    "# One\n\nLet $x$ and $$ y = W x $$ be.\n\n$$\na = b\n$$\n\n```math\nc\n```\n\\[ d = e \\] and \\\\( f \\\\)\n",
    "\\documentclass{a}\\newcommand{\\R}{\\mathbb{R}}\n\\begin{document}\\section{S}\n$x \\in \\R$ % no\n"
    "\\begin{align} a &= b \\\\ c &= d \\end{align}\n\\aln{\n a &= \\frac{b}{c}\n}\n\\end{document}\n",
    "Title\n=====\n\n.. math::\n   :label: a\n\n   y = x\n\n   z = y\n\nand :math:`x`\n\n"
    "+------------+---------+\n| .. math::  | two     |\n|    a = b   | $c$     |\n+------------+---------+\n",
    "<html><h1>T</h1><p>If $a &lt; b$ <script type='math/tex; mode=display'>c = d</script> \\(e\\)</p></html>",
    '{"cells": [{"cell_type": "markdown", "source": ["# T\\n", "$a = b$"]}, {"cell_type": "code", "source": "1"}]}',
]
_TOKENS = re.compile(r"\\[A-Za-z]+|\\.|[A-Za-z]+|\d+|\s+|.", re.DOTALL)
SPICE = [
    *r"""
    { } ( ) [ ] | \| $ $$ & \\ ^ _ ' d \left \right \left. \right. \frac \sum \over \mid \begin{cases} \end{cases}
    \begin{align} \end{align} \text{ \text{if} \mathbf{ \hat \nabla \partial = , ; : . ... @ .T np.sum( axis= \quad \bW
    \pd \foo é σ ² % # ~ ` 0 \[ \] \newcommand{\a}{\a\a} \boxed{ \color{ |_{ \Rightarrow < &lt; 1e3 -
    """.split(),  # noqa: SIM905  (a list of strings would be five times as long)
    "\x00", "\ud7ff", "\n\n", "\n# ",
]  # fmt: skip


def formulas() -> list[str]:
    """Give the formulas that mutations begin with."""
    return [line.strip() for line in FORMULAS.strip().splitlines()]


def mutated(text: str, other: str, rng: random.Random) -> str:
    """Change a text here and there, by its tokens and by its characters, perhaps with a piece of another."""
    tokens = _TOKENS.findall(text)
    for _ in range(rng.choice((1, 1, 1, 2, 3, 5, 9))):
        at = rng.randrange(len(tokens) + 1)
        match rng.randrange(7):
            case 0:
                del tokens[at : at + rng.choice((1, 1, 2, 5))]
            case 1:
                tokens.insert(at, rng.choice(SPICE))
            case 2:
                tokens[at:at] = tokens[at : at + rng.randrange(1, 8)] * rng.choice((1, 1, 2, 30))
            case 3:
                there = _TOKENS.findall(other)
                start = rng.randrange(len(there) + 1)
                tokens[at:at] = there[start : start + rng.randrange(1, 12)]
            case 4:
                low, high = sorted((at, rng.randrange(len(tokens) + 1)))
                tokens[low:high] = tokens[low:high][::-1]
            case 5:
                tokens[at : at + 1] = [rng.choice(SPICE)]
            case _:
                text = "".join(tokens)
                place, new = rng.randrange(len(text) + 1), chr(rng.choice((rng.randrange(128), 0x3B1)))
                tokens = _TOKENS.findall(text[:place] + new + text[place + 1 :])
    return "".join(tokens)[:20_500]


def check_formula(latex: str) -> str:
    """Read a formula; give what is wrong with the answer, or nothing.

    What is read must be read again, as the same, from how it is spelled.
    """
    for part in read_parts(latex, FUNCTIONS):
        if isinstance(part, Refused):
            if not 1 <= part.at <= len(latex) + 1 or not 1 <= part.column <= len(latex) + 1:
                return f"refused at column {part.at} of {len(latex)}: {part.reason}"
            continue
        spelled = render(part.node, FUNCTIONS)
        try:
            again = read_formula(spelled, FUNCTIONS)
        except UnreadError as error:
            if "more than" in str(error) or "too many" in str(error):
                continue  # brackets that only the spelling has, beyond the bound on their depth
            return f"{spelled!r} is not read again: {error}"
        if again != part.node:
            return f"{spelled!r} is read again as {render(again, FUNCTIONS)!r}"
    return ""


def check_page(text: str, kind: str) -> str:
    """Read a page; every formula must lie in it, in order."""
    page = read_page(text, kind)
    outline(page)
    lines = [block.line for block in page.blocks]
    return "" if lines == sorted(lines) else f"lines {lines}"


def failures(count: int, seed: int, slow: float = 5.0) -> Iterator[str]:
    """Yield what fails among so many mutated formulas, and a tenth as many pages."""
    rng = random.Random(seed)
    own = formulas()
    for number in range(count):
        latex = mutated(rng.choice(own), rng.choice(own), rng)
        begin = time.perf_counter()
        try:
            wrong = check_formula(latex)
        except Exception as error:  # whatever it is, it is what is looked for
            wrong = f"{type(error).__name__}: {error}"
        if time.perf_counter() - begin > slow:
            wrong = f"{time.perf_counter() - begin:.1f} s"
        if wrong:
            yield f"{latex!r}\n    {wrong}"
        if number % 10 == 0:
            yield from _page_failures(rng)


def _page_failures(rng: random.Random) -> Iterator[str]:
    at = rng.randrange(len(PAGES))
    text = mutated(PAGES[at], rng.choice([*PAGES, *formulas()]), rng)
    kind = rng.choice([kind for kind in KINDS if kind != "notebook"])
    try:
        if wrong := check_page(text, kind):
            yield f"{kind} {text!r}\n    {wrong}"
    except Exception as error:  # as above
        yield f"{kind} {text!r}\n    {type(error).__name__}: {error}"


if __name__ == "__main__":
    arguments = [int(word) for word in sys.argv[1:]]
    found = 0
    for failure in failures(*(arguments or [100_000]), *([0] if len(arguments) < 2 else [])):
        found += 1
        print(failure, flush=True)
    print(f"{found} failures")
