"""One claim explained: what it speaks of, how its left side is derived, and what that makes of the claim."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from derive.cases.case import Case
from derive.cases.claims_file import Entry, read_entry
from derive.claims.alone import bench_alone
from derive.claims.around import case_around
from derive.claims.bench import Bench, make_bench
from derive.claims.chain import ANY_FUNCTIONS
from derive.claims.in_model import JudgedClaim, written
from derive.claims.own_model import Quantities, bench_of, laid_out
from derive.claims.record import FORWARD, record_for
from derive.derivation import Derivation
from derive.errors import DeriveError
from derive.expr import Var
from derive.meaning.infer import build_model, compact
from derive.meaning.outline import Equation
from derive.printer import to_latex
from derive.read.spelling import render
from derive.sheet import document as doc
from derive.sheet.compose import Part, model_blocks, taken_for_granted
from derive.sheet.reasons import MARKS, mark, spans
from derive.verify.judge import Counterexample
from derive.workbook import Workbook

MOST_ENTRIES = 36  # of an array that is set as a matrix


def explain(claim: JudgedClaim, number: int, source: Workbook | Entry | None) -> doc.Document:
    """Return the derivation that proves or refutes a claim, as a document.

    Args:
        claim: The claim, judged.
        number: Its number in the report.
        source: The page, or the entry of a claims file, that it is from; None where nothing is to be derived.
    """
    place = f"line {claim.place.line}, column {claim.place.column}"
    note = (doc.Strong(claim.verdict.verdict), doc.Text(f", {place}"))
    head = doc.Equation(None, written(claim), note, mark_of(claim))
    blocks = (head, *derivation_blocks(claim, source, 1), doc.Heading(1, "Verdict"), *verdict_blocks(claim))
    return doc.Document(f"Claim {number}: {claim.verdict.verdict}", blocks)


def mark_of(claim: JudgedClaim) -> doc.Mark:
    """Return the sign of a claim's verdict."""
    return MARKS.get(claim.verdict.verdict, "open")


# ---------------------------------------------------------------- the derivation
def derivation_blocks(claim: JudgedClaim, source: Workbook | Entry | None, level: int) -> list[doc.Block]:
    """Return what is assumed, the model's equations, the steps to the left side, and both values."""
    assumed = claim.verdict.assumptions
    found = _evidence(claim, source)
    if found is None:
        return taken_for_granted(assumed)
    record, name = found
    record = replace(record, assumptions=tuple(dict.fromkeys([*record.assumptions, *assumed])))
    return [*model_blocks(Part(record), level), *_compared(claim, record, name, level)]


def _compared(claim: JudgedClaim, record: Derivation, name: Var | None, level: int) -> list[doc.Block]:
    """Show the value derived beside the value claimed."""
    found = next((e for e in record.equations if e.name == name), None)
    if found is None:
        return []
    word = "defined" if found.role in FORWARD else "derived"
    latex = f"{found.name.latex} = {to_latex(found.value)}"
    return [
        doc.Heading(level, f"{word.capitalize()} and claimed"),
        doc.Equation(None, latex, (doc.Text(word),), mark(found.check)),
        doc.Equation(None, written(claim), (doc.Text("claimed"),), mark_of(claim)),
    ]


def _evidence(claim: JudgedClaim, source: Workbook | Entry | None) -> tuple[Derivation, Var | None] | None:
    """Return the record that a claim speaks of; None where it speaks of no model, or was not understood."""
    try:
        if source is None:
            return None
        found = _in_page(claim, source) if isinstance(source, Workbook) else _in_entry(claim, source)
        return None if found is None else record_for(*found)
    except (DeriveError, NotImplementedError, RecursionError):
        return None


def _in_page(claim: JudgedClaim, book: Workbook) -> tuple[Equation, Bench] | None:
    same = ((at, c) for at, c in book.facts.claims if (c.stands, render(c.right)) == (claim.place, claim.rhs))
    order, equation = next(same, (0, None))
    if equation is None:
        return None
    if not claim.title:
        case = case_around(order, equation, book.outline, book.facts, claim.verdict.verdict)
        return bench_alone(equation, book.outline, book.facts) if case is None else _of_case(case, case.claims[0])
    sketch = book.spoken_of[equation.place.section]
    if sketch is None or claim.title == ANY_FUNCTIONS:
        return None
    return equation, make_bench(build_model(sketch, book.facts, book.outline), book.facts)


def _in_entry(claim: JudgedClaim, entry: Entry) -> tuple[Equation, Bench] | None:
    case = read_entry(entry)
    equation = next((c for c in case.claims if c.shown == (claim.lhs, claim.rhs)), None)
    return None if equation is None else _of_case(case, equation)


def _of_case(case: Case, equation: Equation) -> tuple[Equation, Bench]:
    """Return a claim of a case with its bench."""
    own = Quantities(case.facts, case.facts.definitions).own(equation)
    bench = bench_of(own, case)
    return laid_out(own.claim, bench), bench


# ---------------------------------------------------------------- the verdict
def verdict_blocks(claim: JudgedClaim) -> list[doc.Block]:
    """Return why a verdict is what it is: the reason, the slip with the formula that holds, the counterexample."""
    verdict = claim.verdict
    blocks: list[doc.Block] = [doc.Paragraph((doc.Strong(verdict.verdict), doc.Text(": "), *spans(verdict.reason)))]
    if verdict.diagnosis is not None:
        slip = verdict.diagnosis
        blocks.append(doc.Paragraph((doc.Strong(slip.kind), doc.Text(": "), *spans(slip.text))))
        blocks.append(doc.Equation(None, compact(slip.corrected), (doc.Text("this holds"),), "ok"))
    if verdict.counterexample is not None:
        blocks += _example(verdict.counterexample)
    return blocks


def _example(example: Counterexample) -> list[doc.Block]:
    rows = tuple(((doc.Math(name),), _value(value)) for name, value in example.symbols.items())
    values = doc.Table(_cells("Symbol", "Value"), rows)
    sides = ((doc.Strong("claimed"),), _value(example.claimed)), ((doc.Strong("derived"),), _value(example.derived))
    return [
        doc.Paragraph((doc.Text("A point at which it fails:"),)), values,
        doc.Paragraph((doc.Text("What both sides are there:"),)),
        doc.Table(_cells("Side", "Value"), sides),
    ]  # fmt: skip


def _cells(*words: str) -> tuple[doc.Spans, ...]:
    return tuple((doc.Text(word),) for word in words)


def _value(value: Any) -> doc.Spans:
    """Set a number, a vector as a column, or a matrix; what is larger as nested lists."""
    if not isinstance(value, list):
        return (doc.Math(_number(value)),)
    rows = [row if isinstance(row, list) else [row] for row in value]
    flat = [entry for row in rows for entry in row]
    if any(isinstance(entry, list) for entry in flat) or len(flat) > MOST_ENTRIES:
        return (doc.Code(_nested(value)),)
    return (doc.Math(rf"\begin{{bmatrix}} {_rows(rows)} \end{{bmatrix}}"),)


def _rows(rows: Sequence[Sequence[float]]) -> str:
    return r" \\ ".join(" & ".join(map(_number, row)) for row in rows)


def _nested(value: Any) -> str:
    return f"[{', '.join(map(_nested, value))}]" if isinstance(value, list) else _number(value)


def _number(value: float) -> str:
    return f"{value:.6g}"
