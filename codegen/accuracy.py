"""How exact stable forms are: both sides of each rewrite as NumPy computes them, beside two hundred digits."""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt
import sympy

from codegen.build import run_python
from codegen.lower import lower
from codegen.sizes import Sizes
from codegen.targets.numpy import emit_function
from derive.derivation import Check, Derivation, Equation
from derive.expr import Apply, Const, Node, Var, variables, walk
from derive.stable.forms import Accuracy, StableForm
from derive.stable.rewrite import Form, closed, stabilise
from derive.verify.evaluate import REAL, Point, choose_sizes, draw, evaluate, extents
from derive.verify.normal_form import same
from derive.verify.numbers import MP, RetryError, number

Array = npt.NDArray[Any]
REACH = 100.0  # how far from 0 real numbers are drawn: far beyond where the sigmoid is 0 or 1 in either type
DIGITS = 200  # e^-100 beside 1 leaves more than a hundred of them
ENTRIES = 240  # of all points together, about
AGREE = 1e-60  # how near both sides must be in so many digits
DTYPES = ("float32", "float64")
CHOICES = (-REACH, -REACH / 4, REACH / 4, REACH)
OUT = Var(r"\mathrm{value}")


@dataclass(frozen=True, slots=True)
class _Identity:
    """Both sides of a step in variables that are independent, the sizes, and the values at points that have any."""

    before: Node
    after: Node
    sizes: Mapping[Any, int]
    points: tuple[tuple[dict[Var, Array], Array, Array], ...]


def stable_forms(derivation: Derivation, dtypes: Sequence[str] = DTYPES) -> tuple[StableForm, ...]:
    """Return the stable forms that code computes a model with, each checked, and its errors measured.

    They are those of the equations over a mini-batch, where the record has them. Values are drawn between -100 and
    100, a third of them near 0; both sides are computed by the code that the NumPy target writes for them.

    Args:
        derivation: The model.
        dtypes: The types in which errors are measured.

    >>> from derive import Model, log, scalar, sigmoid
    >>> model = Model("Logistic loss")
    >>> _ = model.define("L", -log(sigmoid(scalar("w"))))
    >>> [(form.equation, form.step.rule) for form in stable_forms(model.gradients())]
    [('1', 'logarithm of the sigmoid')]
    """
    record = derivation.batch or derivation
    values = {e.name: e.value for e in record.equations if e.role != "update"}
    return tuple(_measured(form, values, dtypes) for form in stabilise(record).forms)


def _measured(form: Form, values: Mapping[Var, Node], dtypes: Sequence[str]) -> StableForm:
    identity = _identity(*_independent(form.step.before, form.step.after, values))
    accuracies = (Accuracy(dtype, *_errors(identity, dtype)) for dtype in dtypes)
    step = replace(form.step, check=_check(identity))
    return StableForm(form.equation, step, tuple(accuracies), REACH, form.name)


def _independent(before: Node, after: Node, values: Mapping[Var, Node]) -> tuple[Node, Node]:
    """Return both sides in variables of which none is computed from another one; common parts get a name."""
    names = set(variables(after))
    kept = {v for v in names if not _ancestors(v, values) & names}
    before, after = (closed(side, values, kept.__contains__) for side in (before, after))
    parts = set(walk(before))
    common: dict[Node, Var] = {}

    def named(node: Node) -> Node:
        if node in parts and variables(node) and not isinstance(node, Var):
            return common.setdefault(node, Var(f"u_{{{len(common) + 1}}}", node.shape))
        if isinstance(node, Var | Const):
            return node
        assert isinstance(node, Apply)
        return Apply(node.args[0], *map(named, node.operands), *node.params)

    general = named(after)
    hidden = {v for node in common for v in variables(node)}
    if hidden & set(variables(general)):
        return before, after
    other = before.xreplace(common)
    return (before, after) if hidden & set(variables(other)) else (other, general)


def _ancestors(name: Var, values: Mapping[Var, Node]) -> set[Var]:
    """Return the names that a name is computed from."""
    found: set[Var] = set()
    waiting = [name]
    while waiting:
        node = values.get(waiting.pop())
        fresh = set(variables(node)) - found if node is not None else set()
        found |= fresh
        waiting += fresh
    return found


# ---- points --------------------------------------------------------------------------------------------------


