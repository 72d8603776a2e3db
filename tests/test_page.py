"""Pages: which blocks, in which order, on which line."""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from derive.errors import DeriveError
from derive.markup.page import KINDS, Broken, Formula, Heading, Page, Prose, load_page, read_page
from derive.meaning.outline import outline
from derive.read.latex import read_parts
from derive.workbook import Workbook

SEEDS = Path(__file__).parents[2] / "shared" / "seeds"
MARKUPS = [kind for kind in KINDS if kind != "notebook"]


def formulas(page: Page) -> list[str]:
    return [block.latex for block in page.blocks if isinstance(block, Formula)]


def headings(page: Page) -> list[tuple[int, str]]:
    return [(block.level, block.text) for block in page.blocks if isinstance(block, Heading)]


def seed(prefix: str) -> Path:
    found = sorted(SEEDS.glob(f"{prefix}*.txt"))
    if not found:
        pytest.skip(f"NOT CHECKED: the page {prefix} is not on this machine; it would be under {SEEDS}")
    return found[0]


def test_a_formula_stands_between_the_words_around_it():
    page = read_page("where $x$ is the input", "markdown")
    assert page.blocks == (Prose("where", 1, 1), Formula("x", 1, 8, False), Prose("is the input", 1, 11))


def test_double_dollars_are_display_only_where_they_stand_alone():
    page = read_page("- $$ x $$: input\n\n$$ y = x $$\n", "markdown")
    assert [(block.latex, block.display) for block in page.formulas()] == [("x", False), ("y = x", True)]


def test_line_and_column_are_those_of_the_file():
    page = read_page("---\ntitle: t\n---\n\nab $$\n  x + y\n$$", "markdown")
    assert page.formulas() == (Formula("x + y", 6, 3, False),)


@pytest.mark.parametrize("text", ["costs $5 and $6", "between $5\n\nand 6$", r"\$x\$", "5$ or 6$ each", "$ x$"])
def test_money_is_no_formula(text):
    assert formulas(read_page(text, "markdown")) == []


@pytest.mark.parametrize(
    "text",
    ["```python\n$x$\n```", "`$x$`", "~~~\n$x$\n~~~", "<!-- $x$ -->", "````\n```\n$x$\n````", "```\n$x$"],
)
def test_code_and_comments_in_markdown_hold_no_formula(text):
    assert formulas(read_page(text, "markdown")) == []


def test_every_delimiter_of_markdown_is_known():
    text = "\n\n".join([r"\(a\)", r"\[b\]", "```math\nc\n```", "$`d`$", "$e$", r"\\(f\\)", r"\\[g\\]"])
    assert formulas(read_page(text, "markdown")) == list("abcdefg")


def test_headings_of_markdown_lose_their_attributes():
    text = "# One {#id}\n\n## Two ##\n\nThree\n=====\n\n### 1.1 Four\n{: .no_toc}\n"
    assert headings(read_page(text, "markdown")) == [(1, "One"), (2, "Two"), (1, "Three"), (3, "1.1 Four")]


def test_a_latex_document_is_read_with_its_macros_and_without_its_comments():
    text = r"""\documentclass{article}
\newcommand{\pd}[2]{\frac{\partial #1}{\partial #2}}
\def\W{\mathbf{W}}
\DeclareMathOperator{\relu}{relu}
\begin{document}
\section{Model}
% $not$ this
Then $\pd{L}{\W}$ is \begin{equation*} a % nor this
= \relu(z) \end{equation*}
\begin{verbatim} $nor$ \end{verbatim}
\end{document}
"""
    page = read_page(text)
    assert headings(page) == [(1, "Model")]
    first, second = page.formulas()
    assert first == Formula(r"\frac{\partial L}{\partial \mathbf{W}}", 8, 7, False)
    assert second.latex.split() == [
        r"\begin{equation*}",
        "a",
        "=",
        r"\operatorname{relu}(z)",
        r"\end{equation*}",
    ]


