r"""How people write on pages: what words and habits say of a claim, page by page, with the verdicts in order."""

from __future__ import annotations

from pathlib import Path

import pytest

from derive.workbook import Workbook

KINDS = {"proved": "good", "verified": "good", "refuted": "false", "ill-typed": "false"}  # all others are open
SHARES = r"The shares are $p_i = \frac{e^{a_i}}{\sum_{k=1}^N e^{a_k}}$. "
SAME, APART = r"\frac{\partial p_i}{\partial a_j} = p_i (1 - p_i)", r"\frac{\partial p_i}{\partial a_j} = -p_j p_i"

PAGES: dict[str, tuple[str, str]] = {
    "conditions on indices in a formula": (
        rf"""{SHARES}
$$\text{{if }} i = j: \; {SAME} \qquad {APART} \text{{ for }} i \neq j$$
$${APART}, \quad i \ne j$$
$${APART} \quad (i \neq j)$$
$${SAME} \text{{ if }} i \neq j$$
""".replace(r" \qquad ", "$$\n$$"),
        "good good good good open",
    ),
    "conditions on indices in words": (
        f"""{SHARES}

If $i = j$, then
$${SAME}$$
Otherwise we have
$${APART}$$
""",
        "good good",
    ),
    "a condition of cases": (
        f"""{SHARES}
* Case $i = j$:
$${SAME.replace("-", "+")}$$
* Case $i \\neq j$:
$${APART}$$
""",
        "false good",
    ),
    "a condition after what it is said of": (
        f"{SHARES} We have ${SAME}$ if $i = j$, and ${APART}$ when $i \\neq j$.\n\n$${APART}$$",
        "good good open",
    ),
    "letters for layers, of weights and of functions": (
        r"""
The cost is $C = \frac{1}{2} \sum_k (s_k - r_k)^2$ with $s_k = f(u_k)$.
With $u_k = c_k + \sum_j v_{jk} f_j(u_j)$ we have, where $s_j = f_j(u_j)$ and $u_j = c_j + \sum_i v_{ij} s_i$,
$$\frac{\partial C}{\partial v_{jk}} = (s_k - r_k) f_k'(u_k) s_j$$
$$\frac{\partial C}{\partial v_{ij}} = \sum_k (s_k - r_k) f_k'(u_k) v_{jk} f_j'(u_j) s_i$$
$$\frac{\partial C}{\partial v_{ij}} = \sum_k (s_k - r_k) f_k'(u_k) v_{jk} f_k'(u_j) s_i$$
""",
        "open good good false",
    ),
}


@pytest.mark.parametrize("title", PAGES)
def test_a_page_is_read_as_people_write(title: str, tmp_path: Path) -> None:
    text, expected = PAGES[title]
    page = tmp_path / "page.md"
    page.write_text(text, encoding="utf-8")
    judged = list(Workbook(page).judged())
    words = [KINDS.get(claim.verdict.verdict, "open") for claim in judged]
    assert words == expected.split(), [(claim.latex, claim.verdict.verdict, claim.verdict.reason) for claim in judged]
