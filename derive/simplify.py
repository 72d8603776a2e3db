"""The named identities that bring a cotangent into textbook form; each is a step on the sheet.

Each identity returns the whole expression after it, or None where it does not apply. None is trusted: the
verifier checks every step by other means.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property, reduce
from operator import add, matmul, mul
from typing import cast

import sympy

from derive.derivation import Step
from derive.expr import Apply, Const, Node, Var, ones_like, rebuild, times_primed, unprimed, walk
from derive.growth import MOST, terms_of
from derive.ops import table
from derive.ops.reduction import total
from derive.tidy import constant, is_op, split_number, tidy

ONE_HOT = ("onehot", "simplex")


def weight(node: Node) -> int:
    """Count the operations and leaves, the measure of what is simpler."""
    return sum(1 for _ in walk(node))


@dataclass(frozen=True)
class Known:
    """What an identity may use: the value behind each name."""

    values: Mapping[Var, Node]

    @cached_property
    def _names(self) -> dict[Node, Var]:
        return {value: name for name, value in reversed([*self.values.items()])}

    def named(self, value: Node) -> Node:
        """Return the name of a value where it has one."""
        return self._names.get(value, value)


Found = tuple[Node, str, tuple[str, ...]]  # what comes after, why, and what it takes for granted
Identity = Callable[[Node, Known], Found | None]


def write_out_slopes(node: Node, known: Known) -> Found | None:
    """Replace f'(z) by its form in the output's name: σ'(z) = a (1 - a)."""
    reasons: list[str] = []

    def change(part: Node) -> Node | None:
        if not (isinstance(part, Apply) and part.op.prime and part.op.slope and times_primed(part) == 1):
            return None
        output = known.named(unprimed(part))
        reasons.append(str(part.op.because))
        return cast(Node, part.op.slope(part.operands[0], output))

    after = rebuild(node, change)
    return (after, reasons[0], ()) if reasons else None


def take_out_of_sums(node: Node, known: Known) -> Found | None:
    """Replace Σ(c a) by c Σa for a number c."""

    def change(part: Node) -> Node | None:
        if not is_op(part, table.SUM):
            return None
        factor, core = split_number(part.operands[0])
        return factor * total(core, *map(int, part.params)) if factor.value != 1 and core.shape else None

    after = tidy(rebuild(node, change))
    return (after, r"\textstyle\sum c\,a = c \sum a", ()) if after != node else None


def use_one_hot(node: Node, known: Known) -> Found | None:
    """Replace the sum of a one-hot vector's entries by 1; for a matrix of one-hot columns or rows, by ones."""
    taken: list[str] = []

    def change(part: Node) -> Node | None:
        if not (is_op(part, table.SUM) and isinstance(core := part.operands[0], Var)):
            return None
        kind, _, last = core.domain.partition(" ")
        axis = (len(core.shape) - 1 if last else 0,) if len(core.shape) > 1 else ()
        if kind not in ONE_HOT or part.params != axis:
            return None
        said = "is one-hot: the entries of a sample sum to 1" if kind == "onehot" else "sums to 1 for each sample"
        taken.append(rf"${core.latex}$ {said}")
        return ones_like(part)

    after = rebuild(node, change)
    return (tidy(after), r"\textstyle\sum_j y_j = 1", tuple(dict.fromkeys(taken))) if taken else None


def multiply_out(node: Node, known: Known) -> Found | None:
    """Multiply every term of a sum by the other factors, and cancel fractions term by term."""
    return _by_terms(node, lambda terms: [sympy.factor(term) for term in terms], r"a\,(b + c) = a\,b + a\,c")


def collect(node: Node, known: Known) -> Found | None:
    """Expand and collect like terms."""
    return _by_terms(node, lambda terms: [sympy.expand(sympy.Add(*terms))], "")


def use_usual_functions(node: Node, known: Known) -> Found | None:
    """Write e^u / (1 + e^u) as σ(u), 1 / (1 + e^u) as σ(-u), and e^x over its sum as softmax(x)."""
    reasons: list[str] = []

    def rewrite(part: Node) -> Node:
        if not isinstance(part, Apply):
            return part
        if part.op.name not in table.RATIONAL:
            return Apply(part.args[0], *map(rewrite, part.operands), *part.params)
        atoms: dict[Node, sympy.Symbol] = {}
        terms = _terms(part, atoms)
        if sum(map(terms_of, terms)) > MOST:
            return part
        terms = [sympy.factor(term) for term in terms]
        known_atoms = {symbol: atom for atom, symbol in atoms.items()}
        found = [_usual(term, known_atoms, reasons) for term in terms]
        if not reasons:
            return part
        return _from_terms(found, {symbol: rewrite(atom) for symbol, atom in known_atoms.items()})

    after = tidy(rewrite(node))
    return (after, reasons[0], ()) if reasons and after.shape == node.shape else None


