r"""A δ that nothing defines: it is the cotangent of some value of the model; of which one, the claim may tell.

"∂J/∂U = h^T δ_1" holds where δ_1 is ∂J/∂θ. What holds for no value of the model, and nearly holds for one, is false.

Numbers below δ that neither values nor weights have count what the backward pass computes: δ_1 comes first.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import replace

from derive.cases.backward import is_delta
from derive.cases.case import Case
from derive.claims.bench import Bench, with_cotangents
from derive.expr import Apply, Var
from derive.meaning.facts import key_without_indices, used_in
from derive.meaning.outline import Equation, names_in, walk
from derive.meaning.shaping import as_declared, declared_shape
from derive.meaning.terms import is_running
from derive.notation import split_name
from derive.ops import table
from derive.read import syntax as ast
from derive.read.spelling import render
from derive.shapes import axes
from derive.verify.judge import FALSE, GOOD, Verdict

MOST_OPEN = 2  # names whose meanings are tried together
MEANINGS = 64
NUMBERED = re.compile(r"_\{?([1-9])\}?")  # the scripts of δ_1
OWN_SIGN = ("sign", "factor")  # edits that may belong to the definition of a δ rather than to the claim


def open_deltas(claim: Equation, bench: Bench) -> list[str]:
    """Return the δ of a claim that nothing says anything of."""
    left = {sub for part in walk(claim.left) if isinstance(part, ast.Name) for sub in part.subs}
    names = [*names_in(claim.left), *(name for name in names_in(claim.right) if not _is_kronecker(name, left))]
    found = {key_without_indices(name): name for name in names}
    return [key for key, name in found.items() if is_delta(name) and key not in bench.names]


def _is_kronecker(name: ast.Name, left: Collection[ast.Node]) -> bool:
    r"""Tell whether a name is \delta_{ij} in a claim whose left side has both letters: then it is 1 where i is j."""
    return len(name.subs) == 2 and {*name.subs} <= {*left} and all(map(is_running, name.subs))


def judge_each_meaning(
    keys: list[str], case: Case, bench: Bench, judge: Callable[[Case, Bench], Verdict]
) -> Verdict:  # fmt: skip
    """Judge a claim with its open δ taken to be the cotangents of the model's values, the likeliest ones first.

    Args:
        keys: The open δ.
        case: The claim's case; it may tell the shapes of what the model does not lead to.
        bench: The model.
        judge: Judges the claim where these are known.
    """
    words = ", ".join(f"${key}$" for key in keys)
    if len(keys) > MOST_OPEN:
        return Verdict("unread", f"nothing is said of {words}")
    nearly: Verdict | None = None
    for meaning in itertools.islice(_meanings(keys, bench), MEANINGS):
        told = tuple(f"${key}$ is ${_cotangent_of(value, bench)}$" for key, value in meaning.items())
        verdict = judge(case, with_cotangents(bench, meaning))
        verdict = replace(verdict, assumptions=(*verdict.assumptions, *told))
        if verdict.verdict in GOOD:
            return verdict if _is_counted(meaning, bench) else Verdict("unread", f"it holds if {' and '.join(told)}")
        mended = verdict.diagnosis is not None and verdict.diagnosis.kind not in OWN_SIGN
        if verdict.verdict in FALSE and mended and nearly is None:
            nearly = verdict
    if nearly is not None:
        return nearly
    shaped = _by_shape(keys, case, bench)
    by_shape = None if shaped is None else judge(*shaped)
    if by_shape is not None and by_shape.verdict == "ill-typed":
        return by_shape
    return Verdict("unread", f"of which value {words} is the cotangent is not said, and the claim fits none")


def _by_shape(keys: list[str], case: Case, bench: Bench) -> tuple[Case, Bench] | None:
    """Return a case and a bench in which open δ have the shapes that other layers and what is told give them.

    Where the shapes of values are told in some layer, those of what the model computes them from follow.
    """
    letters = {split_name(name)[0]: split_name(render(derivative.wrt))[0]
               for _, name, derivative in case.facts.cotangents if derivative.wrt is not None}  # fmt: skip
    values = {key: letters.get(split_name(key)[0], "") + split_name(key)[1] for key in keys}
    if not {*values.values()} <= case.found.declared.keys():
        return None
    told = {key: case.found.declared[value] for key, value in values.items()}
    shaped = {key: Var(key, declared_shape(shape)) for key, shape in told.items()}
    follow = {key: as_declared(bench.names[key].shape) for key in used_in(case.facts.definitions) & bench.names.keys()}
    found = replace(case.found, declared={**follow, **case.found.declared, **told})
    return replace(case, found=found), replace(bench, names={**bench.names, **shaped})


def _cotangent_of(value: str, bench: Bench) -> str:
    return rf"\frac{{\partial {bench.model.sketch.loss_key}}}{{\partial {value}}}"


def _meanings(keys: list[str], bench: Bench) -> Iterator[Mapping[str, str]]:
    """Yield what open δ may be the cotangents of: values with the same scripts, those near the end first.

    Numbers that no value has count the backward pass, or something else: then any value is tried.
    """
    values = _values(bench)
    options: list[list[str]] = []
    for key in keys:
        own = split_name(key)[1]
        same = [value for value in values if split_name(value)[1] == own or not own]
        options.append(same or (_in_order(key, bench) if _is_count(key, bench) else []))
    for chosen in itertools.product(*options):
        if len(set(chosen)) == len(chosen):
            yield dict(zip(keys, chosen, strict=True))


def _values(bench: Bench) -> list[str]:
    """Return the values of a model, the last one first."""
    network = bench.setting.network
    return [item.name.latex for item in reversed(network.definitions) if item.name != network.loss]


# ---------------------------------------------------------------- numbers that count the backward pass
def _is_count(key: str, bench: Bench) -> bool:
    """Tell whether the number below a δ counts what is computed, and no layers: no value nor weight has one."""
    scripts = split_name(key)[1]
    weights = [name.latex for name in bench.setting.free if len(axes(name.shape)) > 1]
    numbered = [latex for latex in (*_values(bench), *weights) if NUMBERED.fullmatch(split_name(latex)[1])]
    return NUMBERED.fullmatch(scripts) is not None and not numbered


def _counted(key: str, bench: Bench) -> list[str]:
    """Return the values that a δ with a number belongs to when the backward pass is counted.

    δ_1 belongs to what the last function is applied to; of δ_2 it is open whether all values count from there.
    """
    number = NUMBERED.fullmatch(split_name(key)[1])
    assert number is not None
    definitions = bench.setting.network.definitions
    applied = {operand for item in definitions if isinstance(item.value, Apply) and _activates(item.value)
               for operand in item.value.operands}  # fmt: skip
    arguments = [item.name.latex for item in reversed(definitions) if item.name in applied]
    values = _values(bench)
    below = values[values.index(arguments[0]) :] if arguments else []
    at = int(number[1])
    return list(dict.fromkeys(value for counted in (arguments, below) for value in counted[at - 1 : at]))


def _activates(value: Apply) -> bool:
    return bool(value.op.prime) or value.op.name == table.SOFTMAX


def _in_order(key: str, bench: Bench) -> list[str]:
    return list(dict.fromkeys([*_counted(key, bench), *_values(bench)]))


def _is_counted(meaning: Mapping[str, str], bench: Bench) -> bool:
    """Tell whether δ have a meaning that their numbers give them, where these are counts."""
    return all(not _is_count(key, bench) or value in _counted(key, bench) for key, value in meaning.items())
