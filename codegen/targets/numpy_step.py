"""The training step in NumPy: one operation a line, written with `out=` into memory that was made beforehand.

What moves entries, what works on whole matrices, and single numbers make arrays of their own, as in the readable form.
"""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction

from codegen.passes.dead import eliminate
from codegen.passes.single import single_operations
from codegen.passes.values import number_values
from codegen.plan.fuse import Group, delayed
from codegen.plan.memory import Places, place_values
from codegen.program import (
    ARGMAX,
    BATCH,
    Call,
    Contract,
    Map,
    Number,
    Pick,
    Program,
    Reduce,
    Ref,
    Statement,
    change_statement,
    extents,
    reads,
)
from codegen.targets.numpy_helpers import HELPERS
from codegen.targets.numpy_lines import Lines, commented, unpack
from codegen.targets.numpy_moves import aligned, as_tuple
from codegen.targets.numpy_slices import size_text, sliced
from codegen.targets.spell import ATOM, helpers_in
from derive.op import find

UFUNCS = {
    "{0} + {1}": "np.add({0}, {1})", "{0} - {1}": "np.subtract({0}, {1})", "{0} * {1}": "np.multiply({0}, {1})",
    "{0} / {1}": "np.divide({0}, {1})", "{0} ** {1}": "np.power({0}, {1})", "-{0}": "np.negative({0})",
    "np.sum({0}{axis})": "np.add.reduce({0}{axis})", "np.max({0}{axis})": "np.maximum.reduce({0}{axis})",
}  # fmt: skip
"""What takes `out`, by the template of what does not, or takes longer."""

POWERS = {Fraction(2): "np.square({0})", Fraction(1, 2): "np.sqrt({0})", Fraction(-1): "np.reciprocal({0})"}
"""What `**` does for these exponents; np.power, which takes longer, does not."""

PRODUCTS = {"@": "np.matmul", "*": "np.multiply"}
CHANGED = ("parameter", "state")  # in place


def emit_step(program: Program) -> list[str]:
    """Return the sources of `workspace` and `step`."""
    loss = next(value.name for value in program.of_role("loss"))
    needed = eliminate(replace(program, outputs=(loss,)))
    program = eliminate(number_values(single_operations(needed)))
    ordered = replace(program, statements=tuple(_updated_early(program, loss)), updates=())
    program = single_operations(ordered)
    statements = in_place(program, program.statements)
    held = [s.out.name for s in statements if takes_out(s) and program.values[s.out.name].role not in CHANGED]
    names = list(dict.fromkeys(held))
    places = place_values(program, [Group(s) for s in statements], names, frozenset(), 1)
    parts = [_step(program, statements, loss, names)]
    return [_workspace(program, names, places), *parts] if names else parts


# ---------------------------------------------------------------- order and memory
def _updated_early(program: Program, loss: str) -> list[Statement]:
    """Return all statements: an update comes once nothing reads the old value any more, and the loss is known."""
    updates = set(map(id, program.updates))
    order = delayed(program)
    known = 1 + next(k for k, s in enumerate(order) if s.out.name == loss)
    before = [s for s in order[:known] if id(s) not in updates]
    return [*before, *(s for s in order[:known] if id(s) in updates), *order[known:]]


def in_place(program: Program, statements: Sequence[Statement]) -> list[Statement]:
    """Return the statements with what is only on the way to a value under that value's name; it is overwritten then.

    `t = x @ W; z = t + b` becomes `z = x @ W; z = z + b`. What an update makes of a gradient takes its name.
    """
    last = {access.name: k for k, s in enumerate(statements) for access in reads(s)}
    makers = {s.out.name: s for s in statements}
    names: dict[str, str] = {}
    for k in reversed(range(len(statements))):
        s = statements[k]
        ending = [name for name in _overwritable(program, s, makers) if last[name] == k]
        found = next((name for name in ending if program.values[name].role == "temp"), None)
        result = names.get(s.out.name, s.out.name)
        if found is not None:
            names[found] = result
        elif ending and program.values[result].role == "temp" and program.values[ending[0]].role == "gradient":
            names = {name: ending[0] if other == result else other for name, other in names.items()}
            names[result] = ending[0]
    return [change_statement(s, lambda ref: Ref(names.get(ref.name, ref.name), ref.labels)) for s in statements]


def _overwritable(program: Program, statement: Statement, makers: Mapping[str, Statement]) -> list[str]:
    """Return the computed values that a statement reads at the very entry that it writes, and nowhere else."""
    out = program.values[statement.out.name]
    if out.role in CHANGED or not isinstance(statement, Map) or not takes_out(statement):
        return []
    made = [ref for ref in reads(statement) if ref.name in makers and takes_out(makers[ref.name])]
    apart = {ref.name for ref in made if ref != Ref(ref.name, statement.out.labels)}
    return [ref.name for ref in made if ref.name not in apart and program.values[ref.name].sizes == out.sizes]


def takes_out(statement: Statement) -> bool:
    """Tell whether a statement can write into memory that is given."""
    if not isinstance(statement, Contract | Map | Reduce) or not statement.out.labels:
        return False
    if isinstance(statement, Reduce):
        return statement.op != ARGMAX
    body = statement.body if isinstance(statement, Map) else None
    if isinstance(body, Call):
        template = written_template(body)
        words = helpers_in([template])
        return template.endswith(")") and all("out=None" in HELPERS.get(word, "") for word in words)
    return not isinstance(body, Pick)


