"""What is printed reads back: as LaTeX of a textbook, and through the reader to the same expression."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from test_backprop import EXAMPLES, LOSS, Example

from derive import Model
from derive.backprop import derive_gradients
from derive.batch import batched
from derive.claims.bench import Bench, bench_for, sides
from derive.derivation import Equation
from derive.errors import DeriveError, UnreadError
from derive.expr import Apply, Const, Node, Var, matrix, ones, scalar, vector, walk
from derive.meaning.outline import Equation as Claim
from derive.meaning.outline import Place
from derive.model import Definition, Network
from derive.ops.activation import relu, sigmoid, softplus, tanh
from derive.ops.elementwise import exp, log, sqrt, unknown
from derive.ops.reduction import mean, softmax, total
from derive.printer import equation_latex, shape_latex, to_latex
from derive.read.latex import read_formula
from derive.read.syntax import Relation
from derive.shapes import ROW, Shape, size
from derive.verify.judge import shapes_agree
from derive.verify.normal_form import same

PLACE = Place(("m",), 0, "", 1, 1)
A, S, B = matrix("A", "m", "n"), matrix("S", "n", "n"), matrix("B", "n", "p")
a, b, c = scalar("a"), scalar("b"), scalar("c")
u, v, w, x, y, z = (vector(letter, "n") for letter in "uvwxyz")
Z1, W2 = vector("Z^{[1]}", "n"), matrix("W^{[2]}", "m", "n")
N = size("n")


def read_back(left: Node, right: Node, bench: Bench) -> tuple[Node, Node]:
    """Print an equation and read it in the names of a model."""
    latex = equation_latex(left, right)
    node = read_formula(latex, frozenset({"f", "g"}))
    assert isinstance(node, Relation) and len(node.links) == 2
    return sides(Claim(node.links[0], node.links[1], latex, PLACE), bench)


# ---------------------------------------------------------------- every equation of every model
def readable(item: Equation) -> bool:
    return item.role in ("definition", "loss", "cotangent", "gradient")


# What the sheet prints of one sample and the reader of claims has no notation for.
UNREAD_IN_SAMPLES = (
    r"\sum_{j,i}",  # a sum over two indices
    r"\mathbf{1}",  # ones
    r"\left(\frac{\partial L}{\partial \hat{y}} - \sum", r"\left(-\frac{y}{\hat{y}} - \sum",  # a vector minus a scalar
)  # fmt: skip


def has_notation(example: Example, latex: str) -> bool:
    one_entry = example.name == "hidden bce" and latex.startswith("L =")  # printed as of scalars: y log ŷ
    return not one_entry and not any(mark in latex for mark in UNREAD_IN_SAMPLES)


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda example: example.name)
def test_every_equation_and_step_of_a_sample_reads_back(example: Example) -> None:
    bench = bench_for(example.network)
    for item in derive_gradients(example.network).equations:
        lines = [(item.name, item.value), *((step.before, step.after) for step in item.steps)]
        for before, after in lines if readable(item) else []:
            latex = equation_latex(before, after)
            if has_notation(example, latex):
                left, right = read_back(before, after, bench)
                assert same(left, before) and same(right, after), f"{latex} came back as {to_latex(right)}"


# What the sheet prints of a batch and the reader of claims has no notation for; whatever else is printed reads back.
UNREAD_IN_BATCHES = (
    r"\mathbf{1}",  # ones beside a matrix
    r"\oslash", r"^{\circ",  # the quotient and the power of matrices, entry by entry
    r"\text{softmax}",  # of every column
)  # fmt: skip


def has_row(*nodes: Node) -> bool:
    """Tell whether a row takes part: to the reader a name is a scalar, a vector or a matrix."""
    return any(isinstance(part, Var) and ROW in part.shape for node in nodes for part in walk(node))


@pytest.mark.parametrize("example", EXAMPLES[4:9], ids=lambda example: example.name)
def test_an_equation_of_a_batch_reads_back_where_the_reader_has_its_notation(example: Example) -> None:
    whole = batched(example.network)
    bench = bench_for(whole)
    own = {name.latex: name for name in bench.setting.cotangents}
    bench = replace(bench, names={**bench.names, **own})
    read = 0
    for item in derive_gradients(whole).equations:
        latex = equation_latex(item.name, item.value)
        if readable(item) and not has_row(item.name, item.value) and not any(m in latex for m in UNREAD_IN_BATCHES):
            _, right = read_back(item.name, item.value, bench)
            assert same(right, item.value), latex
            read += 1
    assert read >= 4


def test_a_batchs_own_names_of_cotangents_are_known_to_its_bench() -> None:
    bench = bench_for(batched(EXAMPLES[4].network))
    assert {name.latex for name in bench.setting.cotangents} <= set(bench.names)


def test_a_claim_about_an_unknown_function_is_judged_on_a_model_from_python() -> None:
    model = Model("layer l")
    z = model.define("z", W2 @ u + vector("b", "m"))
    model.define("o", unknown("g", z))
    verdict = model.gradients().check(r"\delta = \frac{\partial L}{\partial o} \circ g'(z)")
    assert verdict.verdict in ("proved", "verified"), verdict.reason


# ---------------------------------------------------------------- brackets
BRACKETS: list[tuple[Node, str]] = [
    (a - (b - c), "a - (b - c)"),
    (a - (b + c), "a - (b + c)"),
    ((a - b) - c, "a - b - c"),
    (a + (b + c), "a + (b + c)"),
    (a * (b + c), "a (b + c)"),
    ((a + b) * c, "(a + b) c"),
    (-(a + b), "-(a + b)"),
    (-(a * b), "-a b"),
    (a * -b, "a (-b)"),
    (a - -b, "a - (-b)"),
    (a + -b, "a + (-b)"),
    ((-a) ** 2, "(-a)^{2}"),
    (-(a**2), "-a^{2}"),
    ((a + b) ** 2, "(a + b)^{2}"),
    ((a * b) ** 2, "(a b)^{2}"),
    ((a**2) ** 3, "(a^{2})^{3}"),
    (a / (b + c), r"\frac{a}{b + c}"),
    ((a / b) ** 2, r"\left(\frac{a}{b}\right)^{2}"),
    (a / b * c, r"\frac{a}{b} c"),
    (2 * (3 * a), "2 (3 a)"),
    (Const(2) * Const(3), r"2 \cdot 3"),
    (Const(-1) * a, "(-1) a"),
    (a * Const(2), r"a \cdot 2"),
    (sigmoid(a) ** 2, r"\sigma(a)^{2}"),
    (sigmoid(a + b), r"\sigma(a + b)"),
    (exp(-a), "e^{-a}"),
    (exp(a) ** 2, "(e^{a})^{2}"),
    (log(a * b), r"\log(a b)"),
    (sqrt(a + b), r"\sqrt{a + b}"),
    (S.T @ (u + v), "S^T (u + v)"),
    ((S @ u).T, "(S u)^T"),
    ((u + v).T @ w, "(u + v)^T w"),
    (u.T.T, "(u^T)^T"),
    ((W2.T @ vector("d", "m")) * Z1, r"(W^{[2]})^T d \circ Z^{[1]}"),
    (W2.T @ (vector("d", "m") * vector("e", "m")), r"(W^{[2]})^T (d \circ e)"),
    ((u * v) @ w.T, r"(u \circ v) w^T"),
    (S @ (u * v), r"S (u \circ v)"),
    ((S @ u) * v, r"S u \circ v"),
    (u * (S @ v), r"u \circ (S v)"),
    (-(u * v), r"-u \circ v"),
    (u / v * w, r"\frac{u}{v} \circ w"),
    (total(u * v), r"\sum_{j=1}^{n} u_{j} v_{j}"),
    (total(u + v), r"\sum_{j=1}^{n} (u_{j} + v_{j})"),
    (total(u) + a, r"\sum_{j=1}^{n} u_{j} + a"),
    (a + total(u), r"a + \sum_{j=1}^{n} u_{j}"),
    (-total(u), r"-\sum_{j=1}^{n} u_{j}"),
    (total(u) ** 2, r"\left(\sum_{j=1}^{n} u_{j}\right)^{2}"),
    (total(u) * a, r"\left(\sum_{j=1}^{n} u_{j}\right) a"),
    (a * total(u), r"a \sum_{j=1}^{n} u_{j}"),
    (total(u**2), r"\sum_{j=1}^{n} u_{j}^{2}"),
    (mean(u), r"\frac{1}{n} \sum_{i=1}^{n} u_{i}"),
    (mean(u - v), r"\frac{1}{n} \sum_{i=1}^{n} (u_{i} - v_{i})"),
    (total(u) / a, r"\frac{\sum_{j=1}^{n} u_{j}}{a}"),
    (total(vector("u_2", "n")), r"\sum_{j=1}^{n} u_{2,j}"),
    (total(softmax(u) * v), r"\sum_{j=1}^{n} (\text{softmax}(u))_{j} v_{j}"),
    (Apply("logsumexp", u), r"\text{logsumexp}(u)"),
    (Apply("max", u), r"\max(u)"),
    (exp(Z1), r"e^{Z^{[1]}}"),
    (Apply("sigmoid", Z1, 1), r"\sigma'(Z^{[1]})"),
    (unknown("g", Z1, 1), "g'(Z^{[1]})"),
    (ones(N), r"\mathbf{1}"),
    (Const(1) / Const(2) * a, r"\frac{1}{2} a"),
    (Const(1 / N) * a, r"\frac{1}{n} a"),
    (Const(-2), "-2"),
    (Const(0.25), r"\frac{1}{4}"),
]


@pytest.mark.parametrize(("node", "latex"), BRACKETS, ids=lambda part: part if isinstance(part, str) else "")
def test_brackets_stand_where_they_are_needed_and_nowhere_else(node: Node, latex: str) -> None:
    assert to_latex(node) == latex


def test_the_samples_of_the_printer_are_as_reviewed(golden: Callable[[str, str], None]) -> None:
    golden("printer.txt", "\n".join(dict.fromkeys(to_latex(node) for node, _ in BRACKETS)) + "\n")


def test_a_shape_prints_as_its_space() -> None:
    assert shape_latex(()) == r"\mathbb{R}"
    assert shape_latex((N,)) == r"\mathbb{R}^{n}"
    assert shape_latex((ROW, N)) == r"\mathbb{R}^{1 \times n}"


def test_an_index_is_a_letter_that_nothing_else_has() -> None:
    j = vector("j", "n")
    assert to_latex(total(j * u)) == r"\sum_{i=1}^{n} j_{i} u_{i}"
    assert to_latex(total(vector("q", "j"))).startswith(r"\sum_{i=1}^{j}")


def test_a_sum_within_a_sum_has_an_index_of_its_own() -> None:
    text = to_latex(total(u * total(v * w)))
    indices = re.findall(r"\\sum_\{(\w)=1\}", text)
    assert len(indices) == len(set(indices)) == 2, text


def test_a_sum_over_a_product_with_a_matrix_shows_the_entry_of_the_product() -> None:
    assert to_latex(total((S @ u) * v)) == r"\sum_{j=1}^{n} (S u)_{j} v_{j}"


# ---------------------------------------------------------------- random expressions
D1 = vector(r"\delta^{[1]}", "n")
W1 = matrix("W^{[1]}", "n", "n")
LEAVES: dict[int, tuple[Node, ...]] = {0: (a, b, Const(2), Const(3)), 1: (u, v, D1), 2: (S, W1)}
FUNCTIONS: tuple[Callable[[Node], Node], ...] = (
    sigmoid, tanh, relu, softplus, exp, log, lambda e: Apply("sigmoid", e, 1),
)  # fmt: skip


def expressions(shape: Shape, depth: int) -> st.SearchStrategy[Node]:
    leaves = st.sampled_from(LEAVES[len(shape)])
    if depth == 0:
        return leaves
    inner, numbers, vectors, matrices = (expressions(s, depth - 1) for s in (shape, (), (N,), (N, N)))
    pairs = st.tuples(inner, inner)
    options = [
        leaves, pairs.map(lambda e: e[0] + e[1]), pairs.map(lambda e: e[0] - e[1]), pairs.map(lambda e: e[0] * e[1]),
        inner.map(lambda e: -e), st.tuples(numbers, inner).map(lambda e: e[0] * e[1]),
        st.tuples(inner, numbers).map(lambda e: e[0] / e[1]),
    ]  # fmt: skip
    if len(shape) < 2:
        options += [inner.map(lambda e: e**2), st.tuples(st.sampled_from(FUNCTIONS), inner).map(lambda e: e[0](e[1]))]
    if not shape:
        options += [vectors.map(total), vectors.map(mean), st.tuples(vectors, vectors).map(lambda e: e[0].T @ e[1])]
    elif len(shape) == 1:
        options += [st.tuples(matrices, vectors).map(lambda e: e[0] @ e[1])]
        options += [st.tuples(matrices, vectors).map(lambda e: e[0].T @ e[1]), vectors.map(softmax)]
    else:
        options += [st.tuples(matrices, matrices).map(lambda e: e[0] @ e[1]), matrices.map(lambda e: e.T)]
        options += [st.tuples(vectors, vectors).map(lambda e: e[0] @ e[1].T)]
    return st.one_of(options)


def whole_bench() -> Bench:
    """A model in which every leaf of the random expressions and every function has a name."""
    used = [leaf for rank in LEAVES.values() for leaf in rank if isinstance(leaf, Var)]
    scalars = [leaf if not leaf.shape else total(leaf) for leaf in used]
    calls = [function(a) for function in FUNCTIONS]
    value: Node = Const(0)
    for part in (*scalars, *calls):
        value = value + part
    left = {0: scalar("o"), 1: vector("p", "n"), 2: matrix("Q", "n", "n")}
    definitions = [Definition(left[1], u + v), Definition(left[2], S), Definition(left[0], a), Definition(LOSS, value)]
    more = LOSS + left[0] + total(left[1]) + total(left[2])
    return bench_for(Network("m", (*definitions, Definition(scalar("J"), more)), scalar("J"), (a, b, u, S)))


BENCH = whole_bench()
TARGET = {0: scalar("o"), 1: vector("p", "n"), 2: matrix("Q", "n", "n")}
shapes = st.sampled_from([(), (N,), (N, N)])
OUTCOMES: Counter[str] = Counter()


@settings(max_examples=300, deadline=None)
@given(shapes.flatmap(lambda shape: expressions(shape, 2)))
def test_a_random_expression_reads_back_as_itself_or_is_refused_aloud(node: Node) -> None:
    """What is read must be what was printed; what cannot be read must raise, never turn into something else."""
    try:
        _, right = read_back(TARGET[len(node.shape)], node, BENCH)
    except UnreadError as error:
        OUTCOMES[f"unread: {str(error).split('$')[-1].strip() or error}"] += 1
        return
    except DeriveError as error:
        raise AssertionError(f"{to_latex(node)} is ill-typed to the reader: {error}") from error
    OUTCOMES["read"] += 1
    assert shapes_agree(right, node), f"{to_latex(node)} came back with another shape"
    told_apart = same(node, node)  # where the normal form does not reach, trees are compared
    assert right == node or same(right, node) or not told_apart, f"{to_latex(node)} came back as {to_latex(right)}"


def test_most_random_expressions_are_read() -> None:
    if not OUTCOMES:
        pytest.skip("counted when the test above has run")
    assert OUTCOMES["read"] > 0.6 * sum(OUTCOMES.values()), OUTCOMES.most_common(8)
