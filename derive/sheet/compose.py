"""From records to a document: what is defined, each backward step with its rule and its check, the updates."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy
import sympy

from derive.derivation import Derivation, Equation
from derive.expr import Var, variables
from derive.printer import shape_latex, to_latex
from derive.sheet import document as doc
from derive.sheet.floating import in_floating_point
from derive.sheet.reasons import MARKS, because, mark, spans
from derive.stable.forms import StableForm
from derive.version import VERSION


@dataclass(frozen=True, slots=True)
class ClaimLine:
    """A claim of the page as a sheet shows it: the formula, its verdict, a note."""

    latex: str
    verdict: str
    note: str
    line: int


@dataclass(frozen=True, slots=True)
class Part:
    """One model on a sheet: its record, the claims that the page makes about it, stable forms if they are asked for."""

    derivation: Derivation
    claims: tuple[ClaimLine, ...] = ()
    forms: tuple[StableForm, ...] | None = None


def compose(title: str, parts: Sequence[Part], notes: Iterable[str] = ()) -> doc.Document:
    """Return the sheet of one or several models; `notes` are remarks on the whole page."""
    blocks: list[doc.Block] = [doc.Paragraph(spans(note)) for note in notes]
    single = len(parts) == 1
    for part in parts:
        if not (single and part.derivation.title == title):
            blocks.append(doc.Heading(1, part.derivation.title))
        blocks += model_blocks(part, 1 if single and part.derivation.title == title else 2)
    return doc.Document(title, tuple(blocks), _footer([part.derivation for part in parts]))


def model_blocks(part: Part, level: int) -> list[doc.Block]:
    """Return what a sheet says of one model, under headings of a level."""
    derivation = part.derivation
    blocks: list[doc.Block] = [_shapes(derivation)]
    blocks += taken_for_granted(derivation.assumptions)
    blocks += _passes(derivation, level)
    if derivation.batch is not None:
        blocks.append(doc.Heading(level, "Mini-batch"))
        blocks.append(doc.Paragraph(spans(_batch_words(derivation.batch))))
        blocks += _passes(derivation.batch, level + 1)
    if part.forms is not None:
        blocks += in_floating_point(part.forms, level)
    if part.claims:
        blocks.append(doc.Heading(level, "What the page claims"))
        blocks += [_claim(claim) for claim in part.claims]
    return blocks


def taken_for_granted(assumptions: Sequence[str]) -> list[doc.Block]:
    """Return a list of assumptions; nothing where there are none."""
    if not assumptions:
        return []
    return [doc.Paragraph((doc.Text("Taken for granted:"),)), doc.Bullets(tuple(map(spans, assumptions)))]


def _batch_words(batch: Derivation) -> str:
    count = sympy.latex(batch.samples)
    loss = batch.loss.latex if batch.loss is not None else "J"
    return (
        f"${count}$ samples, one a column; what acts on a vector acts on each column. "
        f"${loss}$ is the mean of the samples' losses, and $\\mathbf{{1}}$ the vector of ${count}$ ones."
    )


def _passes(derivation: Derivation, level: int) -> list[doc.Block]:
    by_role: dict[str, list[Equation]] = {"forward": [], "backward": [], "update": []}
    for equation in derivation.equations:
        role = {"definition": "forward", "loss": "forward", "update": "update"}.get(equation.role, "backward")
        by_role[role].append(equation)
    blocks: list[doc.Block] = [doc.Heading(level, "Forward")]
    blocks += [_plain(equation) for equation in by_role["forward"]]
    if by_role["backward"]:
        blocks.append(doc.Heading(level, "Backward"))
    if by_role["backward"] and derivation.seeds:
        given = ", ".join(f"${seed.latex}$" for seed in derivation.seeds)
        blocks.append(doc.Paragraph(spans(f"Given from above, whatever the loss $L$ is: {given}.")))
    for equation in by_role["backward"]:
        blocks += _derived(equation)
    if by_role["update"]:
        blocks.append(doc.Heading(level, "Updates"))
    blocks += [_plain(equation, r"\leftarrow") for equation in by_role["update"]]
    return blocks


def _plain(equation: Equation, sign: str = "=") -> doc.Block:
    latex = f"{equation.name.latex} {sign} {to_latex(equation.value)}"
    return doc.Equation(equation.id, latex, _space(equation.name), "", anchor(equation))


def anchor(equation: Equation) -> str:
    """Return what links point to: the equation's number."""
    return f"eq-{equation.id}"


def _space(name: Var) -> doc.Spans:
    return (doc.Math(rf"{name.latex} \in {shape_latex(name.shape)}"),) if name.shape else ()


def _derived(equation: Equation) -> list[doc.Block]:
    """Show the steps, then the result; a result that is its only step needs no table."""
    latex = f"{equation.name.latex} = {to_latex(equation.value)}"
    result = doc.Equation(equation.id, latex, _reason(equation), mark(equation.check), anchor(equation))
    if len(equation.steps) < 2:
        return [result]
    rows = [
        doc.StepRow(_left(equation, k), to_latex(step.after), because(step), mark(step.check))
        for k, step in enumerate(equation.steps)
    ]
    return [doc.Steps(tuple(rows)), result]


def _left(equation: Equation, k: int) -> str:
    """Return what a step begins with where the one before did not end there."""
    continues = k > 0 and equation.steps[k].before == equation.steps[k - 1].after
    return "" if continues else to_latex(equation.steps[k].before)


def _reason(equation: Equation) -> doc.Spans:
    if len(equation.steps) == 1:
        space = (doc.Text("; "), *_space(equation.name)) if equation.name.shape else ()
        return (*because(equation.steps[0]), *space)
    return _space(equation.name)


def _claim(claim: ClaimLine) -> doc.Block:
    note = (doc.Strong(claim.verdict), doc.Text(f", line {claim.line}. "), *spans(claim.note))
    return doc.Equation(None, claim.latex, note, MARKS.get(claim.verdict, "open"))


def _shapes(derivation: Derivation) -> doc.Block:
    """List every name with its shape and what it is."""
    roles = {**dict.fromkeys(derivation.parameters, "parameter"), **dict.fromkeys(derivation.data, "given")}
    names: dict[Var, str] = {}
    for equation in derivation.equations:
        if equation.role in ("definition", "loss"):
            for name in variables(equation.value):
                names.setdefault(name, roles.get(name, "computed"))
            names.setdefault(equation.name, "loss" if equation.role == "loss" else "computed")
    rows = tuple(
        ((doc.Math(name.latex),), (doc.Math(shape_latex(name.shape)),), (doc.Text(role),))
        for name, role in names.items()
    )
    header = ((doc.Text("Symbol"),), (doc.Text("Space"),), (doc.Text("Role"),))
    return doc.Table(header, rows)


def _footer(derivations: Sequence[Derivation]) -> doc.Spans:
    records = [r for d in derivations for r in (d, d.batch) if r is not None]
    checks = [c for r in records for e in r.equations for c in (e.check, *(s.check for s in e.steps))]
    done = [c for c in checks if c is not None]
    proved = sum(c.outcome == "proved" for c in done)
    verified = sum(c.outcome == "verified" for c in done)
    open_ones = len(done) - proved - verified
    text = f"{proved} steps proved by normal form for all sizes; {verified} equations and steps verified against the "
    text += "functions themselves in exact arithmetic."
    if open_ones:
        text += f" {open_ones} could not be checked and carry no tick."
    text += f" derive {VERSION}, SymPy {sympy.__version__}, NumPy {numpy.__version__}."
    return (doc.Text(text),)
