"""What an entry leaves unsaid and a reader knows all the same: each is an assumption, and printed as one.

A formula without a name beside a name without a formula; a loss whose prediction is what the model ends in.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import replace

from derive.cases.backward import is_backward
from derive.meaning.facts import Definition, Facts, key_without_indices, used_in
from derive.meaning.kinds import is_loss_name
from derive.meaning.naming import plain
from derive.meaning.outline import Equation, Place, derivatives_in, names_in, walk
from derive.read import syntax as ast
from derive.read.spelling import render

TARGETS = frozenset(["t", "y", "T", "Y"])
PRE_ACTIVATIONS = frozenset(["z", "Z", "a", "A", "s", "S", "u", "net", "n"])
Said = tuple[Definition, str]  # a definition, and the assumption that it rests on


def unsaid(facts: Facts, claim: Equation, loose: Sequence[ast.Node], told: Collection[str]) -> Iterator[Said]:
    """Yield the definitions that a claim needs, that its model does not state, and that can only be meant.

    Args:
        facts: What the model states.
        claim: The claim.
        loose: Formulas of the model that are no equations.
        told: Keys of the names whose shapes are told, and which are free.
    """
    named = _of_loose_formula(facts, claim, loose, told)
    if named is not None:
        yield named
    if named is not None and not is_backward(named[0].equation.right):
        facts = replace(facts, definitions=[*facts.definitions, named[0]])
    for said in (_of_open_end(facts, claim, told), *_of_arguments(facts, claim)):
        if said is not None:
            yield said


def nameless(loose: Sequence[ast.Node]) -> ast.Node | None:
    """Return the one formula of a model that has no name; None where there are none or several."""
    formulas = [node for node in loose if not isinstance(node, ast.Name)]
    return formulas[0] if len(formulas) == 1 else None


def _of_loose_formula(
    facts: Facts, claim: Equation, loose: Sequence[ast.Node], told: Collection[str]
) -> Said | None:  # fmt: skip
    """Return the one formula that has no name as what the claim differentiates, or uses, and nothing defines."""
    formula = nameless(loose)
    known = {*told, *(item.key for item in facts.definitions), *(name for _, name, f, _ in facts.functions if f.body)}
    if formula is None:
        return None
    known |= {key_without_indices(name) for name in names_in(formula)}  # it does not say what is in it
    open_ = [name for name in (*_differentiated(claim.left), *names_in(claim.right)) if _unknown(name, facts, known)]
    if not open_:
        return None
    name = open_[0]
    return _said(name, formula, claim.place, facts, f"${render(name)}$ is ${render(formula)}$, which has no name")


def _differentiated(node: ast.Node) -> Iterator[ast.Name]:
    """Yield the names of what is differentiated: J of ∂J/∂w and of ∂J(w, b)/∂w."""
    for part in derivatives_in(node):
        of = part.of.function if isinstance(part.of, ast.Call) else part.of
        if isinstance(of, ast.Name):
            yield of


def _unknown(name: ast.Name, facts: Facts, known: Collection[str]) -> bool:
    named = any(render(name) == cotangent for _, cotangent, _ in facts.cotangents)
    return not named and not {render(name), key_without_indices(name)} & {*known}


def _of_open_end(facts: Facts, claim: Equation, told: Collection[str]) -> Said | None:
    """Return that the one name of a loss of which nothing is said is the one value that nothing uses."""
    stated = [item for item in facts.definitions if not isinstance(item.equation.right, ast.Name)]  # no other names
    used = used_in(stated)
    defined = {item.key: item for item in stated}
    wanted = {key_without_indices(name) for name in _differentiated(claim.left)}
    losses = [item for key, item in defined.items() if key in wanted or (is_loss_name(key) and key not in used)]
    ends = [item for key, item in defined.items() if key not in used and item not in losses]
    if len(losses) != 1 or len(ends) != 1:
        return None
    open_ = {key_without_indices(name): name for name in names_in(losses[0].equation.right)}
    if any(item.key in open_ and item.equation.right == ends[0].equation.left for item in facts.definitions):
        return None  # the loss has it by another name
    known = {*told, *(item.key for item in facts.definitions)}
    open_ = {key: name for key, name in open_.items() if key not in known}
    if len(open_) > 1:
        open_ = {key: name for key, name in open_.items() if plain(name.base) not in TARGETS}
    if len(open_) != 1:
        return None
    ((key, name),), end = open_.items(), ends[0].equation.left
    if not isinstance(end, ast.Name) or (name.subs and name.subs != end.subs) or _leads(key, ends[0], defined):
        return None
    return _said(name, end, claim.place, facts, f"${key}$ is ${render(end)}$, what the model ends in")


def _leads(key: str, end: Definition, defined: Mapping[str, Definition]) -> bool:
    """Tell whether a value is computed from a name: then this is not called what that value is, e = h - t."""
    needed = {end.key}
    while more := used_in([defined[one] for one in needed if one in defined]) - needed:
        needed |= more
    return key in needed


def _of_arguments(facts: Facts, claim: Equation) -> Iterator[Said]:
    """Yield that Z_h, which nothing defines, is the argument of a function in which all other names have that mark."""
    defined = {item.key: item.equation.right for item in facts.definitions}
    wanted = [part.wrt for side in (claim.left, claim.right) for part in derivatives_in(side)]
    wanted += [derivative.wrt for _, _, derivative in facts.cotangents]
    uses = {key_without_indices(name) for right in defined.values() for name in names_in(right)}
    calls = [part for right in defined.values() for part in walk(right) if isinstance(part, ast.Call)]
    written = [arg for call in calls for arg in call.args if not isinstance(arg, ast.Name)]
    arguments = [arg for arg in written if arg not in defined.values()]
    for name in dict.fromkeys(wanted):
        if isinstance(name, ast.Name) and name.subs and key_without_indices(name) not in {*defined, *uses}:
            marked = [arg for arg in arguments if _marked(arg, name)]
            if len(marked) == 1 and plain(name.base) in PRE_ACTIVATIONS:
                yield _said(name, marked[0], claim.place, facts, f"${render(name)}$ is ${render(marked[0])}$")


def _marked(formula: ast.Node, name: ast.Name) -> bool:
    """Tell whether parameters in a formula have the mark of a name, and none has another."""
    marks = {used.subs for used in names_in(formula) if used.subs}
    return marks == {name.subs}


def _said(name: ast.Name, formula: ast.Node, place: Place, facts: Facts, why: str) -> Said:
    order = max((item.order for item in facts.definitions), default=0)
    return Definition(key_without_indices(name), Equation(name, formula, why, place), order), why
