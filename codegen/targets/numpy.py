r"""NumPy: a module that a person can read, one line an equation, `Z1 = X @ W1.T + b1  # (1) Z^{[1]}`.

The module imports NumPy and nothing else. It is also what the other targets are compared with.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from fractions import Fraction

from codegen.passes.dead import eliminate
from codegen.program import (
    BATCH,
    Contract,
    Map,
    Number,
    Program,
    Reduce,
    Ref,
    Samples,
    Size,
    Statement,
    Value,
    body_refs,
    extents,
    reads,
    walk,
)
from codegen.targets.spell import ATOM, POWER, PRODUCT, SIGN, Text, helpers_in, spell
from derive.op import Op, find

HELPERS = {
    "sigmoid": '''def sigmoid(z):
    """1 / (1 + exp(-z)), exact to the last digits on both sides."""
    e = np.exp(-np.abs(z))
    return np.where(z >= 0, 1, e) / (1 + e)
''',
    "softplus": '''def softplus(z):
    """log(1 + exp(z)) without overflow."""
    return np.maximum(z, 0) + np.log1p(np.exp(-np.abs(z)))
''',
}
"""Functions that templates of rows call and NumPy lacks."""


@dataclass(slots=True)
class _Printer:
    """Spells the statements of one function; a value used once, in its own equation, is written in place."""

    program: Program
    once: dict[str, Statement] = field(default_factory=dict)

    def template(self, row: Op) -> str:
        """Return how an operation is written."""
        return row.numpy

    def number(self, number: Number) -> Text:
        """Return a constant."""
        value = number.value
        if isinstance(value, Fraction) and value.denominator & (value.denominator - 1):
            text, binds = f"{value.numerator} / {value.denominator}", PRODUCT
        else:
            text, binds = repr(int(value) if value == int(value) else float(value)), ATOM
        return text, SIGN if value < 0 else binds

    def leaf(self, part: Ref | Samples, order: tuple[str, ...]) -> Text:
        """Return a value, its axes brought into the given order."""
        if isinstance(part, Samples):
            return BATCH, ATOM
        source = self.once.get(part.name)
        text, binds = self.inner(source) if source is not None else (part.name, ATOM)
        return aligned(text, binds, part.labels, order)

    def inner(self, statement: Statement) -> Text:
        """Return the right side of a statement, its axes in the order of its result."""
        if isinstance(statement, Contract):
            return self.product(statement)
        if isinstance(statement, Map):
            return self.entrywise(statement)
        return self.reduction(statement)

    def entrywise(self, statement: Map) -> Text:
        """Return a body; repeated along labels that it lacks."""
        order = statement.out.labels
        text, binds = spell(statement.body, lambda part: self.leaf(part, order), self.number, self.template)
        present = {label for ref in body_refs(statement.body) for label in ref.labels}
        if set(order) <= present:
            return text, binds
        sizes = dict(zip(order, self.program.values[statement.out.name].sizes, strict=True))
        return f"np.broadcast_to({text}, {self.shape([sizes[label] for label in order])})", ATOM

    def shape(self, sizes: list[Size]) -> str:
        """Return a shape as a tuple."""
        texts = [
            str(self.program.sizes.get(size, size)) if isinstance(size, str) else str(size) for size in sizes
        ]
        return f"({', '.join(texts)}{',' if len(texts) == 1 else ''})"

    def reduction(self, statement: Reduce) -> Text:
        """Return a sum or a maximum along axes."""
        widest = max((ref.labels for ref in reads(statement)), key=len)
        order = (
            widest
            if len(widest) == len(extents(self.program, statement))
            else (*statement.out.labels, *statement.over)
        )
        if [label for label in order if label in statement.out.labels] != list(statement.out.labels):
            order = (*statement.out.labels, *statement.over)
        text, _ = spell(statement.body, lambda part: self.leaf(part, order), self.number, self.template)
        places = [order.index(label) for label in statement.over]
        axis = (
            "" if not statement.out.labels else f", axis={places[0] if len(places) == 1 else tuple(places)}"
        )
        return find(statement.op).numpy.format(text, axis=axis), ATOM

    def product(self, statement: Contract) -> Text:
        """Return `A @ B` where the axes allow it, else an einsum."""
        a, b, out = statement.a, statement.b, statement.out.labels
        if (len(a.labels) == 2 and len(b.labels) == 1) or (out[:1] == b.labels[:1] and len(b.labels) > 1):
            a, b = (a, b) if len(b.labels) == 1 else (b, a)
        summed = [label for label in a.labels if label not in out]
        free = [
            *(label for label in a.labels if label in out),
            *(label for label in b.labels if label in out),
        ]
        if len(summed) != 1 or free != list(out) or max(len(a.labels), len(b.labels)) > 2:
            return self.einsum(statement)
        if len(a.labels) == 1 and len(b.labels) == 2 and b.labels[1] == summed[0]:
            a, b = b, a
        left, _ = self.factor(a, (*(label for label in a.labels if label != summed[0]), summed[0]))
        right, _ = self.factor(b, (summed[0], *(label for label in b.labels if label != summed[0])))
        return f"{left} @ {right}", PRODUCT

    def factor(self, ref: Ref, order: tuple[str, ...]) -> Text:
        """Return an operand of a product, in brackets where it needs them."""
        text, binds = self.leaf(ref, order)
        return (text, binds) if binds >= POWER else (f"({text})", ATOM)

    def einsum(self, statement: Contract) -> Text:
        """Return a contraction that is no matrix product."""
        letters: dict[str, str] = {}
        for ref in (statement.a, statement.b):
            for label in ref.labels:
                letters.setdefault(label, "abcdefghijklmnopqrstuvwxyz"[len(letters)])
        a, b, out = ("".join(letters[k] for k in r.labels) for r in (statement.a, statement.b, statement.out))
        left, right = (self.leaf(ref, ref.labels)[0] for ref in (statement.a, statement.b))
        return f'np.einsum("{a},{b}->{out}", {left}, {right})', ATOM


def aligned(text: str, binds: int, labels: tuple[str, ...], order: tuple[str, ...]) -> Text:
    """Return an array's text with its axes brought into an order that may hold more labels.

    >>> aligned("m", ATOM, ("b",), ("b", "k"))
    ('m[:, None]', 5)
    """
    wanted = tuple(label for label in order if label in labels)
    atom = text if binds >= ATOM else f"({text})"
    if wanted != labels:
        text = atom = (
            f"{atom}.T"
            if len(labels) == 2
            else f"{atom}.transpose({', '.join(str(labels.index(k)) for k in wanted)})"
        )
        binds = ATOM
    tail = order[order.index(wanted[0]) :] if wanted else ()
    if any(label not in labels for label in tail):
        return f"{atom}[{', '.join(':' if label in labels else 'None' for label in tail)}]", ATOM
    return text, binds


def emit_numpy(program: Program, name: str = "", predicted: str | None = None, note: str = "") -> str:
    """Return the source of a module: `predict`, `loss_and_gradients`, `step`.

    Args:
        program: Loss, gradients and updates.
        name: Unused in this target; modules are named by their file.
        predicted: The name that `predict` returns; without one there is no `predict`.
        note: More lines for the module's docstring.
    """
    parts = [head(program, note), *(HELPERS[word] for word in sorted(_helpers(program) & HELPERS.keys()))]
    if predicted is not None:
        parts.append(_function(eliminate(program, [predicted]), "predict"))
    gradients = eliminate(program, program.outputs)
    parts.append(_function(gradients, "loss_and_gradients"))
    if program.updates:
        parts.append(_step(program))
    return "\n\n".join(parts)


def emit_function(program: Program, name: str) -> str:
    """Return the source of a module with one function that computes the program's outputs."""
    return "\n\n".join([head(program, "", "one function"), *emit_helpers(program), _function(program, name)])