@pytest.mark.parametrize(
    "bomb",
    [r"\def\a{\a\a}", r"\newcommand{\a}{\b\b}\newcommand{\b}{\a\a}", r"\newcommand{\a}[1]{#1#1\a{#1}}"],
)
def test_macros_that_grow_forever_stop(bomb):
    begin = time.process_time()
    page = read_page(bomb + r" $x \a{y}$ " * 20, "markdown")
    assert all(len(latex) < 100_000 for latex in formulas(page))
    assert time.process_time() - begin < 5


def test_restructured_text_has_directives_and_roles():
    text = "Title\n=====\n\nwith :math:`x_1` and\n\n.. math::\n   :label: a\n\n   y = x\n\n"
    text += "``$no$``\n\n.. code::\n\n   $no$\n"
    page = read_page(text)
    assert headings(page) == [(1, "Title")]
    assert page.formulas() == (Formula("x_1", 4, 13, False), Formula("y = x", 9, 4, True))


def test_html_has_entities_tags_and_scripts():
    text = (
        "<html><h2>The <i>loss</i></h2><script>var x = '$no$';</script><style>$no$</style>"
        '<p>If $a &lt; b$ <code>$no$</code> <script type="math/tex; mode=display">c &amp; d</script></p>'
    )
    page = read_page(text)
    assert headings(page) == [(2, "The loss")]
    assert [(block.latex, block.display) for block in page.formulas()] == [("a < b", False), ("c & d", True)]


def test_plain_text_headings_stand_alone_and_end_without_a_stop():
    text = "a title\n\n   indented text.\n\nA sentence ends.\n\nfirst line\nsecond line\n\nanother title\n\nend."
    assert headings(read_page(text, "text")) == [(1, "a title"), (1, "another title")]


def test_a_formula_in_plain_text_may_go_over_lines_but_not_over_a_paragraph():
    assert formulas(read_page("$a +\n   b$ and $c\n\nd$", "text")) == ["a +\n   b"]


UNCLOSED = {
    "a blank line ends it": ("before\n\n$$ a = b\n\nand then $$ c = d $$ and $e$", "markdown", 3, ["c = d", "e"]),
    "a heading ends it": ("$$ a = b\n# Next\n$$\nc = d\n$$", "markdown", 1, ["c = d"]),
    "prose shows it": ("$$ a = b\nand so we have that $$ c = d $$ holds", "markdown", 1, ["c = d"]),
    "brackets": ("\\[ a = b\n\n\\[ c = d \\]", "latex", 1, ["c = d"]),
    "an environment": (
        "\\begin{align} a &= b\n\nThen\n\\begin{align} c &= d \\end{align}",
        "latex", 1, ["\\begin{align} c &= d \\end{align}"],
    ),
}  # fmt: skip


@pytest.mark.parametrize(("text", "kind", "line", "others"), UNCLOSED.values(), ids=UNCLOSED)
def test_a_formula_that_is_never_closed_is_said_and_leaves_the_rest_of_the_page(text, kind, line, others):
    page = read_page(text, kind)
    (broken,) = (block for block in page.blocks if isinstance(block, Broken))
    assert (broken.line, "never closed" in broken.reason) == (line, True)
    assert formulas(page) == others
    assert [(one.place.line, one.reason) for one in outline(page).unread] == [(line, broken.reason)]


def test_an_empty_line_inside_dollars_parts_two_equations():
    page = read_page("$$\na = b\n\nc = d\n$$\n\nand $e$", "markdown")
    assert [(block.latex, block.line) for block in page.formulas()] == [("a = b", 2), ("c = d", 4), ("e", 7)]


def test_dollars_with_spaces_hold_a_formula_where_it_is_no_money():
    assert formulas(read_page("is $ a = b $ here, $ \\alpha $; pay $5 or $6, $ x$", "markdown")) == ["a = b", r"\alpha"]


