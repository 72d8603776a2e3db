r"""NumPy: a module that a person can read, one line an equation, `Z1 = X @ W1.T + b1  # (1) Z^{[1]}`.

The module imports NumPy and nothing else. It is also what the other targets are compared with.
"""

from __future__ import annotations

import re
from collections import Counter

from codegen.passes.dead import eliminate
from codegen.program import (
    BATCH,
    Access,
    Call,
    Map,
    Pick,
    Program,
    Ref,
    Scatter,
    Statement,
    Value,
    Whole,
    bodies,
    reads,
    walk,
)
from codegen.targets.numpy_lines import Lines
from codegen.targets.numpy_slices import HELPERS as MOVES
from codegen.targets.spell import helpers_in, require_templates

HELPERS = MOVES | {
    "sigmoid": '''def sigmoid(z):
    """1 / (1 + exp(-z)), exact to the last digits on both sides."""
    e = np.exp(-np.abs(z))
    return np.where(z >= 0, 1, e) / (1 + e)
''',
    "softplus": '''def softplus(z):
    """log(1 + exp(z)) without overflow."""
    return np.maximum(z, 0) + np.log1p(np.exp(-np.abs(z)))
''',
    "silu": '''def silu(z):
    """z / (1 + exp(-z))."""
    return z * sigmoid(z)
''',
    "gelu_tanh": '''def gelu_tanh(z):
    """z (1 + tanh(u)) / 2 = z sigmoid(2 u), u = sqrt(2 / pi) (z + 0.044715 z^3)."""
    return z * sigmoid(1.5957691216057308 * (z + 0.044715 * z * z * z))
''',
    "normal_density": '''def normal_density(z):
    """exp(-z^2 / 2) / sqrt(2 pi)."""
    return 0.3989422804014327 * np.exp(-0.5 * z * z)
''',
    "normal_cdf": '''def normal_cdf(z):
    """The share of a standard normal distribution below z, to four units of the last place.

    Near zero it is 1/2 + z Q(z^2); farther below exp(-a^2 / 2) P(t) / (a + 3), t = (a - 3) / (a + 3), a = |z| up to
    40. The polynomials were fitted in sixty digits. What rounding takes off P is put back, and a^2 is split in two,
    lest its rounding be exponentiated.
    """
    z = np.clip(z, -40, 40)
    a = np.abs(z)
    t, q, p = (a - 3) / (a + 3), 0 * a, 0 * a
    for c in (
        2.0933839217195047e-09, -4.11035011409679e-08, 6.659235977317957e-07, -9.44464632431865e-06,
        0.00011543468634693573, -0.0011873282153892903, 0.009973557010032535, -0.0664903800669054,
        0.3989422804014327,
    ):
        q = q * (a * a) + c
    for c in (
        8.747815651955567e-09, -1.8487313300522134e-08, -3.559784599152806e-08, 5.682292190954916e-08,
        1.2143887057980198e-07, 3.3835706206658514e-09, -2.9326391240313455e-07, -5.650731110135594e-07,
        1.9477739818579258e-08, 2.243506733721723e-06, 3.6349735722726576e-06, -3.5135689406604707e-06,
        -2.068751347926967e-05, -1.3246953838227601e-05, 7.881231887206463e-05, 0.00015439460218381743,
        -0.0002565752976272595, -0.0010458286356582025, 0.001027592255181249, 0.006972621241152404,
        -0.010462867023149532, -0.047263025142988656, 0.23001771997460113, -0.5093319819174893,
    ):
        p = p * t + c
    p, first = p * t, 0.729083690133373
    whole = first + p
    lost = (first - whole) + p
    grid = np.round(a * 256) / 256  # its square is exact
    below = np.exp(-0.5 * grid * grid) * (whole / (a + 3))
    below = below + below * (np.expm1(-0.5 * (a - grid) * (a + grid)) + lost / whole)
    far = np.where(z < 0, below, 1 - below)
    return np.where(a < 0.6, 0.5 + z * q, far)
''',
    "leaky_relu": '''def leaky_relu(z, c):
    """z above 0, c z below."""
    return np.where(z > 0, z, c * z)
''',
    "elu": '''def elu(z, a):
    """z above 0, a (exp(z) - 1) below; only negative numbers are exponentiated."""
    return np.where(z > 0, z, a * np.expm1(np.minimum(z, 0)))
''',
    "huber": '''def huber(z, d):
    """z^2 / 2 up to |z| = d, and linear beyond; nothing large is squared."""
    distance = np.abs(z)
    near = np.minimum(distance, d)
    return near * (distance - 0.5 * near)
''',
}
"""Functions that templates of rows, and functions here, call and NumPy lacks."""


