"""Sheets: every format of every formula, hostile input, determinism, whole files or none."""

from __future__ import annotations

import json
import re
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import pytest
import typst as typst_package
from hypothesis import example, given, settings
from hypothesis import strategies as st

from derive.errors import DeriveError
from derive.sheet import font
from derive.sheet.document import (
    Bullets,
    Code,
    Document,
    Equation,
    Heading,
    Math,
    Paragraph,
    Rule,
    StepRow,
    Steps,
    Strong,
    Table,
    Text,
)
from derive.sheet.html import to_html
from derive.sheet.layout import parse_math, tex_source
from derive.sheet.mathml import to_mathml
from derive.sheet.pdf import to_pdf, to_typst
from derive.sheet.plain import to_markdown, to_notebook, to_tex, to_text, width_of
from derive.sheet.text import to_unicode
from derive.sheet.typst import escape_markup, to_typst_math
from derive.sheet.write import SUFFIXES, render, save_document

FORMULAS = [
    r"Z^{[1]} = W^{[1]} x + b^{[1]}",
    r"\delta^{[1]} = (W^{[2]})^T \delta^{[2]} \circ \sigma'(Z^{[1]})",
    r"\frac{\partial L}{\partial W^{[2]}} = \delta^{[2]} (a^{[1]})^T",
    r"L = -\left[ y \log(\hat{y}) + (1-y)\log(1-\hat{y}) \right]",
    r"\hat{y}_j = \frac{\exp(z_j)}{\sum_{k=1}^{K} \exp(z_k)}",
    r"J = \frac{1}{N}\sum_{i=1}^{N} L^{(i)}",
    r"Z = W^{[1]}X + b^{[1]}\mathbf{1}^T",
    r"\mathrm{ReLU}(x) = \begin{cases} x & \text{if } x > 0 \\ 0 & \text{otherwise} \end{cases}",
    r"\begin{pmatrix} 1 & 0 \\ 0 & 1 \end{pmatrix} \begin{bmatrix} a \\ b \end{bmatrix}",
    r"\begin{aligned} a &= b \\[2pt] c &= d \end{aligned}",
    r"a &= b \\ c &= d",
    r"\theta \leftarrow \theta - \eta \nabla_\theta \mathcal{L}(\theta)",
    r"W \in \mathbb{R}^{h \times n}, \boldsymbol{\theta}, \mathbf{x}^\top \mathbf{x}",
    r"\|x\|_2^2 = \langle x, x \rangle, \quad |x| \ne \infty",
    r"\underbrace{a + b}_{\text{sum}} \overbrace{c}^{d}",
    r"\sqrt[3]{x} + \sqrt{1 + x^2} + \tfrac12 + \dfrac{a}{b} + \binom{n}{k}",
    r"\operatorname*{argmax}_x f(x), \operatorname{softmax}(z), \lim_{n \to \infty} a_n, \max_k z_k",
    r"\int_0^1 f(x)\,dx, \prod_i p_i, \bigl( \bigl( x \bigr) \bigr)",
    r"\bar{W} \tilde{x} \dot{x} \ddot{x} \vec{v} \widehat{xy} \overline{X} \underline{x}",
    r"\color{red} x \textcolor{blue}{y} \foo{z} f'' f'^2 f'_i \not= \not\in",
    r"a \odot b \otimes c \cdot d \le e \ge f \approx g \equiv h \ldots \cdots \vdots \mid i",
    r"\left. x \right| \left\{ a \right\} \left\| v \right\rangle [0, 1) \{a\}",
    r"x^{} {}^T _i '",
    r"\overset{!}{=} \xrightarrow{d} \substack{i \\ j} a \bmod b \pmod{c} {n \over k}",
    r"\text{a $x^2$ b} \mathrm{d}x 1{,}000 3.14",
]
HOSTILE = [
    "</math><script>alert(1)</script>",
    '#import "@preview/x:1.0.0"; #read("/etc/passwd")',
    r"\input{/etc/passwd} \write18{ls} $x$ 100% _a_ ^b^ ~c~ `d` [e](f) <b> & \\ {",
    "$ #panic() $",
    '"+ read("x") +"',
    "--> ]] ) #x",
    "a\x00b\ud800c\ufffe",
    "// no comment /* nor this */",
    "1. no list",
]
DEEP = ["{" * 5000, "(" * 5000, r"\frac{" * 2000, r"\hat" * 3000, "x" + "^a" * 3000, r"\left(" * 2000,
    "x_" * 3000,
        r"\begin{pmatrix}" * 1000, r"a \over " * 2000, r"\sqrt[" * 2000, r"\text{$" * 500, "x" + "'" * 3000,
        "((x)^2" * 500 + "{x}" * 1000, r"\underbrace{(" * 300, r"{\frac{(\hat{" * 300]  # fmt: skip