def written_template(call: Call) -> str:
    """Return an operation as a function that takes `out`, without it."""
    template, exponent = call.row.numpy, call.args[-1]
    if template == "{0} ** {1}" and isinstance(exponent, Number) and exponent.value in POWERS:
        return POWERS[Fraction(exponent.value)]
    return UFUNCS.get(template, template)


# ---------------------------------------------------------------- lines
@dataclass(slots=True)
class InPlace(Lines):
    """Spells single operations into memory that is there."""

    def statement(self, statement: Statement, place: str = "") -> list[str]:
        """Return the lines that compute a statement into its name; what cannot be written so is a new array."""
        name = statement.out.name
        if not takes_out(statement):
            changed = self.program.values[name].role in CHANGED
            return Lines.statement(self, statement, f"{name}[...]" if changed else "")
        self.before = []
        line = self.written(statement, name)
        return [*self.before, line]

    def may_be_view(self, statement: Statement) -> bool:
        """Tell whether a new array must be copied: what it is read from changes during a step, unless it is data."""
        body = statement.body if isinstance(statement, Map) else None
        if not isinstance(body, Ref | Pick) or self.program.values[body.name].role == "data":
            return False
        sizes = extents(self.program, statement)
        return isinstance(body, Ref) or sliced(self.program, body, sizes, self.loop_names(sizes)) is not None

    def written(self, statement: Statement, name: str) -> str:
        """Return the line that writes a statement into the memory of a name."""
        if isinstance(statement, Contract):
            return self.multiplied(statement, name)
        if isinstance(statement, Reduce):
            template = find(statement.op).numpy
            return into(self.reduction(statement, UFUNCS.get(template, template))[0], name)
        assert isinstance(statement, Map)
        body, order = statement.body, statement.out.labels
        if not isinstance(body, Call):
            return f"np.copyto({name}, {self.spelled(body, order, statement)[0]})"
        args = (self.spelled(arg, order, statement)[0] for arg in body.args)
        return into(written_template(body).format(*args), name)

    def multiplied(self, statement: Contract, name: str) -> str:
        """Return the line that writes a product; where its axes come in another order it is written through a view."""
        made = self.matrices(statement)
        if made is None:
            return into(self.einsum(statement), name)
        if all(len(group) == 1 for group in made.axes):
            name, _ = aligned(name, ATOM, statement.out.labels, made.labels)
        elif made.labels == statement.out.labels:
            name = f"{name}.reshape({self.lengths_of(statement, made.axes)})"
        else:
            return f"np.copyto({name}, {self.product(statement)[0]})"
        return into(f"{PRODUCTS[made.sign]}({made.left}, {made.right})", name)


def into(call: str, name: str) -> str:
    """Return a call that writes its result into memory.

    >>> into("np.exp(z)", "a")
    'np.exp(z, out=a)'
    """
    return f"{call.removesuffix(')')}, out={name})"


def _workspace(program: Program, names: Sequence[str], places: Places) -> str:
    lines = ["def workspace(batch):", '    """Return the memory of a step; values never needed at once share it."""']
    for name in names:
        sizes = program.values[name].sizes
        shape = [size_text(program, size) for size in sizes]
        other = places.alias.get(name)
        if other is None:
            lines.append(f"    {name} = np.empty({as_tuple(shape)}, np.{program.dtype})")
        else:
            alike = program.values[other].sizes == sizes
            lines.append(f"    {name} = {other}" if alike else f"    {name} = {other}.reshape({', '.join(shape)})")
    return "\n".join([*lines, *_listed("return ", names, ""), ""])


def _step(program: Program, statements: Sequence[Statement], loss: str, names: Sequence[str]) -> str:
    states, data = program.of_role("state"), program.of_role("data")
    arguments = ["params", "data", *(value.name for value in program.of_role("rate")), *(["state"] if states else [])]
    lines = [
        f"def step({', '.join(arguments)}, work=None):",
        '    """Update the parameters in place; return the loss before. A loss that is not finite changes nothing.',
        "",
        "    The formulas are those of `loss_and_gradients`. Whoever calls keeps `work`, a dictionary, from step to",
        "    step: it holds the memory of what is computed on the way, by the number of samples.",
        '    """',
        *unpack("data", data), *unpack("params", program.of_role("parameter")), *unpack("state", states),
    ]  # fmt: skip
    batched = next((value for value in data if BATCH in value.sizes), None)
    lines.append(f"    {BATCH} = {f'{batched.name}.shape[{batched.sizes.index(BATCH)}]' if batched else 1}")
    if names:
        lines += ["    work = {} if work is None else work", "    if batch not in work:"]
        lines += ["        work[batch] = workspace(batch)", *_listed("", names, " = work[batch]")]
    printer = InPlace(program)
    titles = {s.eq: program.values[s.out.name].latex for s in statements}  # the last is what the equation is about
    for statement in statements:
        lines += commented(printer, statement, titles.pop(statement.eq, ""))
        if statement.out.name == loss:
            lines += [f"    if not np.isfinite({loss}):", f"        return {loss}"]
    return "\n".join([*lines, f"    return {loss}", ""])


def _listed(before: str, names: Sequence[str], behind: str) -> list[str]:
    """Return a tuple of names, in brackets over several lines where it is long."""
    inner = ", ".join(names) + ("," if len(names) == 1 else "")
    line = f"    {before}{inner}{behind}"
    if len(line) <= 110:
        return [line]
    wrapped = textwrap.wrap(inner, 104, break_long_words=False, break_on_hyphens=False)
    return [f"    {before}(", *(f"        {part}" for part in wrapped), f"    ){behind}"]
