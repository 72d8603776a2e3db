r"""A δ that nothing defines: it is the cotangent of some value of the model; of which one, the claim may tell.

"∂J/∂U = h^T δ_1" holds where δ_1 is ∂J/∂θ. What holds for no value of the model, and nearly holds for one, is false.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import replace

from derive.cases.backward import is_delta
from derive.claims.bench import Bench, with_cotangents
from derive.meaning.facts import key_without_indices
from derive.meaning.outline import Equation, names_in, walk
from derive.meaning.terms import is_running
from derive.notation import split_name
from derive.read import syntax as ast
from derive.verify.judge import FALSE, GOOD, Verdict

MOST_OPEN = 2  # names whose meanings are tried together
MEANINGS = 64
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


def judge_each_meaning(keys: list[str], bench: Bench, judge: Callable[[Bench], Verdict]) -> Verdict:
    """Judge a claim with its open δ taken to be the cotangents of the model's values, the likeliest ones first."""
    words = ", ".join(f"${key}$" for key in keys)
    if len(keys) > MOST_OPEN:
        return Verdict("unread", f"nothing is said of {words}")
    nearly: Verdict | None = None
    for meaning in itertools.islice(_meanings(keys, bench), MEANINGS):
        of = bench.model.sketch.loss_key
        told = tuple(f"${key}$ is $\\frac{{\\partial {of}}}{{\\partial {value}}}$" for key, value in meaning.items())
        verdict = judge(with_cotangents(bench, meaning))
        verdict = replace(verdict, assumptions=(*verdict.assumptions, *told))
        if verdict.verdict in GOOD:
            return verdict
        mended = verdict.diagnosis is not None and verdict.diagnosis.kind not in OWN_SIGN
        if verdict.verdict in FALSE and mended and nearly is None:
            nearly = verdict
    if nearly is not None:
        return nearly
    return Verdict("unread", f"of which value {words} is the cotangent is not said, and the claim fits none")


def _meanings(keys: list[str], bench: Bench) -> Iterator[Mapping[str, str]]:
    """Yield what open δ may be the cotangents of: values with the same scripts, those near the end first.

    Of δ_1 beside values without numbers it is not clear from which end it counts.
    """
    network = bench.setting.network
    values = [item.name.latex for item in reversed(network.definitions) if item.name != network.loss]
    options: list[list[str]] = []
    for key in keys:
        own = split_name(key)[1]
        options.append([value for value in values if split_name(value)[1] == own or not own])
    for chosen in itertools.product(*options):
        if len(set(chosen)) == len(chosen):
            yield dict(zip(keys, chosen, strict=True))