def emit_trace(program: Program) -> str:
    """Return the source of a module whose `trace(params, data)` gives every named value, in order of computation."""
    named = [s.out.name for s in program.statements if program.values[s.out.name].role != "temp"]
    lines = ["def trace(params, data):", '    """Return every named value."""']
    lines += _unpack("data", program.of_role("data")) + _unpack("params", program.of_role("parameter"))
    lines += function_body(program)
    lines += [f"    return {{{', '.join(f'{chr(34)}{name}{chr(34)}: {name}' for name in named)}}}", ""]
    return "\n\n".join([head(program, ""), *emit_helpers(program), "\n".join(lines)])


def emit_helpers(program: Program) -> list[str]:
    """Return the sources of the functions that a program's operations call."""
    return [HELPERS[word] for word in sorted(_helpers(program) & HELPERS.keys())]


def _helpers(program: Program) -> set[str]:
    bodies = [s.body for s in (*program.statements, *program.updates) if not isinstance(s, Contract)]
    return helpers_in([part.row.numpy for body in bodies for part in walk(body) if hasattr(part, "row")])


def head(program: Program, note: str, what: str = "loss, gradients and update") -> str:
    """Return the docstring and the import of a module."""
    sizes = ", ".join(f"{name} = {number}" for name, number in program.sizes.items())
    lines = [f'r"""{_plain(program.title)}: {what}, generated by derive.', ""]
    lines += [
        "Data have one row a sample. Parameters lie as on the sheet. Numbers in comments are the sheet's equations."
    ]
    lines += [f"Generated for {sizes}; other sizes work where no line names one."] if sizes else []
    lines += [_plain(line) for line in note.splitlines()]
    return "\n".join([*lines, '"""', "", "import numpy as np", ""])


