"""What an entry leaves open: what its claim names and nothing is said of, and what would decide a false claim."""

from __future__ import annotations

from derive.cases.backward import is_delta
from derive.cases.case import Case
from derive.cases.downstream import function_of, is_slope
from derive.cases.unrolled import is_start
from derive.claims.bench import Bench, canonical
from derive.claims.own_model import Own
from derive.expr import Var, variables
from derive.meaning.facts import key_without_indices, used_in
from derive.meaning.kinds import SCALARS
from derive.meaning.outline import derivatives_in, names_in, walk
from derive.meaning.samples import EACH
from derive.meaning.targets import UNTOLD_AXIS
from derive.model import restricted, upstream
from derive.notation import bare_letter, split_name
from derive.read import syntax as ast
from derive.read.spelling import render

PARAMETERS = frozenset(["W", "w", "b", r"\theta", r"\Theta"])  # free wherever nothing else is said


def unknown(own: Own, case: Case, bench: Bench) -> str:
    """Say what a claim names that the entry says nothing of, or that has no path in its model; else ""."""
    known = _known(own, case) | used_in(own.definitions)
    known |= {item.name.latex for item in bench.setting.network.definitions}
    known |= {key for key, name in bench.names.items() if name in bench.setting.cotangents}
    for name in names_in(own.claim.left) + names_in(own.claim.right):
        told = {render(name), key_without_indices(name)} & known
        if not told and not is_slope(render(name)) and render(name) in bench.names and not own.mentions:
            return f"nothing is said of ${render(name)}$"
    network = bench.setting.network
    defined = {item.name.latex for item in network.definitions}
    for part in derivatives_in(own.claim.left):
        if isinstance(part.of, ast.Name) and isinstance(part.wrt, ast.Name):
            of, by = (bench.names.get(key_without_indices(name)) for name in (part.of, part.wrt))
            if of is not None and by is not None and of.latex in defined and of not in upstream(network, (by,)):
                return f"${render(part)}$: the model does not lead from ${render(part.wrt)}$ to ${render(part.of)}$"
    return ""


def _known(own: Own, case: Case) -> set[str]:
    """Return the keys of the names of which something is said: where shapes are told, those that are told."""
    defined = {item.key for item in own.definitions}
    return {*case.found.declared, *defined, *(() if case.found.domains else used_in(own.definitions))}


def _spoken_of(own: Own, case: Case, bench: Bench) -> set[str]:
    """Return what the derivatives and cotangents on a claim's right side are those of."""
    names = names_in(own.claim.right)
    named = any(is_delta(name) or key_without_indices(name) in bench.model.cotangents for name in names)
    downstream = {render(derivative.of) for _, _, derivative in case.facts.cotangents} if named else set()
    return downstream | {render(part.of) for part in derivatives_in(own.claim.right)}


def _connected(own: Own, bench: Bench) -> set[Var]:
    """Return the names that a claim's names have to do with: no equation leads from these to any other."""
    network = bench.setting.network
    of = [bench.names.get(render(part.of)) for part in derivatives_in(own.claim.left)]
    if len(of) == 1 and of[0] is not None and network.value(of[0]) is not None:
        network = restricted(network, of[0])
    groups = [{item.name, *variables(item.value)} for item in network.definitions]
    written = (*walk(own.claim.left), *walk(own.claim.right))
    reached = {name for part in written if isinstance(part, ast.Name)
               and (name := bench.names.get(key_without_indices(part))) is not None}  # fmt: skip
    reached |= {bench.setting.cotangents[name] for name in reached if name in bench.setting.cotangents}
    while more := [group for group in groups if group & reached and not group <= reached]:
        reached.update(*more)
    return reached


def _layerless(key: str) -> str:
    """Return a name without the mark of its layer: what is said of W^{(k)} is said of the layer above."""
    base, scripts = split_name(key)
    return base if scripts.startswith("^{(") else key


def left_open(own: Own, case: Case, bench: Bench) -> str:
    """Say what would have to be known before a claim could be called false; "" where nothing is missing."""
    defined = {item.key for item in own.definitions}
    spoken = _spoken_of(own, case, bench)
    for part in derivatives_in(own.claim.left):
        of = part.of.of if isinstance(part.of, ast.Derivative) else part.of
        keys = {render(of), *([key_without_indices(of)] if isinstance(of, ast.Name) else [])}
        if not keys & (defined | spoken):
            return f"${render(part.of)}$ is not defined here"
    assumed = any(note.startswith(EACH) for note in bench.model.network.assumptions)
    if assumed and not bench.model.reading.meaning.samples:
        return "whether softmax is that of each row or of each column is not said"
    for note in bench.model.network.assumptions:
        if note.startswith(UNTOLD_AXIS):
            return note
    names = {spelled for name in names_in(own.claim.right) for spelled in (render(name), key_without_indices(name))}
    near = _connected(own, bench)
    slopes = [name.latex for name in near if is_slope(name.latex)]
    if slopes and not spoken and not names & {*bench.model.cotangents, *slopes}:
        return f"{function_of(slopes[0])} is any function, and the claim does not speak of its derivative"
    known = _known(own, case)
    known |= {bench.names[key].latex for key in known & bench.names.keys()}
    network = bench.setting.network
    left = own.claim.left
    by = [bench.names.get(key_without_indices(part.wrt)) for part in derivatives_in(left)
          if isinstance(part.wrt, ast.Name)]  # fmt: skip
    by += [bench.model.cotangents.get(key_without_indices(name)) for name in names_in(left)]
    for name in sorted(bench.setting.free & near, key=str):
        above = any(variable is not None and variable in upstream(network, (name,)) for variable in by)
        letter = bare_letter(name.latex)
        spelled = {canonical(name.latex), *(key for key, var in bench.names.items() if var == name)}
        usual = letter in PARAMETERS or (letter in SCALARS and letter.startswith("\\") and not name.shape)
        layered = _layerless(name.latex) in map(_layerless, {*case.found.declared, *defined})
        usual = usual or is_start(name.latex) or layered
        if not above and not usual and not is_slope(name.latex) and not {name.latex, *spelled} & known:
            return f"nothing is said of ${name.latex}$"
    return ""