def _usual(term: sympy.Expr, atoms: dict[sympy.Symbol, Node], reasons: list[str]) -> sympy.Expr:
    """Return a term with its quotients of exponentials as names of usual functions, which are added to the atoms."""
    for symbol, atom in list(atoms.items()):
        if not is_op(atom, table.EXP):
            continue
        (u,) = atom.operands
        powers = term.as_powers_dict()
        top, below = int(powers.get(symbol, 0)), int(powers.get(1 + symbol, 0))
        if below == -1 and top in (0, 1):
            reasons.append(r"\frac{e^u}{1 + e^u} = \sigma(u)")
            sigmoid = Apply(table.SIGMOID, u if top else tidy(-u))
            term = term / symbol**top * (1 + symbol) * _symbol(sigmoid, atoms)
        for other in [s for s, a in atoms.items() if _sums(a, atom)]:
            powers = term.as_powers_dict()
            if powers.get(symbol, 0) >= 1 and powers.get(other, 0) == -1:
                reasons.append(r"\frac{e^{x_i}}{\sum_k e^{x_k}} = \text{softmax}(x)_i")
                axis = _core(atoms[other]).params
                term = term / symbol * other * _symbol(Apply(table.SOFTMAX, u, *axis), atoms)
    return term


def _symbol(atom: Node, atoms: dict[sympy.Symbol, Node]) -> sympy.Symbol:
    symbol = sympy.Symbol(f"v{len(atoms):03d}")
    atoms[symbol] = atom
    return symbol


def _core(node: Node) -> Apply:
    """Return the sum that is spread over an axis, or the sum itself."""
    while is_op(node, table.MATMUL):
        node = next(part for part in node.operands if not is_constant(part))
    assert isinstance(node, Apply)
    return node


def is_constant(node: Node) -> bool:
    """Tell whether a node is a tensor of one number."""
    return constant(node) is not None


def _sums(node: Node, exponential: Node) -> bool:
    """Tell whether a node is the sum of e^x, spread over x again where it is along an axis."""
    if is_op(node, table.SUM):
        return node.operands == (exponential,) and not node.params
    if not is_op(node, table.MATMUL):
        return False
    inner = [part for part in node.operands if not is_constant(part)]
    axis = 0 if node.operands[1] in inner else 1
    return len(inner) == 1 and is_op(inner[0], table.SUM) and inner[0].operands == (exponential,) and (
        inner[0].params == (axis,)
    )


def take_out_factor(node: Node, known: Known) -> Found | None:
    """Take a matrix factor that all terms share out of a sum: A x + Aᵀ x = (A + Aᵀ) x."""
    terms = list(_signed_terms(node))
    if len(terms) < 2:
        return None
    chains = [_factors(core) for _, core in terms]
    if any(len(chain) < 2 for chain in chains):
        return None
    for last in (True, False):
        shared = chains[0][-1 if last else 0]
        if not shared.shape or any(chain[-1 if last else 0] != shared for chain in chains):
            continue
        rests = [reduce(matmul, chain[:-1] if last else chain[1:]) for chain in chains]
        if any(rest.shape != rests[0].shape for rest in rests):
            continue
        inner = reduce(add, (number * rest for (number, _), rest in zip(terms, rests, strict=True)))
        after = tidy(inner @ shared if last else shared @ inner)
        return after, r"A\,C + B\,C = (A + B)\,C", ()
    return None


def _signed_terms(node: Node) -> Iterator[tuple[Const, Node]]:
    if is_op(node, table.ADD) or is_op(node, table.SUB):
        yield from _signed_terms(node.operands[0])
        sign = 1 if is_op(node, table.ADD) else -1
        yield from ((Const(sign * number.value), core) for number, core in _signed_terms(node.operands[1]))
    else:
        yield split_number(node)


def _factors(node: Node) -> list[Node]:
    if is_op(node, table.MATMUL):
        return [*_factors(node.operands[0]), *_factors(node.operands[1])]
    return [node]


def _by_terms(node: Node, change: Callable[[list[sympy.Expr]], list[sympy.Expr]], because: str) -> Found | None:
    """Rewrite every largest rational part of a node as a list of terms in its atoms."""

    def rewrite(part: Node) -> Node:
        if not isinstance(part, Apply):
            return part
        if part.op.name not in table.RATIONAL:
            return Apply(part.args[0], *map(rewrite, part.operands), *part.params)
        atoms: dict[Node, sympy.Symbol] = {}
        terms = _terms(part, atoms)
        if sum(map(terms_of, terms)) > MOST:
            return part
        back = {symbol: rewrite(atom) for atom, symbol in atoms.items()}
        result = _from_terms(change(terms), back)
        return result if result.shape == part.shape else result + Const(0) * ones_like(part)

    after = tidy(rewrite(node))
    return (after, because, ()) if after != node else None