def _plain(text: str) -> str:
    return text.replace('"""', "'''").replace("\n", " ").rstrip("\\")


def _function(program: Program, name: str) -> str:
    data, parameters = program.of_role("data"), program.of_role("parameter")
    single = name == "predict"
    arguments = ", ".join(value.name for value in data) if single else "data"
    lines = [f"def {name}(params, {arguments}):", f'    """{_purpose(program, single)}"""']
    lines += [] if single else _unpack("data", data)
    lines += _unpack("params", parameters)
    lines += function_body(program)
    return "\n".join([*lines, f"    return {_result(program, single)}", ""])


def _purpose(program: Program, single: bool) -> str:
    if single:
        return f"Return {', '.join(program.outputs)}, one row a sample."
    return "Return the loss, and the gradient by every parameter under the parameter's name."


def _result(program: Program, single: bool) -> str:
    if single:
        return ", ".join(program.outputs)
    loss = next(value.name for value in program.of_role("loss"))
    return f"{loss}, {{{', '.join(f'{chr(34)}{of}{chr(34)}: {name}' for of, name in program.gradients.items())}}}"


def _unpack(source: str, values: tuple[Value, ...]) -> list[str]:
    return [f'    {value.name} = {source}["{value.name}"]' for value in values]


def _batch(program: Program) -> list[str]:
    """Return the line that finds the batch size, if a line needs it."""
    bodies = [s.body for s in program.statements if not isinstance(s, Contract)]
    counted = any(isinstance(part, Samples) for body in bodies for part in walk(body))
    spread = any(
        isinstance(s, Map) and set(s.out.labels) - {k for r in reads(s) for k in r.labels}
        for s in program.statements
    )
    data = next((value for value in program.of_role("data") if BATCH in value.sizes), None)
    return [f"    {BATCH} = {data.name}.shape[0]"] if data is not None and (counted or spread) else []


def function_body(program: Program) -> list[str]:
    """Return the lines that compute the program's outputs from names in scope."""
    return [*_batch(program), *_body(program, program.statements)]


def _body(program: Program, statements: tuple[Statement, ...]) -> list[str]:
    uses = Counter(ref.name for s in (*program.statements, *program.updates) for ref in _read_list(s))
    owners = {s.out.name: s.eq for s in statements}
    readers = {ref.name: s.eq for s in statements for ref in reads(s)}
    once = {
        s.out.name: s
        for s in statements
        if program.values[s.out.name].role == "temp"
        and uses[s.out.name] == 1
        and readers.get(s.out.name) == owners[s.out.name]
    }
    printer = _Printer(program, once)
    return [
        f"    {s.out.name} = {printer.inner(s)[0]}  # ({s.eq}) {_plain(program.equations[s.eq])}"
        for s in statements
        if s.out.name not in once
    ]


def _read_list(statement: Statement) -> list[Ref]:
    if isinstance(statement, Contract):
        return [statement.a, statement.b]
    return [part for part in walk(statement.body) if isinstance(part, Ref)]


def _step(program: Program) -> str:
    rates = [value.name for value in program.of_role("rate")]
    states = program.of_role("state")
    arguments = ["params", "data", *rates, *(["state"] if states else [])]
    lines = [
        f"def step({', '.join(arguments)}):",
        '    """Update the parameters in place; return the loss before. A loss that is not finite changes nothing."""',
    ]
    lines += [
        "    loss, gradients = loss_and_gradients(params, data)",
        "    if not np.isfinite(loss):",
        "        return loss",
    ]
    lines += _unpack("params", program.of_role("parameter")) + _unpack("state", states)
    names = {ref.name for s in program.updates for ref in reads(s)}
    lines += [f'    {name} = gradients["{of}"]' for of, name in program.gradients.items() if name in names]
    printer = _Printer(program)
    lines += [
        f"    {s.out.name}[...] = {printer.inner(s)[0]}  # ({s.eq}) {_plain(program.equations[s.eq])}"
        for s in program.updates
    ]
    return "\n".join([*lines, "    return loss", ""])
