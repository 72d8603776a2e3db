"""The report of a check as a web page: whole, offline, and safe whatever the page says."""

from __future__ import annotations

import json
import re
from html.parser import HTMLParser
from pathlib import Path

import pytest
from test_cli import PAGE, assert_refused, run, write

from derive.markup.blocks import Formula, Prose
from derive.markup.page import read_page
from derive.sheet.prose import Passage, passages


class Tags(HTMLParser):
    """Collects the elements of a page, and the text outside its style."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.text = ""
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        while self.open and self.open.pop() != tag:
            pass

    def handle_data(self, data: str) -> None:
        if not {"style", "annotation"} & set(self.open):
            self.text += data

    def named(self, tag: str) -> list[dict[str, str | None]]:
        return [attrs for name, attrs in self.elements if name == tag]


def report(folder: Path, text: str, code: int) -> tuple[Tags, str]:
    out = folder / "report.html"
    result = run("check", write(folder, text), "-o", out)
    assert result.exit_code == code, result.output
    html = out.read_text(encoding="utf-8")
    return Tags(html), html


def words(tags: Tags) -> str:
    return " ".join(tags.text.split())


def wrong() -> str:
    return PAGE.read_text(encoding="utf-8").replace(r"\hat{y} - y $$", r"y - \hat{y} $$")


def test_the_page_stands_there_in_order_with_a_card_for_each_claim(tmp_path: Path) -> None:
    tags, _ = report(tmp_path, wrong(), 1)
    cards = tags.named("details")
    assert [card["id"] for card in cards] == [f"claim-{n}" for n in range(1, 7)]
    assert [card["class"] for card in cards] == ["claim bad", *["claim ok"] * 5]
    said = words(tags)
    parts = ["Is there a cat?", "1refuted", "A patch", "The loss", "binary cross-entropy", "What the gradients are",
             "✗ refuted", "✓ proved"]  # fmt: skip
    assert sorted(map(said.index, parts)) == list(map(said.index, parts))


def test_a_card_holds_reason_slip_and_counterexample(tmp_path: Path) -> None:
    _, html = report(tmp_path, wrong(), 1)
    card = html[html.index('id="claim-1"') : html.index('id="claim-2"')]
    inside = words(Tags(card))
    for part in ("the sides differ", "sign", "this holds", "A point at which it fails", "Taken for granted", "claimed"):
        assert part in inside
    assert r"\delta^{[2]} = \hat{y}-y<" in card, "the formula that holds, typeset"


def test_the_terminal_says_what_it_always_says(tmp_path: Path) -> None:
    plain = run("check", PAGE)
    assert run("check", PAGE, "-o", tmp_path / "r.html").stdout == plain.stdout
    as_json = run("check", PAGE, "--json", "-o", tmp_path / "j.html")
    assert json.loads(as_json.stdout)["summary"]["proved"] == 6
    assert sorted(file.name for file in tmp_path.iterdir()) == ["j.html", "r.html"]


EVIL = r"""# <script>alert(1)</script> "quoted"

