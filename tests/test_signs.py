"""Signs that are read off outputs: where that is done, and that no bit changes by it."""

from __future__ import annotations

import numpy as np
import pytest
from test_codegen import needs_compiler
from test_programs import TOLERANCE, program

from codegen.function import Function
from codegen.passes.signs import read_signs
from codegen.passes.verify import verify
from codegen.program import Program
from codegen.record import batch_form, lowered
from codegen.sizes import resolve_sizes
from codegen.text import read_program, show, show_statement
from derive import Model, elu, leaky_relu, matrix, relu, tanh, total, vector
from derive.expr import Node
from derive.op import TABLE

VALUES = ("data Z[n,3]  # Z", "data W[3,n]  # W", "data g[3]  # g", "temp A[n,3]  # A", "temp D[3,n]  # D")
LATER = ("temp P[n,n]  # P", "definition y[n,n]  # y", "(1) y", "computed")
READ = ("P[i,j] = contract k: A[i,k] W[k,j]  # (1)", "y[i,j] = add(P[i,j], D[0,j])  # (1)")
DONE = "step(A["


def changed(made: str, slope: str, *more: str) -> str:
    """How the slope is computed behind the statement that makes A, with what follows."""
    found = read_signs(program(*VALUES, *LATER, made, slope, *(more or READ), outputs="y"))
    assert read_program(show(verify(found))) == found
    return next(show_statement(s) for s in found.statements if s.out.name == "D")


MADE, SLOPE = "A[i,k] = relu(Z[i,k])  # (1)", "D[k,i] = mul(g[k], step(Z[i,k]))  # (1)"


def test_the_sign_of_an_input_is_read_off_an_output_that_is_read_later_anyway() -> None:
    assert changed(MADE, SLOPE) == "D[k,i] = mul(g[k], step(A[i,k]))"
    inner = "mul(g[k], Z[i,k])"
    assert DONE in changed(f"A[i,k] = relu({inner})  # (1)", f"D[k,i] = step({inner})  # (1)")


@pytest.mark.parametrize(("constant", "done"), [("1/5", True), ("0", False), ("-1/5", False), ("1e-60", False)])
@pytest.mark.parametrize("op", ["leaky_relu", "elu"])
def test_constants_of_a_function_must_be_above_0(op: str, constant: str, done: bool) -> None:
    assert (DONE in changed(f"A[i,k] = {op}(Z[i,k], {constant})  # (1)", SLOPE)) is done


def test_the_input_is_read_where_it_must_be_kept_anyway_or_the_output_need_not_be() -> None:
    both = "y[i,j] = add(mul(P[i,j], Z[i,2]), D[0,j])  # (1)"
    assert DONE not in changed(MADE, SLOPE, READ[0], both)
    early = "P[i,j] = contract k: A[i,k] W[k,j]  # (1)"
    assert DONE not in changed(MADE, early, SLOPE, READ[1])
    assert DONE not in changed("A[i,k] = tanh(Z[i,k])  # (1)", SLOPE)
    assert DONE not in changed(SLOPE, MADE)  # there is no output yet


def test_of_a_perceptron_the_input_of_a_function_with_a_kink_lives_in_one_loop() -> None:
    for act in (relu, leaky_relu, lambda z: elu(z, 2)):
        text = show(perceptron(act))
        assert "step(A[" in text and "step(Z[" not in text
    assert "step" not in show(perceptron(tanh))


def perceptron(act: object) -> Program:
    """The optimised program of a perceptron with one hidden layer."""
    model, x, y = Model("signs"), vector("x", "n"), vector("y", "k")
    z = model.define("Z", matrix("W", "h", "n") @ x + vector("b", "h"))
    assert callable(act)
    a: Node = model.define("A", act(z))
    model.define("L", total((matrix("V", "k", "h") @ a - y) ** 2))
    record = batch_form(model.gradients("L"))
    return lowered(record, resolve_sizes(record, {"n": 3, "h": 4, "k": 2}), "float32")


# ---------------------------------------------------------------- bits
@pytest.mark.parametrize("target", ["numpy", pytest.param("c", marks=needs_compiler)])
@pytest.mark.parametrize("dtype", TOLERANCE)
@pytest.mark.parametrize("op", [name for name, row in TABLE.items() if row.keeps_sign])
def test_the_sign_of_the_output_is_that_of_the_input_in_every_bit(op: str, dtype: str, target: str) -> None:
    least, tiny = np.finfo(dtype).smallest_subnormal, np.finfo(dtype).tiny
    drawn = np.random.default_rng(4).normal(size=40).astype(dtype)
    some = np.array([0.0, least, tiny, 1e-30, 1.0, 90.0, np.finfo(dtype).max, np.inf, np.nan], dtype)
    given = np.concatenate([some, -some, drawn])
    constants = ", 1/100" * (TABLE[op].arity - 1)
    made = program(
        "size m = 58", "data z[m]  # z", "temp a[m]  # a", "definition p[m]  # p", "definition q[m]  # q", "(1) p",
        "computed", f"a[i] = {op}(z[i]{constants})  # (1)", "p[i] = step(z[i])  # (1)", "q[i] = step(a[i])  # (1)",
        outputs="p q", dtype=dtype,
    )  # fmt: skip
    with np.errstate(all="ignore"):
        plain, off_output = Function(made, {}, target, {})(given)
    bits = {"float32": "u4", "float64": "u8"}[dtype]
    np.testing.assert_array_equal(plain.view(bits), off_output.view(bits))