def sheet(text: str = "A sheet", latex: str = r"\hat{y}") -> Document:
    spans = (Text(text), Math(latex), Strong(text), Code(text))
    return Document(
        text,
        (
            Heading(1, text), Heading(2, text), Heading(3, text), Heading(1, "Last"), Paragraph(spans),
            Equation("1", latex, spans, "ok", text), Equation(None, latex), Equation(text, latex, (), "bad"),
            Steps((StepRow(latex, latex, spans, "open"), StepRow("", latex), StepRow("a", r"\le b"))),
            Table((spans, spans), ((spans, spans), (spans,))), Bullets((spans, ())), Rule(),
        ),
        spans,
    )  # fmt: skip


def compile_typst(source: str) -> bytes:
    made = typst_package.Compiler(source.encode(), ignore_system_fonts=True).compile(format="pdf")
    assert isinstance(made, bytes)
    return made


@pytest.mark.parametrize("latex", [*FORMULAS, *HOSTILE])
def test_mathml_of_every_formula_is_well_formed_and_carries_its_source(latex: str) -> None:
    root = ElementTree.fromstring(to_mathml(latex, display=True))
    assert root.tag == "math"
    assert {element.tag for element in root.iter()} <= {
        "math", "semantics", "annotation", "mrow", "mi", "mn", "mo", "mtext", "mspace", "mfrac",
        "msqrt", "mroot",
        "mstyle", "mover", "munder", "munderover", "msub", "msup", "msubsup", "mtable", "mtr", "mtd",
        "mpadded",
    }  # fmt: skip


def test_typst_compiles_every_formula() -> None:
    compile_typst("\n\n".join(f"$ {to_typst_math(latex)} $" for latex in [*FORMULAS, *HOSTILE]))


@pytest.mark.parametrize("latex", DEEP, ids=range(len(DEEP)))
def test_depth_is_bounded_in_every_format(latex: str) -> None:
    ElementTree.fromstring(to_mathml(latex))
    to_unicode(latex)
    tex_source(latex)
    compile_typst(f"$ {to_typst_math(latex)} $")


@pytest.mark.parametrize(
    ("latex", "line"),
    [
        (r"\frac{\partial L}{\partial W^{[2]}} = \delta^{[2]} (a^{[1]})^T", "∂L/∂W^[2] = δ^[2] (a^[1])ᵀ"),
        (r"\hat{y}", "ŷ"),
        (r"\sigma'(Z^{[1]})", "σ'(Z^[1])"),
        (r"\sum_j y_j \log(\hat{y}_j)", "∑_j y_j log(ŷ_j)"),
        (r"\frac{a+b}{c+d}", "(a + b)/(c + d)"),
        (r"\frac{1}{2\sigma}", "1/(2σ)"),
        (r"\frac{\frac{a}{b}}{c}", "(a/b)/c"),
        (r"x^2 + x^{-1} + x_1 + x^{a+b}", "x² + x⁻¹ + x₁ + x^(a+b)"),
        (r"\|x\|_2^2", "‖x‖₂²"),
        (r"-a - -b", "-a - -b"),
        (r"\mathbb{R}^{h \times n}", "ℝ^(h×n)"),
        (r"\begin{cases} x & \text{if } x > 0 \\ 0 & \text{else} \end{cases}", "{ x if x > 0; 0 else }"),
        (r"\begin{pmatrix} a & b \\ c & d \end{pmatrix}", "(a, b; c, d)"),
        (r"\unknown{x}", "unknown x"),
        (r"w^\top x", "wᵀ x"),
    ],
)
def test_text_reads_as_a_person_would_type_it(latex: str, line: str) -> None:
    assert to_unicode(latex) == line


