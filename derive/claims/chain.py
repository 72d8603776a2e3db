"""The chain rule itself as a claim: names that no model defines stand for arbitrary functions of scalars."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from derive.backprop import derive_gradients
from derive.diagnose.rewriting import Vocabulary
from derive.diagnose.search import diagnose
from derive.errors import DeriveError, UnreadError
from derive.expr import Node, Var, substitute
from derive.meaning.models import Sketch, known_names
from derive.meaning.outline import Equation, derivatives_in, walk
from derive.meaning.terms import cotangent_key
from derive.model import Definition, Network, free_variables, restricted
from derive.ops.elementwise import unknown
from derive.read import syntax as ast
from derive.read.spelling import render
from derive.verify.judge import Verdict, judge
from derive.verify.setting import Partial, Setting

ANY_FUNCTIONS = "any functions"  # in place of a model's title
PARTS = (ast.Derivative, ast.Product, ast.Sum, ast.Name, ast.Neg)


def generic_chain(claim: Equation, sketches: Sequence[Sketch], section: int) -> Verdict | None:
    """Judge a statement of the chain rule about names that no model defines: any functions, of scalars.

    `∂L/∂θ = ∂L/∂z · ∂z/∂θ` holds for L a function of z and z one of θ; None where a claim is not of this kind.
    """
    pairs = _derivative_pairs(claim)
    known = {key for sketch in sketches if sketch.section == section for key in known_names(sketch)}
    if not pairs or any(key in known for pair in pairs for key in pair):
        return None
    if not all(isinstance(p, PARTS) for s in (claim.left, claim.right) for p in walk(s)):
        return None
    network = _chain_network(pairs)
    if network is None:
        return None
    partials, names = {}, {}
    for of, by in pairs:
        value = _partial(network, Var(of), Var(by))
        if value is None:
            return None
        name = Var(cotangent_key(of, by))
        names[cotangent_key(of, by)], partials[name] = name, Partial(network, Var(of), Var(by), value)
    derivation = derive_gradients(network, wanted=free_variables(network))
    order = " of ".join(f"${d.name.latex}$ a function" for d in reversed(network.definitions))
    note = f"{order} of ${free_variables(network)[0].latex}$, all scalars (for vectors: Jacobians in numerator layout)"
    derivation = replace(derivation, assumptions=(note,))
    setting = Setting(network, derivation, {}, network.loss, partials)
    try:
        left, right = _chain_side(claim.left, names), _chain_side(claim.right, names)
    except UnreadError:
        return None
    verdict = judge(left, right, setting)
    if verdict.verdict != "refuted":
        return verdict

    def holds(edited: ast.Node) -> bool:
        try:
            return judge(left, _chain_side(edited, names), setting).verdict == "proved"
        except DeriveError:
            return False

    return replace(verdict, diagnosis=diagnose(claim.left, claim.right, Vocabulary((), (), ()), holds))


def _derivative_pairs(claim: Equation) -> list[tuple[str, str]]:
    found = []
    for part in (p for side in (claim.left, claim.right) for p in derivatives_in(side)):
        if not isinstance(part.of, ast.Name) or not isinstance(part.wrt, ast.Name):
            return []
        found.append((render(part.of), render(part.wrt)))
    return list(dict.fromkeys(found))


def _chain_network(pairs: Sequence[tuple[str, str]]) -> Network | None:
    """Return scalars, each an arbitrary function of the one below it, if the derivatives form a single chain."""
    direct = [
        (of, by) for of, by in pairs
        if not any((of, mid) in pairs and (mid, by) in pairs for mid in {name for pair in pairs for name in pair})
    ]  # fmt: skip
    above = {by: of for of, by in direct}
    starts = [by for by in above if by not in above.values()]
    if len(above) != len(direct) or len(starts) != 1:
        return None
    definitions: list[Definition] = []
    name = starts[0]
    while name in above and len(definitions) < len(direct):
        definitions.append(Definition(Var(above[name]), unknown(f"f_{{{above[name]}}}", Var(name))))
        name = above[name]
    if len(definitions) != len(direct) or name in above:
        return None
    return Network("chain rule", tuple(definitions), Var(name), (Var(starts[0]),))


def _partial(network: Network, of: Var, by: Var) -> Node | None:
    inner = restricted(replace(network, loss=of), of)
    derived = derive_gradients(inner, wanted=free_variables(network))
    found = next((e for e in derived.equations if e.of == by and e.role in ("cotangent", "gradient")), None)
    if found is None:
        return None
    values = {e.name: e.value for e in derived.equations if e.role == "cotangent"}
    value = found.value
    for _ in values:
        value = substitute(value, values)
    return value


def _chain_side(node: ast.Node, names: Mapping[str, Var]) -> Node:
    if isinstance(node, ast.Product):
        return _chain_side(node.left, names) * _chain_side(node.right, names)
    if isinstance(node, ast.Sum):
        left, right = _chain_side(node.left, names), _chain_side(node.right, names)
        return left + right if node.sign == "+" else left - right
    if isinstance(node, ast.Neg):
        return -_chain_side(node.arg, names)
    if isinstance(node, ast.Derivative) and node.wrt is not None:
        key = cotangent_key(render(node.of), render(node.wrt))
        if key in names:
            return names[key]
    raise UnreadError(f"${render(node)}$ is no part of a chain of derivatives")