def _identity(before: Node, after: Node) -> _Identity:
    names = tuple(dict.fromkeys([*variables(before), *variables(after)]))
    numbers = {
        s for side in (before, after) for part in walk(side) if isinstance(part, Const) for s in part.value.free_symbols
    }
    sizes = choose_sizes([v.shape for v in names] + [after.shape], 0, sorted(numbers, key=str))
    return _Identity(before, after, sizes, tuple(_points(before, after, names, sizes)))


def _points(
    before: Node, after: Node, names: Sequence[Var], sizes: Mapping[Any, int]
) -> Iterator[tuple[dict[Var, Array], Array, Array]]:
    """Yield points with the exact values of both sides; where one has no value, the point is left out."""
    rng = random.Random(0)
    entries = max([1, *(int(np.prod(extents(v.shape, sizes))) for v in names)])
    with MP.workdps(DIGITS):
        for k in range(max(24, ENTRIES // entries)):
            values = {v: _drawn(v, sizes, rng, k) for v in names}
            point = Point(REAL, sizes, {v: number(value, exact=False) for v, value in values.items()})
            try:
                yield values, *(evaluate(side, point).values for side in (before, after))
            except RetryError:
                continue


def _drawn(v: Var, sizes: Mapping[Any, int], rng: random.Random, k: int) -> Array:
    """Return a variable's value: far from 0, at the ends, or near 0; of other domains as tests draw them."""
    shape = extents(v.shape, sizes)
    if v.domain != "real":
        return np.asarray(draw(v, Point(REAL, sizes, {}), rng).values, np.float64)
    kinds = (
        lambda: rng.uniform(-REACH, REACH), lambda: rng.choice(CHOICES),
        lambda: rng.choice((-1, 1)) * 10 ** rng.uniform(-9, 0.5),
    )  # fmt: skip
    drawn = [kinds[k % 3]() for _ in range(int(np.prod(shape)))]
    return np.asarray(drawn, np.float32).astype(np.float64).reshape(shape)


# ---- errors --------------------------------------------------------------------------------------------------


def _check(identity: _Identity) -> Check:
    """Compare both sides for all sizes, or else in many digits at the points."""
    if same(identity.before, identity.after) or same(identity.before, identity.after, {}, expand=True):
        return Check("proved", "the normal forms agree")
    gaps = [np.abs(one - two) <= AGREE * (1 + np.abs(two)) for _, one, two in identity.points]
    if gaps and all(map(np.all, gaps)):
        return Check("verified", f"equal to 60 digits at {len(gaps)} points")
    return Check("undecided", "the sides differ, or no point could be evaluated")


def _errors(identity: _Identity, dtype: str) -> tuple[float, float]:
    """Return the largest error of each side in a type."""
    sides = [_function(side, identity, dtype) for side in (identity.before, identity.after)]
    worst = [0.0, 0.0]
    for values, exact, _ in identity.points:
        size = max(float(np.max(np.abs(value), initial=0.0)) for value in values.values())
        for k, side in enumerate(sides):
            worst[k] = _worse(worst[k], _error(side(values), exact, size, dtype))
    return worst[0], worst[1]


def _function(side: Node, identity: _Identity, dtype: str) -> Any:
    """Return a side as the NumPy target computes it, just as it is written."""
    names = tuple(variables(side))
    out = Var(OUT.latex, side.shape)
    record = Derivation("form", (Equation("1", out, side, "definition"),), None, (), names)
    sizes = Sizes({symbol: n for symbol, n in identity.sizes.items() if isinstance(symbol, sympy.Symbol)})
    program = lower(record, sizes, dtype, (out,), as_written=True)
    function = run_python(emit_function(program, "predict"), "form")["predict"]

    def call(values: Mapping[Var, Array]) -> Array:
        given = {v.latex: np.asarray(values[v], dtype) for v in names}
        with np.errstate(all="ignore"):
            return np.asarray(function({}, *(given[value.latex] for value in program.of_role("data"))))

    return call


def _error(got: Array, exact: Array, size: float, dtype: str) -> float:
    """Return the largest error of an array; entries whose exact value the type cannot hold do not count."""
    limits = np.finfo(dtype)
    worst = 0.0
    for value, wanted in zip(np.broadcast_to(got, exact.shape).ravel(), exact.ravel(), strict=True):
        if abs(wanted) > float(limits.max):
            continue
        scale = max(abs(wanted), size, float(limits.tiny))
        error = abs(MP.mpf(float(value)) - wanted) / scale if np.isfinite(value) else abs(value)
        worst = _worse(worst, float(error))
    return worst


def _worse(one: float, other: float) -> float:
    """Return the larger error; no number is worse than all."""
    return one if np.isnan(one) or one >= other else other