def test_a_transpose_has_the_whole_group_as_its_base() -> None:
    base = ElementTree.fromstring(to_mathml("(W^{[2]})^T")).find(".//msup")
    assert base is not None
    assert "".join(base[0].itertext()) == "(W[2])"
    assert "".join(base[1].itertext()) == "T"


def test_a_hat_does_not_stretch_and_a_function_applies_to_its_argument() -> None:
    assert re.search(r'<mover accent="true"><mi>y</mi><mo stretchy="false"', to_mathml(r"\hat{y}"))
    assert "<mi>log</mi><mo>&#x2061;</mo>" in to_mathml(r"\log(x)")
    assert "<mi>log</mi><mo>&#x2061;</mo><mspace" in to_mathml(r"\log x")


def test_what_is_unknown_or_unbalanced_is_still_shown() -> None:
    assert to_unicode(r"\frobnicate x") == "frobnicate x"
    for letters in (
        r"\left( a",
        "{a",
        "a}",
        r"a \right)",
        r"\frac{a}",
        r"\begin{cases} a",
        r"\end{a} a",
        "(a]",
        "[a",
    ):
        assert "a" in to_unicode(letters)


PIECES = [*r"\{}[]()^_&'$ab1+-=,|. ", *(rf"\{name} " for name in (
    "frac", "sqrt", "left", "right", "hat", "sum", "log", "begin{cases}", "end{cases}", "\\", "text",
    "mathbf", "over",
    "big", "not", "limits", "operatorname", "underbrace", "mathop", "substack", "color", "bf", "circ",
    "xrightarrow",
))]  # fmt: skip


@given(st.text() | st.lists(st.sampled_from(PIECES), max_size=40).map("".join))
@example("\\")
@example("x^")
@example("\\frac")
@settings(max_examples=400, deadline=None)
def test_no_string_stops_the_parser_or_a_printer(latex: str) -> None:
    parse_math(latex)
    ElementTree.fromstring(to_mathml(latex))
    to_unicode(latex)
    to_typst_math(latex)
    source = tex_source(latex)
    assert source is None or r"\input" not in source


@given(st.lists(st.text(min_size=1), min_size=1, max_size=8))
@settings(max_examples=25, deadline=None)
def test_typst_shows_any_text_and_any_formula_without_running_it(texts: list[str]) -> None:
    compile_typst("\n\n".join(f"{escape_markup(text)} $ {to_typst_math(text)} $" for text in texts))


@pytest.mark.parametrize("text", HOSTILE)
@pytest.mark.parametrize("suffix", SUFFIXES)
def test_hostile_text_passes_as_text_in_every_format(text: str, suffix: str) -> None:
    made = render(sheet(text, text), suffix)
    if suffix == ".html":
        page = made.decode()
        assert "<script" not in page and "alert(1)</" not in page.replace("&lt;/", "")
    if suffix == ".tex":
        assert not re.search(r"\\(?:input|write)\b", made.decode().replace(r"\textbackslash{}", ""))
    if suffix == ".ipynb":
        json.loads(made)


def test_a_formula_that_latex_would_refuse_is_quoted() -> None:
    for latex in (r"\input{x}", r"\text{\input{x}}", r"\operatorname{\input{x}}",
    r"\color{\input{x}} a", "{a", "a}",
                  r"\left( a", "x^a^b", r"\begin{array}{>{\input{x}}c} a \end{array}",
                  r"\sqrt[\input{x}]{a}", "a $ b",
                  r"\def\a{b}", r"\begin{cases} a \end{matrix}", r"\hat", "σ"):  # fmt: skip
        assert tex_source(latex) is None, latex
    refused = {latex for latex in FORMULAS if tex_source(latex) is None}
    assert len(refused) < 7, refused


