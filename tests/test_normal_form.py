"""The normal form: which identities it sees, and that it never takes two different expressions for the same."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from derive.expr import Apply, Const, Node, Var, matrix, ones, rebuild, scalar, vector, walk
from derive.ops import table
from derive.ops.activation import relu, sigmoid, softplus, tanh
from derive.ops.elementwise import exp, log, sqrt, unknown
from derive.ops.reduction import mean, softmax, total
from derive.shapes import ROW, size
from derive.verify.evaluate import REAL, Point, choose_sizes, draw, evaluate
from derive.verify.normal_form import same
from derive.verify.numbers import RetryError

M, N, P = size("m"), size("n"), size("p")
A, B, C, D = matrix("A", "m", "n"), matrix("B", "n", "p"), matrix("C", "p", "q"), matrix("D", "m", "n")
S, T = matrix("S", "n", "n"), matrix("T", "n", "n")
u, v, w, x, y, z = (vector(letter, "n") for letter in "uvwxyz")
a, b, c = (scalar(letter) for letter in "abc")
p, q = scalar("p", "positive"), scalar("q", "positive")
pos = vector("r", "n", "positive")
hot, mixed, binary = vector("h", "n", "onehot"), vector("s", "n", "simplex"), scalar("t", "binary")
hot_columns = matrix("H", "n", "p", "onehot")
ONES = ones(N)


def func(name: str, *args: Node | int) -> Node:
    return Apply(name, *args)


def prime(name: str, node: Node) -> Node:
    return Apply(name, node, 1)


def lse(node: Node) -> Node:
    return Apply("logsumexp", node)


# ---------------------------------------------------------------- the oracle: values at real points
def real_point(nodes: Iterable[Node], seed: int) -> Point:
    """A point of fifty digits for expressions without a model; every size is different and none is 1."""
    parts = [part for node in nodes for part in walk(node)]
    numbers = [part.value for part in parts if isinstance(part, Const)]
    shapes = [part.shape for part in parts] + [tuple(number.free_symbols) for number in numbers]
    point = Point(REAL, choose_sizes(shapes, seed), {}, {})
    rng = random.Random(seed)
    names = dict.fromkeys(part for part in parts if isinstance(part, Var))
    point.values.update({name: draw(name, point, rng) for name in names})
    return point


def values_differ(left: Node, right: Node, count: int = 3, seed: int = 0) -> bool:
    """Tell whether two expressions differ at one of a few real points."""
    seen = 0
    for attempt in range(8 * count):
        point = real_point((left, right), seed + attempt)
        try:
            sides = [evaluate(side, point).each(np.ravel) for side in (left, right)]
        except (RetryError, OverflowError):  # a pole, or a tower of exponentials
            continue
        seen += 1
        if not sides[0].same(sides[1]):  # nor are they where they differ in length
            return True
        if seen == count:
            break
    return False


HOLDS: dict[str, tuple[Node, Node]] = {
    "σ' = σ(1 - σ)": (prime("sigmoid", x), sigmoid(x) * (1 - sigmoid(x))),
    "tanh' = 1 - tanh²": (prime("tanh", x), 1 - tanh(x) ** 2),
    "ReLU' = step": (prime("relu", x), func("step", x)),
    "softplus' = σ": (prime("softplus", x), sigmoid(x)),
    "step² = step": (func("step", x) ** 2, func("step", x)),
    "|x|² = x²": (func("abs", x) ** 2, x**2),
    "a softmax's entries sum to 1": (total(softmax(x)), Const(1)),
    "each column of a softmax sums to 1": (total(softmax(A, 0), 0), ones(N).T),
    "each row of a softmax sums to 1": (total(softmax(A, 1), 1), ones(M)),
    "log softmax = z - logsumexp": (log(softmax(z)), z - lse(z)),
    "log softmax = z - log Σe^z": (log(softmax(z)), z - log(total(exp(z)))),
    "e^logsumexp = Σe^z": (exp(lse(z)), total(exp(z))),
    "(AB)ᵀ = BᵀAᵀ": ((A @ B).T, B.T @ A.T),
    "(AB)C = A(BC)": ((A @ B) @ C, A @ (B @ C)),
    "A(x + y) = Ax + Ay": (A @ (x + y), A @ x + A @ y),
    "xᵀy = yᵀx": (x.T @ y, y.T @ x),
    "xᵀy = Σ x∘y": (x.T @ y, total(x * y)),
    "Σ A∘D = Σ D∘A": (total(A * D), total(D * A)),
    "tr(AᵀD) as a sum": (total(A * D), ones(M).T @ (A * D) @ ONES),
    "1ᵀ1 = n": (ONES.T @ ONES, Const(N)),
    "the sum of a constant is n times it": (total(a * ONES), Const(N) * a),
    "a sum over an index that occurs nowhere": (total(a * ONES / Const(N)), a),
    "the mean of a constant": (mean(a * ones(M, N)), a),
    "mean = sum / n": (mean(x), total(x) / Const(N)),
    "mean of a matrix": (mean(A), total(A) / Const(M * N)),
    "Hadamard commutes": (x * y * z, z * (y * x)),
    "xyᵀ entrywise": ((x @ y.T) * (u @ v.T), (x * u) @ (y * v).T),
    "(AᵀA)ᵀ = AᵀA": ((A.T @ A).T, A.T @ A),
    "x xᵀ x = (xᵀx) x": ((x @ x.T) @ x, (x.T @ x) * x),
    "a bilinear form transposed": (x.T @ S @ y, y.T @ S.T @ x),
    "four indices to be tied": (total((S @ S.T) * (S @ S.T)), total((S.T @ S) * (S.T @ S))),
    "1/(ab) = 1/a · 1/b": (1 / (a * b), 1 / a * (1 / b)),
    "partial fractions": (1 / (a * (a + 1)), 1 / a - 1 / (a + 1)),
    "partial fractions of two sums": (1 / ((a + b) * (a - b)), (1 / (a - b) - 1 / (a + b)) / (2 * b)),
    "a sum over a common denominator": (total(x / (1 + a)), total(x) / (1 + a)),
    "(a² - b²)/(a - b) = a + b": ((a**2 - b**2) / (a - b), a + b),
    "a/(a + b) + b/(a + b) = 1": (a / (a + b) + b / (a + b), Const(1)),
    "entrywise fractions": (x / (1 + x), 1 - 1 / (1 + x)),
    "a double fraction": (1 / (1 / (a + b)), a + b),
    "e^(a+b) = e^a e^b": (exp(a + b), exp(a) * exp(b)),
    "e^(-a) = 1/e^a": (exp(-a), 1 / exp(a)),
    "e^(3a) = (e^a)³": (exp(3 * a), exp(a) ** 3),
    "e^(x+y) entry by entry": (exp(x + y), exp(x) * exp(y)),
    "e^log x = x": (exp(log(pos)), pos),
    "log(pq) = log p + log q": (log(p * q), log(p) + log(q)),
    "log(p/q) = log p - log q": (log(p / q), log(p) - log(q)),
    "log e^a = a": (log(exp(a)), a),
    "√p² = p": (sqrt(p) ** 2, p),
    "√p·√p = p": (sqrt(pos) * sqrt(pos), pos),
    "p^{3/2} = p√p": (p ** Const(1.5), p * sqrt(p)),
    "1/√p = √p/p": (1 / sqrt(p), sqrt(p) / p),
    "(a + b)³ expanded": ((a + b) ** 3, a**3 + 3 * a**2 * b + 3 * a * b**2 + b**3),
    "ΣᵢΣⱼ xᵢyⱼ = Σx Σy": (total(x @ y.T), total(x) * total(y)),
    "binary y² = y": (binary**2, binary),
    "Σ of a one-hot vector": (total(hot), Const(1)),
    "Σ of a point of the simplex": (total(mixed), Const(1)),
    "one-hot entries are their squares": (hot * hot, hot),
    "hᵀh = 1 for a one-hot h": (hot.T @ hot, Const(1)),
    "each column of one-hot columns": (total(hot_columns, 0), ones(P).T),
    "an unknown function is a function": (unknown("f", x + y), unknown("f", y + x)),
    "σ(z) = 1 - σ(-z), through exp": (sigmoid(a), 1 - sigmoid(-a)),
    "tanh a = 2σ(2a) - 1, through exp": (tanh(a), 2 * sigmoid(2 * a) - 1),
    "σ = ½(1 + tanh ½), through exp": (sigmoid(2 * a), (1 + tanh(a)) / 2),
    "ReLU(x) = x step(x), written out": (relu(x), x * func("step", x)),
    "softplus(a) - softplus(-a) = a, written out": (exp(softplus(a)), exp(softplus(-a)) * exp(a)),
}

# Equal, and of a kind that a derivation meets: a function of a matrix under transposes and regrouped products.
SEEN_ACROSS_TRANSPOSES: dict[str, tuple[Node, Node]] = {
    "σ(A)ᵀ = σ(Aᵀ)": (sigmoid(A).T, sigmoid(A.T)),
    "Σσ(A) = Σσ(A)ᵀ": (total(sigmoid(A)), total(sigmoid(A).T)),
    "(σ(A)B)C = σ(A)(BC)": ((sigmoid(A) @ B) @ C, sigmoid(A) @ (B @ C)),
    "(Aσ(B))C = A(σ(B)C)": ((A @ sigmoid(B)) @ C, A @ (sigmoid(B) @ C)),
    "xᵀσ(S)y = yᵀσ(S)ᵀx": (x.T @ sigmoid(S) @ y, y.T @ sigmoid(S).T @ x),
    "Σ log softmax over columns": (total(log(softmax(A, 0))), total(log(softmax(A, 0)).T)),
}

DIFFERS: dict[str, tuple[Node, Node]] = {
    "σ' against σ": (prime("sigmoid", x), sigmoid(x)),
    "σ' with a sum": (prime("sigmoid", x), sigmoid(x) * (1 + sigmoid(x))),
    "tanh' without the square": (prime("tanh", x), 1 - tanh(x)),
    "σ' at another place": (prime("sigmoid", x), sigmoid(y) * (1 - sigmoid(y))),
    "σ' of the output": (prime("sigmoid", x), prime("sigmoid", sigmoid(x))),
    "(AB)ᵀ without turning round": ((S @ T).T, S.T @ T.T),
    "ST against TS": (S @ T, T @ S),
    "S against Sᵀ": (S, S.T),
    "SᵀS against SSᵀ": (S.T @ S, S @ S.T),
    "xᵀSy against yᵀSx": (x.T @ S @ y, y.T @ S @ x),
    "xyᵀ against yxᵀ": (x @ y.T, y @ x.T),
    "(xᵀy) z against x (yᵀz)": ((x.T @ y) * z, (y.T @ z) * x),
    "Σx Σy against Σ xy": (total(x) * total(y), total(x * y)),
    "(Σx)² against Σx²": (total(x) ** 2, total(x**2)),
    "mean against sum": (mean(x), total(x)),
    "1/m against 1/n": (total(A) / Const(M), total(A) / Const(N)),
    "column sums against row sums": (total(S, 0).T, total(S, 1)),
    "1ᵀ1 against 1": (ONES.T @ ONES, Const(1)),
    "1ᵀ1 of another size": (ONES.T @ ONES, Const(M)),
    "e^(ab) against e^a e^b": (exp(a * b), exp(a) * exp(b)),
    "e^Σx against Σe^x": (exp(total(x)), total(exp(x))),
    "e^Σlog p against Σp": (exp(total(log(pos))), total(pos)),
    "e^(-Σlog p) against 1/Σp": (exp(-total(log(pos))), 1 / total(pos)),
    "log Σp against Σlog p": (log(total(pos)), total(log(pos))),
    "log(p + q) against log p + log q": (log(p + q), log(p) + log(q)),
    "log p² against (log p)²": (log(p**2), log(p) ** 2),
    "√(p + q) against √p + √q": (sqrt(p + q), sqrt(p) + sqrt(q)),
    "Σ u√r√r against Σu Σr": ((u * sqrt(pos)).T @ sqrt(pos), total(u) * total(pos)),
    "Σ √r√r√r√r against (Σr)²": (total(sqrt(pos) ** 2 * pos), total(pos) ** 2),
    "rᵀ S r through roots": ((S @ sqrt(pos)).T @ (S @ sqrt(pos)), total(S @ pos)),
    "|x| against x": (func("abs", x), x),
    "ReLU against the identity": (relu(x), x),
    "step(x) against step(-x)": (func("step", x), func("step", -x)),
    "softmax against its shift along one entry": (softmax(x), softmax(x + y)),
    "softmax along the other axis": (softmax(S, 0), softmax(S, 1)),
    "softmax columns sum along the other axis": (total(softmax(S, 0), 1), ones(N)),
    "1/(a + b) against 1/a + 1/b": (1 / (a + b), 1 / a + 1 / b),
    "Σ x/(1 + x) against Σx/(1 + Σx)": (total(x / (1 + x)), total(x) / (1 + total(x))),
    "Σ x/y against Σx/Σy": (total(x / y), total(x) / total(y)),
    "one-hot of a general vector": (total(x), Const(1)),
    "hᵀh = 1 needs one-hot": (mixed.T @ mixed, Const(1)),
    "binary y against its complement": (binary, 1 - binary),
    "rows of one-hot columns": (total(hot_columns, 1), ones(N)),
    "a one-hot vector is not all ones": (hot, ONES),
    "Σ h∘x against Σx": (total(hot * x), total(x)),
    "h (hᵀx) against h∘x ... of x alone": (hot * x, x),
    "f(x) against g(x)": (unknown("f", x), unknown("g", x)),
    "f'(x) against f(x)": (unknown("f", x, 1), unknown("f", x)),
    "f(Σx) against Σf(x)": (unknown("f", total(x)), total(unknown("f", x))),
    "f(S)ᵀ against f(S)": (unknown("f", S).T, unknown("f", S)),
    "f(S)x against f(Sx)": (sigmoid(S) @ x, sigmoid(S @ x)),
    "f(S)x against f(S)ᵀx": (sigmoid(S) @ x, sigmoid(S).T @ x),
    "Σᵢⱼ f(S)ᵢⱼ Sᵢⱼ against Sⱼᵢ": (total(sigmoid(S) * S), total(sigmoid(S) * S.T)),
    "sin² against cos²": (func("sin", x) ** 2, func("cos", x) ** 2),
    "factor ½": (x * x / 2, x * x),
    "sign": (x - y, y - x),
    "max against logsumexp": (func("max", x), lse(x)),
    "a variable of one name and another size": (total(vector("x", "n")), total(vector("x", "m"))),
}

# One function stands in for every unknown one at a real point; the others have no common point.
ORACLE_IS_BLIND = {"f(x) against g(x)", "max against logsumexp", "a variable of one name and another size"}


@pytest.mark.parametrize("name", HOLDS)
def test_an_identity_is_seen(name: str) -> None:
    left, right = HOLDS[name]
    expand = "through exp" in name or "written out" in name
    assert not values_differ(left, right), "the oracle refutes the test's own identity"
    assert same(left, right, expand=expand) and same(right, left, expand=expand)


@pytest.mark.parametrize("name", SEEN_ACROSS_TRANSPOSES)
def test_a_function_of_a_matrix_is_the_same_however_products_are_grouped(name: str) -> None:
    left, right = SEEN_ACROSS_TRANSPOSES[name]
    assert not values_differ(left, right)
    assert same(left, right)


@pytest.mark.parametrize("name", DIFFERS)
def test_a_near_miss_is_not_taken_for_an_identity(name: str) -> None:
    left, right = DIFFERS[name]
    assert name in ORACLE_IS_BLIND or values_differ(left, right), "the oracle says that the test's pair is equal"
    for expand in (False, True):
        assert not same(left, right, expand=expand) and not same(right, left, expand=expand)


# ---------------------------------------------------------------- losses
def test_sigmoid_with_binary_cross_entropy_gives_the_difference() -> None:
    y_hat, t = scalar(r"\hat{y}"), scalar("y", "binary")
    slope = (-t / y_hat + (1 - t) / (1 - y_hat)) * prime("sigmoid", a)
    assert same(slope, y_hat - t, {y_hat: sigmoid(a)})
    assert not same(slope, t - y_hat, {y_hat: sigmoid(a)})
    assert not same(slope, y_hat - t), "without what ŷ stands for it does not hold"


@pytest.mark.parametrize("domain", ["onehot", "simplex", "real"])
def test_softmax_with_cross_entropy_gives_the_difference_for_targets_that_sum_to_one_alone(domain: str) -> None:
    target, y_hat = vector("y", "n", domain), softmax(z)
    upstream = -target / y_hat
    slope = y_hat * (upstream - total(y_hat * upstream))
    assert same(slope, y_hat - target) is (domain != "real")
    assert same(slope, y_hat * total(target) - target)


def test_the_size_of_a_sum_is_that_of_its_index() -> None:
    assert same(total(ones(M, N)), Const(M * N))
    assert not same(total(ones(M, N)), Const(M * M))
    assert same(ones(M).T @ ones(M, N) @ ones(N), Const(M) * Const(N))


def test_shapes_that_differ_are_not_the_same() -> None:
    assert not same(x, vector("x", "m"))
    assert not same(A, A.T)
    assert not same(total(x), x)


def test_an_axis_of_one_entry_counts_for_nothing() -> None:
    row = matrix("W", 1, "n")
    assert same(row @ x, total(row.T @ ones(size(1)) * x))


def test_a_name_is_replaced_by_what_it_stands_for() -> None:
    hidden = vector("g", "m")
    assert same(hidden, A @ x, {hidden: A @ x})
    assert not same(hidden, A @ x)


def test_a_form_that_grows_past_the_limit_is_left_undecided() -> None:
    many = scalar("d") + scalar("e") + scalar("f") + scalar("g")
    assert not same((a + b + c + many) ** 9, (many + c + b + a) ** 9)


# ---------------------------------------------------------------- random expressions
SCALARS, VECTORS, MATRICES = (a, b, p), (x, y, pos, hot), (S, T)
SMOOTH: tuple[Callable[[Node], Node], ...] = (
    sigmoid, tanh, exp, relu, softplus,
    lambda e: func("step", e), lambda e: func("abs", e), lambda e: unknown("f", e),
    lambda e: log(1 + exp(e)), lambda e: sqrt(1 + exp(e)), lambda e: 1 / (2 + exp(e)), lambda e: log(exp(e)),
)  # fmt: skip


def expressions(shape: tuple[object, ...], depth: int) -> st.SearchStrategy[Node]:
    """Expressions of a shape: () for scalars, (N,) for vectors, (N, N) for matrices."""
    leaves: tuple[Node, ...] = {0: (*SCALARS, Const(2), Const(-1)), 1: (*VECTORS, ONES), 2: MATRICES}[len(shape)]
    if depth == 0:
        return st.sampled_from(leaves)
    inner = expressions(shape, depth - 1)
    numbers, vectors, matrices = (expressions(s, depth - 1) for s in ((), (N,), (N, N)))
    pairs = st.tuples(inner, inner)
    options = [
        st.sampled_from(leaves),
        pairs.map(lambda e: e[0] + e[1]), pairs.map(lambda e: e[0] - e[1]), pairs.map(lambda e: e[0] * e[1]),
        inner.map(lambda e: -e), st.tuples(numbers, inner).map(lambda e: e[0] * e[1]),
        inner.map(lambda e: e**2), st.tuples(st.sampled_from(SMOOTH), inner).map(lambda e: e[0](e[1])),
    ]  # fmt: skip
    if not shape:
        options += [
            vectors.map(total), matrices.map(total), vectors.map(mean), vectors.map(lse),
            st.tuples(vectors, vectors).map(lambda e: e[0].T @ e[1]),
        ]  # fmt: skip
    elif len(shape) == 1:
        options += [
            st.tuples(matrices, vectors).map(lambda e: e[0] @ e[1]), vectors.map(softmax),
            matrices.map(lambda e: total(e, 1)), matrices.map(lambda e: total(e, 0).T),
        ]  # fmt: skip
    else:
        options += [
            st.tuples(matrices, matrices).map(lambda e: e[0] @ e[1]), matrices.map(lambda e: e.T),
            st.tuples(vectors, vectors).map(lambda e: e[0] @ e[1].T), matrices.map(lambda e: softmax(e, 0)),
        ]  # fmt: skip
    return st.one_of(options)


shapes = st.sampled_from([(), (N,), (N, N)])


def is_(node: Node, *names: str) -> bool:
    return isinstance(node, Apply) and node.op.name in names


def rewritten(node: Node, rng: random.Random) -> Node:
    """The same value built another way: commuted, re-associated, distributed, with signs moved about."""

    def change(part: Node) -> Node | None:
        if not isinstance(part, Apply):
            return part + 0 * part if rng.random() < 0.1 else part
        operands = [rewritten(operand, rng) for operand in part.operands]
        return shuffled(Apply(part.args[0], *operands, *part.params), rng)

    return rebuild(node, change)


def shuffled(node: Apply, rng: random.Random) -> Node:
    options: list[Node] = [node, Const(-1) * -node]
    if is_(node, table.ADD, table.MUL):
        left, right = node.operands
        options.append(Apply(node.args[0], right, left))
        if is_(left, node.op.name) and left.shape == right.shape:
            inner = left.operands
            options.append(Apply(node.args[0], inner[0], Apply(node.args[0], inner[1], right)))
    if is_(node, table.SUB):
        options.append(node.operands[0] + -node.operands[1])
    if is_(node, table.MUL, table.MATMUL) and is_(node.operands[1], table.ADD):
        left, sum_ = node.operands
        first, second = (Apply(node.args[0], left, part) for part in sum_.operands)
        options.append(first + second)
    if is_(node, table.MATMUL) and len(node.shape) == 2 and node.shape[0] != ROW:
        options.append((node.operands[1].T @ node.operands[0].T).T)
    if is_(node, table.POW):
        options.append(node.operands[0] * node.operands[0])
    return rng.choice(options)


@settings(max_examples=150, deadline=None)
@given(shapes.flatmap(lambda shape: expressions(shape, 2)), st.integers(0, 2**32))
def test_an_expression_built_in_two_ways_has_one_normal_form(node: Node, seed: int) -> None:
    other = rewritten(node, random.Random(seed))
    if other.shape == node.shape:
        assert same(node, other), f"{node}\n{other}"


def spoiled(node: Node, rng: random.Random) -> Node:
    """A near miss, or now and then the same: one part of an expression exchanged."""
    parts = [part for part in walk(node) if not isinstance(part, Const)] or [node]
    target = rng.choice(parts)
    alike = {0: SCALARS, 1: VECTORS, 2: MATRICES}[len(target.shape)] if ROW not in target.shape else (target,)
    options: list[Node] = [*alike, -target, 2 * target, target * target]
    if isinstance(target, Apply):
        options += [operand for operand in target.operands if operand.shape == target.shape]
        if len(target.operands) == 2:
            left, right = target.operands
            options += made(lambda: Apply(target.args[0], right, left))
            for name in (table.ADD, table.SUB, table.MUL):
                options += made(lambda name=name: Apply(name, left, right))
        if is_(target, table.SUM):
            options += [total(operand) * total(operand) for operand in target.operands if not target.params]
            options += [exp(total(log(exp(operand)))) for operand in target.operands if not target.params]
    if len(target.shape) == 2 and ROW not in target.shape:
        options.append(target.T)
    chosen = rng.choice([option for option in options if option.shape == target.shape] or [target])
    return rebuild(node, lambda part: chosen if part is target else None)


def made(build: Callable[[], Node]) -> list[Node]:
    try:
        return [build()]
    except ValueError:  # ShapeError: the parts do not go together in this way
        return []


@settings(max_examples=150, deadline=None)
@given(
    shapes.flatmap(lambda shape: st.tuples(expressions(shape, 2), expressions(shape, 1))),
    st.integers(0, 2**32),
)
def test_what_is_called_the_same_is_the_same_at_real_points(pair: tuple[Node, Node], seed: int) -> None:
    rng = random.Random(seed)
    one, other = pair
    for left, right in ((one, spoiled(one, rng)), (one, spoiled(rewritten(one, rng), rng)), (one, other)):
        if left.shape != right.shape:
            continue
        for expand in (False, True):
            if same(left, right, expand=expand):
                assert not values_differ(left, right, 2, seed % 7), f"{left}\n{right}"


def test_variables_of_one_name_are_told_apart_by_their_domain() -> None:
    assert not same(total(Var("x", (N,), "onehot")) + 0 * total(Var("x", (N,))), total(Var("x", (N,))))
