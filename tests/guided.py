r"""Pages and formulas grown by coverage: what reaches new lines of the reader is kept and changed further.

`python tests/guided.py 900` runs for so many seconds and prints every failure with the shortest input found for it; a
second number is the seed; `--judge` judges the claims of the pages as well. A failure is any exception, an answer that
`mutations.py` calls wrong, or an input that takes too long. It needs `pip install -e ".[fuzz]"`: atheris, libFuzzer for
Python, which has wheels for every Python that we support, counts the branches of bytecode, and also learns from the
strings that the code compares with. Blind mutations are in `mutations.py`, from whose seeds this one starts.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
import traceback
from pathlib import Path

import atheris

with atheris.instrument_imports(include=["derive.read", "derive.verify", "derive.workbook"]):
    from mutations import PAGES, SPICE, check_formula, check_page, formulas

    from derive.bounded import Steps
    from derive.errors import DeriveError
    from derive.markup.page import KINDS
    from derive.report import to_json
    from derive.workbook import Workbook

EXAMPLES = Path(__file__).parents[1] / "examples"
SLOW = 5.0  # seconds for one input
HANGS = 60  # seconds after which libFuzzer ends the run and prints where it stands
LONGEST = 4_000  # bytes; long inputs are the affair of test_mutations.py
SCANNED = [kind for kind in KINDS if kind != "notebook"]
WAYS = ["formula", *KINDS]
ENDINGS = {"markdown": "md", "latex": "tex", "rst": "rst", "html": "html", "text": "txt", "notebook": "ipynb"}


def seeds() -> list[bytes]:
    """Give the inputs to begin with: a byte for how it is read, and the text."""
    texts = [("formula", latex) for latex in formulas()]
    texts += [(kind, page) for page in PAGES for kind in KINDS]
    texts += [("markdown", f"Let $L = f(x)$ and $y = W x$.\n\n$${latex}$$\n") for latex in formulas()]
    texts += [("markdown", path.read_text("utf-8")) for path in sorted(EXAMPLES.glob("*.md"))]
    return [bytes([WAYS.index(way)]) + text.encode("utf-8", "replace")[:LONGEST] for way, text in texts]


def answer(data: bytes, judge: bool) -> str:
    """Read an input; give what is wrong with the answer, or nothing."""
    way, text = WAYS[data[0] % len(WAYS)], data[1:].decode("utf-8", "replace")
    begin = time.process_time()
    try:
        wrong = check_formula(text) if way == "formula" else _page(text, way, judge)
    except DeriveError:  # what is documented
        wrong = ""
    except Exception as error:  # whatever it is, it is what is looked for
        last = traceback.extract_tb(error.__traceback__)[-1]
        wrong = f"{type(error).__name__} at {Path(last.filename).name}:{last.lineno}: {error}"
    spent = time.process_time() - begin
    return f"{spent:.1f} s" if spent > SLOW else wrong


def _page(text: str, kind: str, judge: bool) -> str:
    if judge:
        book = Workbook(f"page.{ENDINGS[kind]}", content=text.encode("utf-8", "replace"))
        to_json("page", book.symbols(), list(book.judged_by(Steps())))  # here: no coverage comes of another process
        return ""
    return check_page(text, kind) if kind in SCANNED else ""


def kind_of_failure(wrong: str) -> str:
    """Tell failures apart: by the exception and its place; wrong answers are of one kind, slow ones of another."""
    return wrong.partition(": ")[0] if " at " in wrong else "slow" if wrong.endswith(" s") else "answer"


def main() -> None:
    """Run from the command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("seconds", type=int)
    parser.add_argument("seed", type=int, nargs="?", default=1)
    parser.add_argument("--judge", action="store_true")
    given = parser.parse_args()
    shortest: dict[str, int] = {}

    def one_input(data: bytes) -> None:
        wrong = answer(data, given.judge) if data else ""
        kind = kind_of_failure(wrong)
        if wrong and len(data) < shortest.get(kind, LONGEST + 1):
            shortest[kind] = len(data)
            print(f"{WAYS[data[0] % len(WAYS)]} {data[1:].decode('utf-8', 'replace')!r}\n    {wrong}", flush=True)

    with tempfile.TemporaryDirectory() as folder:
        for number, seed in enumerate(seeds()):
            (Path(folder) / str(number)).write_bytes(seed)
        words = Path(folder) / "words.dict"
        words.write_text("".join(f'"{_escaped(word)}"\n' for word in SPICE))
        options = {
            "max_total_time": given.seconds, "seed": given.seed, "timeout": HANGS, "max_len": LONGEST, "len_control": 0,
            "dict": words, "artifact_prefix": f"{tempfile.gettempdir()}/derive-", "verbosity": 0,
        }  # fmt: skip
        atheris.Setup([sys.argv[0], *(f"-{key}={value}" for key, value in options.items()), folder], one_input)
        atheris.Fuzz()


def _escaped(word: str) -> str:
    return "".join(rf"\x{byte:02x}" for byte in word.encode("utf-8", "replace"))


if __name__ == "__main__":
    main()