Hello <img src=x onerror=alert(2)> **<b>bold</b>** [link](https://evil.example/) ![picture](https://evil.example/x.png)

$$ z = W x + b $$
$$ L = \|z\|^2 $$

Then $\frac{\partial L}{\partial W} = \href{javascript:alert(5)}{z} x^T$, and
$\foo{</math><script>alert(6)</script>} = 2$.

$$ \frac{\partial L}{\partial b} = \text{<img src=x>} z "onload="x $$

$$ \frac{\partial L}{\partial z} = 2 z $$
$$ \frac{\partial L}{\partial x} = W z, \quad a < b

<b>Not closed
"""


def test_nothing_of_the_page_becomes_markup_or_is_fetched(tmp_path: Path) -> None:
    tags, html = report(tmp_path, EVIL, 3)
    assert not {"script", "img", "b" * 2, "link", "iframe", "object"} & {tag for tag, _ in tags.elements}
    assert not re.search(r"""(?:src|href)=["'](?!#)""", html)
    assert not re.search(r"url\((?!data:)|@import", html)
    assert not [name for _, attrs in tags.elements for name in attrs if name.startswith("on")]
    assert "<script>alert(1)</script>" in tags.text and "<img src=x onerror=alert(2)>" in tags.text
    assert "evil.example" not in html


def test_what_is_not_understood_is_shown_as_it_is_written(tmp_path: Path) -> None:
    _, html = report(tmp_path, "# A\n\n$$ z = W x $$\n\n$$ \\frac{\\partial z}{\\partial W} = \\foo{x} $$\n", 3)
    assert html.count(r"<code>\frac{\partial z}{\partial W} = \foo{x}</code>") == 1
    assert "? unread" in html


def test_a_verdict_is_told_by_sign_and_word_not_by_colour_alone(tmp_path: Path) -> None:
    _, html = report(tmp_path, wrong(), 1)
    summaries = re.findall(r'<span class="verdict">(.*?)</span>', html)
    assert summaries == ["✗ refuted", *["✓ proved"] * 5]


def test_a_derivation_names_its_first_wrong_line(tmp_path: Path) -> None:
    rows = "\n&= ".join([r"\frac{\partial L}{\partial x} &= W^T z \\", r"-W^T z \\", "-W^T (W x - t)"])
    model = "# A\n\n$$ z = W x - t, \\quad L = \\frac{1}{2} z^T z $$\n\n"
    tags, html = report(tmp_path, f"{model}\\begin{{align}}\n{rows}\n\\end{{align}}\n", 1)
    assert "✗ first wrong line: 7" in words(tags)
    listed = html[html.index("What does not hold") : html.index("</section>")]
    assert "claim 2" in listed and "claim 3" not in listed, "what only follows is no second error"
    assert 'class="aligned"' not in html, "each line stands in its card, and nowhere else"


def test_a_claim_within_a_line_leaves_the_line_whole(tmp_path: Path) -> None:
    text = "# A\n\n$$ L = \\|W x\\|^2 $$\n\nHere $\\frac{\\partial L}{\\partial x} = 2 W^T W x$ holds (for any $x$).\n"
    tags, html = report(tmp_path, text, 0)
    tag = '<a class="tag ok" href="#claim-1" title="claim 1: proved">✓1</a>'
    assert f"</math>{tag} holds (for any <math>" in html
    assert [card["id"] for card in tags.named("details")] == ["claim-1"]


def test_a_claims_file_has_a_report_as_well(tmp_path: Path) -> None:
    file = tmp_path / "claims.jsonl"
    entry = {"model": ["L = x^T x"], "symbols": {"x": {"shape": ["n"]}}, "claim": r"\nabla_x L = 2 x"}
    file.write_text(json.dumps(entry), encoding="utf-8")
    out = tmp_path / "report.html"
    assert run("check", file, "-o", out).exit_code == 0
    assert len(Tags(out.read_text(encoding="utf-8")).named("details")) == 1


def test_another_ending_or_place_is_one_line_and_nothing_is_written(tmp_path: Path) -> None:
    assert_refused(run("check", PAGE, "-o", tmp_path / "r.pdf"), "r.pdf", ".html")
    assert_refused(run("check", PAGE, "-o", tmp_path / "none" / "r.html"), "cannot be written")
    assert not list(tmp_path.iterdir())


LATEX = r"""\documentclass{article}
\begin{document}
\section{Layer} % a remark
Let \emph{every} input $x$ be given~-- \textbf{bold}.
\begin{itemize}
\item first
\item second
\end{itemize}
\begin{equation}\label{eq:z} z = W x \end{equation}
\end{document}
"""


def test_the_words_of_latex_are_read_as_words(tmp_path: Path) -> None:
    page = tmp_path / "page.tex"
    page.write_text(LATEX, encoding="utf-8")
    run("check", page, "-o", tmp_path / "r.html")
    html = (tmp_path / "r.html").read_text(encoding="utf-8")
    said = words(Tags(html))
    assert "Let every input 𝑥 be given – bold." in said.replace("x be", "𝑥 be")
    assert "•first" in said and "•second" in said and "remark" not in said and "\\" not in said
    assert "<strong>bold</strong>" in html


@pytest.mark.parametrize(
    ("text", "marks"),
    [
        ("Let $x$ be\ngiven.\n\nThen $y$.", ["", ""]),
        ("- $x$: input\n- $y$: output\n  of it", ["-", "-"]),
        ("1. one\n2. two $x$", ["1.", "2."]),
        ("a $x$ - no item", [""]),
    ],
)
def test_paragraphs_and_items_are_told_apart(text: str, marks: list[str]) -> None:
    found = [part for part in passages(read_page(text, "markdown").blocks) if isinstance(part, Passage)]
    assert [part.mark for part in found] == marks


def test_no_space_stands_before_a_comma_and_one_before_a_word() -> None:
    (part,) = passages([Prose("If (", 1), Formula("x", 1, 5, False), Prose(") is", 1, 8), Formula("y", 1, 13, False)])
    assert isinstance(part, Passage)
    assert "".join(getattr(piece, "text", "$") for piece in part.pieces) == "If ($) is $"


def test_code_on_the_page_is_shown_as_code(tmp_path: Path) -> None:
    text = "# A\n\nUse `a < b`, or (`c`) of $x$:\n\n```python\nprint(1 < 2)  # $y$\n    done\n```\n\nThat is all.\n"
    _, html = report(tmp_path, text, 0)
    assert re.search(r"<p>Use <code>a &lt; b</code>, or \(<code>c</code>\) of <math>.*?</math>:</p>", html)
    assert "<pre><code>print(1 &lt; 2)  # $y$&#10;    done</code></pre>" in html
    assert html.index("</pre>") < html.index("That is all.")


def test_a_report_never_takes_the_place_of_its_page(tmp_path: Path) -> None:
    page = tmp_path / "page.html"
    page.write_text("<p>Let \\(z = W x\\).</p>", encoding="utf-8")
    assert_refused(run("check", page, "-o", page), "the page itself")
    assert page.read_text(encoding="utf-8").startswith("<p>Let")
