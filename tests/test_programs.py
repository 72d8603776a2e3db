"""Statements that move entries, one by one: NumPy and C against their meaning, their rules, and their text."""

from __future__ import annotations

import subprocess
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from program_helpers import run_program
from test_codegen import STRICT, compilers, needs_compiler

from codegen import build
from codegen.errors import BrokenProgramError, CodegenError
from codegen.function import Function
from codegen.passes.pipeline import optimise
from codegen.passes.verify import verify
from codegen.places import stays_inside
from codegen.program import Affine, Call, Program, Statement, Value, bodies, walk
from codegen.text import read_program, show, show_statement

TOLERANCE = {"float32": 2e-5, "float64": 1e-12}


@pytest.fixture(autouse=True)
def quick_compiler(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(build, "PORTABLE", ("-std=c99", "-O1"))


def program(*lines: str, outputs: str, dtype: str = "float64") -> Program:
    """A program from lines of its text: values, then `computed`, then statements."""
    head = ["program moves", f"dtype {dtype}", f"outputs {outputs}", "size n = 5"]
    return read_program("\n".join([*head, *lines, "updated"]) + "\n")


X, V, WHICH, M = "data X[3,n]  # X", "data v[n]  # v", "data i[4]  # i", "data A[n,n]  # A"
PROGRAMS = {
    "windows": program(
        X, "temp P[3,4,2]  # P", "temp Q[3,7,2]  # Q", "temp S[3,2]  # S", "loss y[3,4,2]  # y", "(1) y",
        "computed",
        "P[c,t,j] = X[c,0+t+j]  # (1)",
        "Q[c,t,j] = X[c,-2+t+2*j]  # (1)",
        "S[c,j] = sum t: Q[c,t,j]  # (1)",
        "y[c,t,j] = add(P[c,t,j], S[c,j])  # (1)", outputs="y",
    ),
    "strides": program(
        X, V, "loss y[3,2]  # y", "(1) y", "computed",
        "y[c,t] = add(X[c,1+2*t], mul(v[4-3*t], X[2-c,-1+4*t]))  # (1)", outputs="y",
    ),
    "fixed places": program(
        X, V, "loss y[n]  # y", "(1) y", "computed", "y[k] = add(X[2,k], mul(v[3], v[-7+k]))  # (1)", outputs="y",
    ),
    "looked up": program(
        X, WHICH, "data A[n,3]  # A", "temp E[4,3]  # E", "loss y[3,4]  # y", "(1) y", "computed",
        "E[t,c] = A[@i[t],c]  # (1)", "y[c,t] = mul(X[c,@i[t]], E[t,c])  # (1)", outputs="y",
    ),
    "diagonal": program(
        V, "temp D[n,n]  # D", "temp F[n,n]  # F", "loss y[n,n]  # y", "(1) y", "computed",
        "D[k,k] += v[k]  # (1)", "F[k,m] += 2  # (1)", "y[k,m] = add(D[m,k], F[k,m])  # (1)", outputs="y",
    ),
    "windows added": program(
        "data P[3,7,2]  # P", "temp a[3,n]  # a", "temp c[n]  # c", "temp d[3,9]  # d", "loss y[3,n]  # y", "(1) y",
        "computed",
        "a[c,-2+t+2*j] += P[c,t,j]  # (1)", "c[4-t] += P[c,t,j]  # (1)", "d[c,1+t] += P[c,t,j]  # (1)",
        "y[c,k] = add(a[c,k], mul(c[k], d[c,0+2*k]))  # (1)", outputs="y",
    ),
    "rows added": program(
        WHICH, "data E[4,3]  # E", "data w[4]  # w", "temp a[n,3]  # a", "temp h[4,n]  # h", "temp g[n]  # g",
        "loss y[n,3]  # y", "(1) y", "computed",
        "a[@i[t],c] += exp(E[t,c])  # (1)", "h[t,@i[t]] += 1  # (1)", "g[@i[t]] += mul(E[t,c], w[t])  # (1)",
        "y[k,c] = add(mul(a[k,c], g[k]), h[3,k])  # (1)", outputs="y",
    ),
    "positions": program(
        X, "loss y[3,n]  # y", "(1) y", "computed",
        "y[c,k] = add(mul(X[c,k], position(k)), position(c))  # (1)", outputs="y",
    ),
    "places of largest": program(
        X, "temp p[3]  # p", "temp q[]  # q", "temp r[]  # r", "temp s[3]  # s", "loss y[3]  # y", "(1) y", "computed",
        "p[c] = argmax k: neg(X[c,k])  # (1)", "q = argmax c,k: X[c,k]  # (1)", "r = argmax k,c: X[c,k]  # (1)",
        "s[c] = X[c,@p[c]]  # (1)", "y[c] = add(add(p[c], mul(q, 10)), add(mul(r, 100), s[c]))  # (1)", outputs="y",
    ),
    "whole matrices": program(
        M, "temp B[n,n]  # B", "temp d[]  # d", "loss y[n,n]  # y", "(1) y", "computed",
        "B[k,m] = whole inverse: A[p,q]  # (1)", "d = whole det: A[p,q]  # (1)", "y[k,m] = mul(B[m,k], d)  # (1)",
        outputs="y",
    ),
}  # fmt: skip
BATCHED = read_program("""program batched
dtype float64
outputs d B
data A[batch,3,3]  # A
data i[batch]  # i
data x[batch,4]  # x
temp w[batch,3]  # w
temp u[batch,4]  # u
definition d[batch]  # d
gradient B[batch,3,3]  # B
(1) d
computed
d[b] = whole det: A[b,p,q]  # (1)
B[b,k,m] = whole inverse: A[b,p,q]  # (1)
w[b,t] = x[b,0+2*t]  # (1)
u[b,@i[b]] += w[b,t]  # (1)
updated
""")
every = pytest.mark.parametrize("name", PROGRAMS)
targets = pytest.mark.parametrize("target", ["numpy", pytest.param("c", marks=needs_compiler)])
dtypes = pytest.mark.parametrize("dtype", TOLERANCE)


def drawn(made: Program, batch: int = 1) -> dict[str, Any]:
    rng = np.random.default_rng(3)
    lengths = {"batch": batch, **made.sizes}
    values = {}
    for value in made.of_role("data"):
        shape = [lengths.get(str(size), size) for size in value.sizes]
        whole = rng.integers(-1, 7, shape).astype(float)  # some places lie outside
        values[value.name] = whole if value.name == "i" else rng.choice(np.arange(-20, 20), shape) / 8
    return values


@every
@targets
@dtypes
def test_statements_mean_what_they_say(name: str, target: str, dtype: str) -> None:
    made = replace(PROGRAMS[name], dtype=dtype)
    for changed in (verify(made), optimise(made)):
        values = drawn(made)
        expected = run_program(made, values)["y"]
        with np.errstate(all="raise", under="ignore"):
            found = Function(changed, {}, target, {})(*(values[v.name] for v in changed.of_role("data")))
        assert found.dtype == dtype
        error = np.max(np.abs(found - expected)) / max(1.0, float(np.max(np.abs(expected))))
        assert error <= TOLERANCE[dtype]


@targets
@pytest.mark.parametrize("batch", [1, 2, 7])
def test_whole_matrices_are_taken_one_a_sample(target: str, batch: int) -> None:
    values = drawn(BATCHED, batch)
    determinant, inverse = Function(optimise(BATCHED), {}, target, {})(A=values["A"])
    np.testing.assert_allclose(determinant, np.linalg.det(values["A"]), rtol=1e-12)
    np.testing.assert_allclose(inverse @ values["A"], np.tile(np.eye(3), (batch, 1, 1)), atol=1e-12)


@targets
@pytest.mark.parametrize("matrix", [np.zeros((5, 5)), np.ones((5, 5)), np.diag([1.0, 0, 1, 1, 1])])
def test_a_singular_matrix_gives_no_number_and_no_crash(target: str, matrix: Any) -> None:
    with np.errstate(all="ignore"):
        found = Function(PROGRAMS["whole matrices"], {}, target, {})(matrix)
    assert not np.isfinite(found).all()


@needs_compiler
def test_a_matrix_whose_first_pivot_is_zero_has_an_inverse() -> None:
    matrix = np.eye(5)[[1, 2, 0, 4, 3]] * 2
    found = Function(PROGRAMS["whole matrices"], {}, "c", {})(matrix)
    np.testing.assert_allclose(found.T, np.linalg.inv(matrix) * np.linalg.det(matrix), rtol=1e-14)


@needs_compiler
@every
def test_moving_statements_give_no_warning(name: str, tmp_path: Path) -> None:
    path = tmp_path / "a.c"
    for dtype in TOLERANCE:
        path.write_text(Function(replace(PROGRAMS[name], dtype=dtype), {}, "c", {}).source)
        command = [compilers()[0], *STRICT, "-O1", "-c", path, "-o", tmp_path / "a.o"]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr


# ---------------------------------------------------------------- rules
FAULTS = {
    "P[c,t,j] = X[c,t]": "t runs along 4 and 5",
    "P[c,t,j] = X[c,0+t+u]": "nothing says how far u runs",
    "P[c,t,j] = X[c,u]": "neither summed nor in the result",
    "P[c,t,j] = X[c]": "X has 2 axes",
    "P[c,t,j] = X[c,0+t+t]": "a label of an index repeats",
    "P[c,t,j] = X[c,@P[c,t,j]]": "is used before it is computed",
    "S[c,t] = sum u: X[c,0+t+u]": "nothing says how far u runs",
    "S[c,0+2*j] += S[c,j]": "is used before it is computed",
    "S[c,0+2*j] += X[c,0+t+j]": "nothing says how far j runs",
    "S[c,c] = sum k: X[c,k]": "runs along 3 and 2",
    "B[k,m] = whole inverse: A[m,k]": "its leading labels differ",
}


@pytest.mark.parametrize("line", FAULTS)
def test_the_rules_of_moving_statements_are_checked(line: str) -> None:
    made = program(
        X, M, "temp B[n,n]  # B", "temp P[3,4,2]  # P", "temp S[3,2]  # S", "(1) y", "computed", f"{line}  # (1)",
        outputs="X",
    )  # fmt: skip
    with pytest.raises(BrokenProgramError, match=FAULTS[line]):
        verify(made)


def test_an_index_is_looked_up_in_whole_numbers_alone() -> None:
    lines = (V, X, "temp h[n]  # h", "loss y[3,n]  # y", "(1) y", "computed")
    made = program(*lines, "h[k] = exp(v[k])  # (1)", "y[c,k] = X[c,@h[k]]  # (1)", outputs="y")
    verify(made)  # what is computed from data alone may hold whole numbers
    with pytest.raises(BrokenProgramError, match="looked up"):
        verify(read_program(show(made).replace("data v[n]", "parameter v[n]")))


@pytest.mark.parametrize(
    ("index", "inside"),
    [(Affine(0, ((1, "t"), (1, "j"))), True), (Affine(-1, ((1, "t"),)), False),
     (Affine(1, ((1, "t"), (1, "j"))), False), (Affine(4, ((-1, "t"),)), True),
     (Affine(3, ((-1, "t"), (-1, "j"))), False), (Affine(0, ((1, "b"),)), False)],
)  # fmt: skip
def test_what_lies_outside_is_known_beforehand(index: Affine, inside: bool) -> None:
    made = PROGRAMS["windows"]
    assert stays_inside(made, index, "n", {"t": 4, "j": 2, "b": "batch"}) is inside


# ---------------------------------------------------------------- text
@every
def test_the_text_of_a_program_is_read_back(name: str) -> None:
    for made in (PROGRAMS[name], optimise(PROGRAMS[name]), BATCHED):
        assert read_program(show(made)) == made


def test_text_keeps_what_is_hard_to_write() -> None:
    made = PROGRAMS["positions"]
    odd = Value("z", 'a  # "b"\n\\nabla', (3, "n"), "rate", (1, 0))
    plain = Value("w", '"quoted"', (), "rate", ())
    named = replace(made, values={**made.values, "z": odd, "w": plain}, title=" spaces ", formulas={"1": "", "2'": "ü"})
    assert read_program(show(named)) == named


@pytest.mark.parametrize("body", ["-1/3", "0.1", "1e-300", "-2.5e+20", "7", "batch", "add(-1, mul(x, 2/3))"])
def test_numbers_keep_their_kind(body: str) -> None:
    made = program("data x[]  # x", "loss y[]  # y", "(1) y", "computed", f"y = {body}  # (1)", outputs="y")
    statement: Statement = made.statements[0]
    assert show_statement(statement) == f"y = {body}"
    assert read_program(show(made)) == made
    if body == "7":
        assert statement.body.value == Fraction(7)  # type: ignore[union-attr]


@pytest.mark.parametrize("line", ["y[k] = ", "y[k] = exp(v[k]", "y = v[k] v[k]", "nonsense", "y[k] = v[1*k]"])
def test_what_is_no_line_of_a_program_is_shown(line: str) -> None:
    with pytest.raises(CodegenError, match="met"):
        program(V, "loss y[n]  # y", "(1) y", "computed", f"{line}  # (1)" if line != "nonsense" else line, outputs="y")


# ---------------------------------------------------------------- what occurs twice
def test_an_exponential_is_taken_once_and_read_wherever_it_occurs_again() -> None:
    twice = program(
        "data X[3,n]  # X", "temp m[3]  # m", "temp s[3]  # s", "definition P[3,n]  # P", "definition Q[n,3]  # Q",
        "(1) P = Q", "computed", "m[i] = max j: X[i,j]  # (1) m",
        "s[i] = sum j: exp(sub(X[i,j], m[i]))  # (1) s",
        "P[i,j] = div(exp(sub(X[i,j], m[i])), s[i])  # (1) P",
        "Q[k,l] = mul(exp(sub(X[l,k], m[l])), tanh(exp(sub(X[l,k], m[l]))))  # (1) Q", outputs="P Q",
    )  # fmt: skip
    shared = optimise(twice)
    calls = [part.op for s in shared.statements for body in bodies(s) for part in walk(body) if isinstance(part, Call)]
    assert (calls.count("exp"), calls.count("tanh")) == (1, 1)
    given = {"X": np.random.default_rng(0).normal(size=(3, 5))}
    before, after = run_program(twice, given), run_program(shared, given)
    for name in ("P", "Q"):
        np.testing.assert_array_equal(before[name], after[name])


def test_only_the_largest_of_what_occurs_twice_is_kept() -> None:
    nested = program(
        "data v[n]  # v", "definition p[n]  # p", "definition q[n]  # q", "(1) p = q", "computed",
        "p[i] = tanh(exp(v[i]))  # (1) p", "q[j] = add(tanh(exp(v[j])), relu(v[j]))  # (1) q", outputs="p q",
    )  # fmt: skip
    shared = optimise(nested)
    assert len(shared.statements) == 3
    assert [show_statement(s) for s in shared.statements][1:] == ["p[i] = t1[i]", "q[j] = add(t1[j], relu(v[j]))"]
