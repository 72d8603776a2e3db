"""Untrusted text: mutated formulas and pages, deep nesting, large pages, hostile macros; answered soon, no crash."""

from __future__ import annotations

import json
import os
import time

import pytest
from mutations import failures

from derive.errors import DeriveError
from derive.markup.page import KINDS, load_page, read_page
from derive.meaning.outline import outline
from derive.read.latex import Refused, read_parts

COUNT = int(os.environ.get("DERIVE_MUTATIONS", "2000"))  # a hundred thousand take two minutes
SEED = int(os.environ.get("DERIVE_MUTATIONS_SEED", "0"))


def test_mutated_formulas_are_read_and_spelled_or_refused():
    assert list(failures(COUNT, SEED)) == []


DEEP = {
    "brackets": "(" * 10_000 + "x" + ")" * 10_000,
    "braces": "{" * 9_900 + "x" + "}" * 9_900,
    "roots": r"\sqrt" * 3_000 + "x",
    "fractions": r"\frac{" * 2_800 + "x" + "}{y}" * 2_000,
    "exponents": "x^{" * 5_000 + "x" + "}" * 5_000,
    "differentials": "d" * 10_000 + "x",
    "differentials in exponents": "d x^{" * 48 + "d x x" + "}" * 48,
    "differentials of differentials": r"\mathrm{d}(" * 48 + "x" + ")" * 48,
    "calls in differentials": "d(f(" * 24 + "x" + "))" * 24,
    "braces in differentials": "d({x " * 24 + "x" + "} x(x))" * 24,
    "differentials in brackets": "d x (" * 48 + "x" + ")" * 48,
    "bars": "P(" * 48 + "a|b" + ")" * 48,
    "lone bars": "|_{x" * 4_000,
    "evaluations": r"\left." * 45 + "x" + r"\right|_{x=1}" * 45,
    "rows of words": r"a = b \text{if} c \\ " * 900,
    "fractions by over": r"{x \over " * 45 + "y" + "}" * 45,
    "unclosed text": r"\text{" * 3_000,
    "frames": r"\boxed{a = " * 45 + "b" + "}" * 45,
    "words": r"a = b \text{ and } " * 1_000,
    "dots": "a, ..., " * 2_000,
    "gradients": r"\nabla_x (" * 45 + "x" + ")" * 45,
    "calls of capitals": "AB(" * 6_000,
    "assumed": r"\pd{\bx}{" * 45 + r"\bx" + "}" * 45,
    "gradients of products": r"\eta \nabla_z " * 900 + "x",
    "primes": "x" + "'" * 19_000,
    "sums in braces": r"{\sum_i (" * 24 + "x" + ")}^2" * 24,
}


@pytest.mark.parametrize("latex", DEEP.values(), ids=DEEP)
def test_a_formula_that_goes_on_and_on_is_answered_soon(latex):
    begin = time.process_time()
    read_parts(latex)
    assert time.process_time() - begin < 5


SIZE = int(os.environ.get("DERIVE_PAGE_BYTES", "200000"))
HOSTILE = {
    "unclosed dollars": "$$ a = b\n\n",
    "one paragraph of dollars": "$$ a and so we have ",
    "unclosed brackets": r"\[ a = b ",
    "unclosed environments": r"\begin{align} a = b ",
    "closed formulas": "$x_1 = y$ and ",
    "a growing macro": r"\newcommand{\a}{\a\a x} $\a$ ",
    "definitions": r"\def\a#1{#1#1} $$\def\b{\a{\a{x}}} \b\b$$ ",
    "grid tables": "+---+---+\n| .. math:: | a |\n|   b = c | d |\n",
    "wrappers": "\\aln{\na = \\b_1\n",
    "headings": "# a\n$b$\n",
    "tags": "<p>$a &lt; b$<b>",
    "comments": "% $a$\n",
}


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != "notebook"])
@pytest.mark.parametrize("piece", HOSTILE.values(), ids=HOSTILE)
def test_a_large_page_of_anything_takes_linear_time(piece, kind):
    small, large = (_seconds(piece, size, kind) for size in (SIZE // 5, SIZE))
    assert large < 15 * small + 1, f"{small:.2f} s, then {large:.2f} s for five times as much"


def _seconds(piece: str, size: int, kind: str) -> float:
    text = piece * (size // len(piece))
    begin = time.process_time()
    read_page(text, kind)
    return time.process_time() - begin


def test_a_notebook_that_is_none_is_refused_in_one_line(tmp_path):
    for name, content in {"a": b"{", "b": b"[]", "c": b'{"cells": 3}', "d": b"[" * 100_000, "e": b"\xff\xfe"}.items():
        path = tmp_path / f"{name}.ipynb"
        path.write_bytes(content)
        with pytest.raises(DeriveError, match="notebook"):
            load_page(path)


def test_a_notebook_of_odd_cells_is_read():
    cells = [3, {}, {"cell_type": "markdown", "source": [1, "$a = b$"]}, {"cell_type": "markdown", "source": None}]
    assert [formula.latex for formula in read_page(json.dumps({"cells": cells}), "notebook").formulas()] == ["a = b"]


def test_bytes_that_are_no_text_are_no_crash(tmp_path):
    path = tmp_path / "a.md"
    path.write_bytes(bytes(range(256)) * 50 + b"\n\n$a = b$\n\n\xc3\x28$$")
    assert "a = b" in [formula.latex for formula in load_page(path).formulas()]
    outline(load_page(path))


def test_what_is_refused_is_refused_by_itself():
    first, second, third = read_parts(r"a &= b \\ c &= \foo \\ x &= y")
    assert isinstance(second, Refused)
    assert (second.latex, second.at, second.column) == (r"c &= \foo", 16, 11)
    assert not isinstance(first, Refused) and not isinstance(third, Refused)