def test_doubled_backslashes_are_undone_where_markdown_would():
    page = read_page("\\\\[ \\\\{a\\\\} = b\\_1 \\\\\\\\ c = d \\\\]", "markdown")
    assert formulas(page) == ["\\{a\\} = b_1 \\\\ c = d"]


PLACES = [
    ("markdown", "text\n\n  $$ a &= x \\\\\n  AAA &= y $$"),
    ("markdown", "\\newcommand{\\long}{\\alpha\\beta\\gamma}\n$\\long = x; AAA = y$"),
    ("latex", "\\def\\v#1{\\mathbf{#1}}\n\\[ \\v{b} = c, % note\n AAA = y \\]"),
    ("html", "<p>\\(a &lt;<i>b</i> x; AAA = y\\)"),
    ("rst", "T\n=\n\n.. math::\n   :label: l\n\n   b = c \\\\\n   AAA = y\n"),
    ("rst", "+-----------+-----------+\n| .. math:: | .. math:: |\n|   b = c,  |   c = d;  |\n"
            "|   z = w   |   AAA = y |\n+-----------+-----------+\n"),
]  # fmt: skip


@pytest.mark.parametrize(("kind", "text"), PLACES)
def test_the_place_of_each_statement_is_where_it_stands_in_the_file(kind, text):
    page = read_page(text, kind)
    lines = text.split("\n")
    places = []
    for formula in page.formulas():
        assert lines[formula.line - 1][formula.column - 1 :].startswith((formula.latex[:1], "\\long", "\\v"))
        places += [formula.place(part.column) for part in read_parts(formula.latex) if part.latex.startswith("A")]
    ((line, column),) = places
    assert lines[line - 1][column - 1 :].startswith("AAA")


def test_the_markdown_cells_of_a_notebook_are_numbered_through(tmp_path):
    path = tmp_path / "a.ipynb"
    sources = [["# T\n", "\n", "$a = b$"], "1\n2", "$$ open\n= x", "$c$"]
    kinds = ["markdown", "code", "markdown", "markdown"]
    cells = [{"cell_type": kind, "source": source} for kind, source in zip(kinds, sources, strict=True)]
    path.write_text(json.dumps({"cells": cells}))
    page = load_page(path)
    assert [(block.latex, block.line, page.spot(block.line)) for block in page.formulas()] == [
        ("a = b", 3, (1, 3)), ("c", 8, (4, 1)),
    ]  # fmt: skip
    assert [page.spot(block.line) for block in page.blocks if isinstance(block, Broken)] == [(3, 1)]
    assert (headings(page), page.cells) == ([(1, "T")], (1, 4, 6, 8))


def test_wrappers_of_papers_are_displayed_formulas():
    text = "\\section{S}\n\\alns{\n a &= \\frac{b}{c} \\\\\n d &= e\n}\n\\beq x = y \\eeq\n"
    text += "\\footnote{\nno = words in a row\n}"
    assert [" ".join(latex.split()) for latex in formulas(read_page(text, "latex"))] == [
        r"a &= \frac{b}{c} \\ d &= e", "x = y",
    ]  # fmt: skip


def test_a_formula_that_begins_with_its_relation_goes_on_with_the_chain_before():
    found = outline(read_page("$a = b$\n\n$= c$\n\n# New\n\n$= d$", "markdown"))
    assert [(equation.left.base, equation.right.base) for equation in found.equations] == [("a", "b"), ("a", "c")]
    assert [one.place.line for one in found.unread] == [7]


def test_what_holds_under_a_condition_only_is_not_taken_for_what_holds():
    found = outline(read_page(r"$x_i = 0 \text{ if } i = j$, $y_i = 1 \text{ for } i = 1, \ldots, n$", "markdown"))
    assert [equation.left.base for equation in found.equations] == ["y"]
    assert [one.latex for one in found.unread] == ["x_i = 0"]