def test_text_of_a_sheet_stays_within_its_width() -> None:
    document = sheet("word " * 40, " + ".join(rf"\frac{{a_{i}}}{{b}}" for i in range(40)))
    for width in (40, 80, 100):
        assert max(map(width_of, to_text(document, width).splitlines())) <= width


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_the_same_sheet_gives_the_same_bytes(suffix: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(font, "user_cache_dir", lambda _name: str(tmp_path / "one"))
    first = render(sheet(), suffix)
    monkeypatch.setattr(font, "user_cache_dir", lambda _name: str(tmp_path / "two"))
    assert render(sheet(), suffix) == first


def test_a_page_needs_nothing_from_outside() -> None:
    page = to_html(sheet())
    assert not re.search(r"https?://|<script|<link|@import|src=", page)
    assert "data:font/woff2;base64," in page and 'name="generator" content="derive ' in page
    assert page.count("<nav") == 1 and to_html(Document("t", (Heading(1, "a"),))).count("<nav") == 0


def test_a_page_is_made_where_the_cache_cannot_be_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_text("not a folder")
    monkeypatch.setattr(font, "user_cache_dir", lambda _name: str(tmp_path / "file"))
    assert "data:font/woff2" in to_html(sheet())


def test_a_page_is_made_without_the_font(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(font, "find_spec", lambda _name: None)
    assert "@font-face" not in to_html(sheet())


def test_a_pdf_is_a_pdf_and_typst_is_its_source() -> None:
    assert to_pdf(sheet()).startswith(b"%PDF-")
    assert "#equation-line(" in to_typst(sheet())


def test_tex_and_markdown_take_the_formula_as_it_is() -> None:
    latex = r"\frac{\partial L}{\partial W^{[2]}} = \delta^{[2]} (a^{[1]})^T"
    document = Document("t", (Equation("3", latex), Steps((StepRow("a", "b", (Text("why"),)),))))
    assert rf"{latex} \tag{{3}}" in to_tex(document) and rf"{latex} \tag{{3}}" in to_markdown(document)
    assert r"a & = b" in to_tex(document) and r"a & = b" in to_markdown(document)
    assert "\\begin{document}" in to_tex(document) and to_tex(document).endswith("\\end{document}\n")


def test_a_notebook_has_markdown_cells_with_valid_distinct_ids() -> None:
    notebook = json.loads(to_notebook(sheet()))
    ids = [cell["id"] for cell in notebook["cells"]]
    assert (notebook["nbformat"], notebook["nbformat_minor"]) == (4, 5)
    assert len(set(ids)) == len(ids) > 1 and all(re.fullmatch(r"[\w-]{1,64}", name) for name in ids)


def test_a_sheet_is_written_whole(tmp_path: Path) -> None:
    for suffix in SUFFIXES:
        path = save_document(sheet(), tmp_path / f"sheet{suffix}")
        assert path.read_bytes() == render(sheet(), suffix)
    assert len(list(tmp_path.iterdir())) == len(SUFFIXES)


def test_a_failed_write_leaves_the_old_file_and_nothing_else(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    target = tmp_path / "sheet.md"
    target.write_text("old")

    def fail(_self: Path, _target: Path) -> Path:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "replace", fail)
    with pytest.raises(DeriveError, match=r"sheet\.md.*No space left on device"):
        save_document(sheet(), target)
    assert [path.name for path in tmp_path.iterdir()] == ["sheet.md"] and target.read_text() == "old"


def test_a_missing_folder_and_an_unknown_suffix_are_named(tmp_path: Path) -> None:
    with pytest.raises(DeriveError, match=r"nowhere.*cannot be written"):
        save_document(sheet(), tmp_path / "nowhere" / "sheet.md")
    for name in ("sheet.docx", "sheet"):
        with pytest.raises(DeriveError, match=r"\.html, \.pdf, \.tex, \.md, \.txt, \.ipynb"):
            save_document(sheet(), tmp_path / name)
    assert not list(tmp_path.iterdir())