def _terms(node: Node, atoms: dict[Node, sympy.Symbol]) -> list[sympy.Expr]:
    """Return a rational node as terms: sums apart, products multiplied into the longer side's terms."""
    if isinstance(node, Const):
        return [node.value]
    if not isinstance(node, Apply) or node.op.name not in table.RATIONAL:
        return [atoms.setdefault(node, sympy.Symbol(f"v{len(atoms):03d}"))]
    parts = [_terms(operand, atoms) for operand in node.operands]
    if node.op.name == table.ADD:
        return parts[0] + parts[1]
    if node.op.name == table.SUB:
        return parts[0] + [-term for term in parts[1]]
    if node.op.name == table.MUL:
        longer, other = (parts[0], parts[1]) if len(parts[0]) >= len(parts[1]) else (parts[1], parts[0])
        return [term * sympy.Add(*other) for term in longer]
    if node.op.name == table.DIV:
        return [sympy.Add(*parts[0]) / sympy.Add(*parts[1])]
    if node.op.name == table.NEG:
        return [-term for term in parts[0]]
    return [sympy.Add(*parts[0]) ** sympy.Add(*parts[1])]


def _from_terms(terms: list[sympy.Expr], back: Mapping[sympy.Symbol, Node]) -> Node:
    """Return a sum of terms as a node; a number common to all terms stands in front."""
    flat = [part for term in terms for part in sympy.Add.make_args(term) if part != 0]
    flat.sort(key=_reading_order)
    split = [term.as_independent(*back, as_Add=False) for term in flat]
    shared = abs(split[0][0]) if split else sympy.Integer(1)
    if len(flat) > 1 and shared != 1 and all(number in (shared, -shared) for number, _ in split):
        return Const(shared) * _from_terms([number / shared * rest for number, rest in split], back)
    node: Node | None = None
    for term in flat:
        negative, size = _signed(term, back)
        if node is None:
            node = -size if negative else size
            continue
        node = node - size if negative else node + size
    return Const(0) if node is None else node


def _signed(term: sympy.Expr, back: Mapping[sympy.Symbol, Node]) -> tuple[bool, Node]:
    """Return whether a term is negative, and its size; (y - 1) is written as -(1 - y)."""
    negative, kept = False, []
    for factor in sympy.Mul.make_args(term):
        flip = factor.is_negative if factor.is_Number else factor.is_Add and factor.as_coeff_Add()[0].is_negative
        if flip:
            negative, factor = not negative, -factor
        if factor != 1:
            kept.append(factor)
    return negative, _from_factors(sympy.Mul(*kept, evaluate=False) if len(kept) > 1 else sympy.Mul(*kept), back)


def _reading_order(term: sympy.Expr) -> tuple[bool, list[str], str]:
    """Positive terms first, then by the symbols that they hold."""
    return (term.could_extract_minus_sign(), sorted((s.name for s in term.free_symbols), reverse=True), str(term))


def _from_factors(expr: sympy.Expr, back: Mapping[sympy.Symbol, Node]) -> Node:
    if expr in back:
        return back[expr]
    if not expr.free_symbols & set(back):
        return Const(expr)
    if expr.is_Add:
        return _from_terms([expr], back)
    top, bottom = expr.as_numer_denom()
    if bottom != 1:
        return _from_factors(top, back) / _from_factors(bottom, back)
    if expr.is_Pow:
        return _from_factors(expr.base, back) ** _from_factors(expr.exp, back)
    factors = sorted(expr.args, key=lambda factor: (not factor.is_number, factor.is_Add, str(factor)))
    return reduce(mul, (_from_factors(factor, back) for factor in factors))


IDENTITIES: tuple[tuple[str, Identity], ...] = (
    ("write out the derivative", write_out_slopes),
    ("multiply out and cancel", multiply_out),
    ("take the number out of the sum", take_out_of_sums),
    ("use that the target is one-hot", use_one_hot),
    ("collect like terms", collect),
)
SHORTENING: tuple[tuple[str, Identity], ...] = (
    ("name the function", use_usual_functions),
    ("take out the common factor", take_out_factor),
)


def simplify(node: Node, known: Known) -> tuple[Step, ...]:
    """Return the steps that lead to a markedly simpler form, or none where there is no such form."""
    steps = _apply_all(IDENTITIES, node, known)
    if not steps or weight(steps[-1].after) >= weight(node) - 2:
        steps = []
    for pair in SHORTENING:
        current = steps[-1].after if steps else node
        found = _apply_all((pair,), current, known)
        if found and weight(found[-1].after) < weight(current):
            steps += found
    return tuple(steps)


def _apply_all(identities: tuple[tuple[str, Identity], ...], node: Node, known: Known) -> list[Step]:
    steps: list[Step] = []
    for rule, identity in identities:
        current = steps[-1].after if steps else node
        found = identity(current, known)
        if found is not None and found[0] != current:
            after, because, assumptions = found
            steps.append(Step(rule, current, after, because, assumptions=assumptions))
    return steps