def test_macros_that_the_page_does_not_define_are_listed():
    found = outline(read_page(r"\newcommand{\bW}{W_b} $\bW = \bx$ and $\R = \bx$", "markdown"))
    assert [sentence.split(",")[0] for sentence in found.assumed] == [r"\bx", r"\R"]


def test_an_unknown_kind_is_refused():
    with pytest.raises(ValueError, match="markdown"):
        read_page("", "docx")


def test_a_page_that_cannot_be_loaded_says_why(tmp_path):
    with pytest.raises(DeriveError, match="directory"):
        load_page(tmp_path)
    with pytest.raises(DeriveError, match="No such file"):
        load_page(tmp_path / "missing.md")
    with (tmp_path / "big.md").open("wb") as big:
        big.truncate(20_000_001)
    with pytest.raises(DeriveError, match="20000000"):
        load_page(tmp_path / "big.md")


def test_broken_utf8_is_replaced(tmp_path):
    (tmp_path / "a.md").write_bytes(b"\xff $x$ \xfe")
    assert formulas(load_page(tmp_path / "a.md")) == ["x"]


@pytest.mark.parametrize("kind", MARKUPS)
@pytest.mark.parametrize(
    "piece", ["$ a ", r"\[ ", "$$ a\n\n", r"\begin{align} ", "` `` ", "<h1>", "a\n\n", r"\newcommand{\a}{"]
)
def test_a_page_of_openings_takes_linear_time(kind, piece):
    begin = time.process_time()
    read_page(piece * (500_000 // len(piece)), kind)
    assert time.process_time() - begin < 5  # quadratic time would be minutes


@settings(max_examples=200, deadline=None)
@given(st.text(alphabet="$\\[](){}`#-=~ \n\tax1<>&;:.|_^%") | st.text(), st.sampled_from(MARKUPS))
def test_any_text_is_a_page_with_blocks_in_order(text, kind):
    lines = [block.line for block in read_page(text, kind).blocks]
    assert lines == sorted(lines)


def test_the_first_seed_page_is_split_as_a_reader_would():
    page = load_page(seed("000"))
    assert len(page.formulas()) == 161
    assert (1, "estimating a function") in headings(page)


def test_the_second_seed_page_is_split_as_a_reader_would():
    page = load_page(seed("001"))
    assert len(page.formulas()) == 57
    assert sum(block.display for block in page.formulas()) == 31
    assert (4, "Binary Cross-Entropy for Classification:") in headings(page)


# ---------------------------------------------------------------- what must not be guessed
GUARDS = [
    ("Z = XW", r"L = \text{sum}((Z-Y)^2)", r"\frac{\partial L}{\partial W} = 2X^T(Z-Y)", "a square of every entry"),
    ("z = Wx", r"L = \frac12 \|z-y\|^2 + \frac{\lambda}{2} \text{sum}(W^2)",
     r"\frac{\partial L}{\partial W} = (z-y)x^T + \lambda W", "a penalty on every entry"),
    (r"z = (A+\lambda I)x", r"L = \frac12 \|z-y\|^2",
     r"\frac{\partial L}{\partial x} = A^T(z-y)+\lambda(z-y)", "an identity matrix"),
    (r"z = Wx \\ a = \text{LeakyReLU}(z)", r"L = \frac12\|a-y\|^2",
     r"\frac{\partial L}{\partial z} = (a-y)\odot\text{LeakyReLU}'(z)", "a function without its constant"),
]  # fmt: skip


@pytest.mark.parametrize(("model", "loss", "claim", "what"), GUARDS, ids=lambda value: value[:20])
def test_a_true_claim_with_a_notation_of_two_readings_is_never_refuted(
    tmp_path: Path, model: str, loss: str, claim: str, what: str
) -> None:
    page = tmp_path / "page.md"
    page.write_text(f"# {what}\n\n$${model}$$\n\n$${loss}$$\n\n$${claim}$$\n", encoding="utf-8")
    verdicts = [judged.verdict.verdict for judged in Workbook(page).judged()]
    assert verdicts == ["proved"], what