def emit_numpy(program: Program, name: str = "", predicted: str | None = None, note: str = "") -> str:
    """Return the source of a module: `predict`, `loss_and_gradients`, `step`.

    Args:
        program: Loss, gradients and updates.
        name: Unused in this target; modules are named by their file.
        predicted: The name that `predict` returns; without one there is no `predict`.
        note: More lines for the module's docstring.
    """
    parts = [head(program, note), *emit_helpers(program)]
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
    words = (_helpers(program) | helpers_in(function_body(program))) & HELPERS.keys()
    words |= helpers_in([HELPERS[word] for word in words]) & HELPERS.keys()
    return [HELPERS[word] for word in sorted(words)]


def _helpers(program: Program) -> set[str]:
    statements = (*program.statements, *program.updates)
    calls = [part.row for s in statements for body in bodies(s) for part in walk(body) if isinstance(part, Call)]
    return helpers_in([row.numpy for row in (*calls, *(s.row for s in statements if isinstance(s, Whole)))])


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


def function_body(program: Program) -> list[str]:
    """Return the lines that compute the program's outputs from names in scope."""
    require_templates(program, "numpy", lambda row: row.numpy)
    lines = _body(program, program.statements)
    data = next((value for value in program.of_role("data") if BATCH in value.sizes), None)
    counted = any(re.search(rf"\b{BATCH}\b", line.partition("  # ")[0]) for line in lines)
    return [*([f"    {BATCH} = {data.name}.shape[{data.sizes.index(BATCH)}]"] if data and counted else []), *lines]


def _body(program: Program, statements: tuple[Statement, ...]) -> list[str]:
    uses = Counter(ref.name for s in (*program.statements, *program.updates) for ref in _read_list(s))
    picked = {a.name for s in (*program.statements, *program.updates) for a in reads(s) if isinstance(a, Pick)}
    owners = {s.out.name: s.eq for s in statements}
    readers = {ref.name: s.eq for s in statements for ref in reads(s)}
    once: dict[str, Statement] = {
        s.out.name: s
        for s in statements
        if program.values[s.out.name].role == "temp"
        and s.out.name not in picked
        and not (isinstance(s, Scatter) or (isinstance(s, Map) and isinstance(s.body, Pick)))
        and uses[s.out.name] == 1
        and readers.get(s.out.name) == owners[s.out.name]
    }
    printer = Lines(program, once)
    return [line for s in statements if s.out.name not in once for line in _commented(printer, s)]


def _commented(printer: Lines, statement: Statement, place: str = "") -> list[str]:
    """Return the lines of a statement, the number of its equation behind the first."""
    first, *rest = printer.statement(statement, place)
    program, name = printer.program, statement.out.name
    remark = program.remark(statement.eq) if program.values[name].role != "temp" else ""
    comment = f"({statement.eq}) {_plain(program.values[name].latex)}{remark}"
    return [f"    {first}  # {comment}", *(f"    {line}" for line in rest)]


def _read_list(statement: Statement) -> list[Access]:
    return [part for body in bodies(statement) for part in walk(body) if isinstance(part, Ref | Pick)]


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
    printer = Lines(program)
    lines += [line for s in program.updates for line in _commented(printer, s, f"{s.out.name}[...]")]
    return "\n".join([*lines, "    return loss", ""])
