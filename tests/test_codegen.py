"""Programs and their targets: gradients against autograd, C against NumPy, own mathematics against more digits."""

from __future__ import annotations

import math
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from oracles import CASES, Case, draw_data, mlp, oracle

import codegen
from codegen import build
from codegen.errors import (
    BrokenProgramError,
    CodegenError,
    CompileFailedError,
    CompilerMissingError,
    UnsupportedOpError,
)
from codegen.passes.verify import verify
from codegen.program import Call, Map, Program, Ref, Value, reads
from codegen.record import batch_form, lowered
from codegen.sizes import resolve_sizes
from codegen.text import read_program, show
from derive.backprop import derive_gradients
from derive.batch import batched
from derive.derivation import Derivation
from derive.expr import matrix, scalar, vector
from derive.model import Definition, Network
from derive.ops.activation import sigmoid
from derive.ops.elementwise import unknown
from derive.ops.reduction import total
from derive.shapes import size

STRICT = ("-std=c99", "-Wall", "-Wextra", "-Wconversion", "-Wdouble-promotion", "-pedantic", "-Werror")
ROOT = Path(__file__).parents[1]


def compilers() -> list[str]:
    return [name for name in ("gcc", "clang") if build.shutil.which(name)]


needs_compiler = pytest.mark.skipif(not compilers(), reason="no C compiler: what the C target does is not tested here")
cases = pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)


def record(case: Case, cache: dict[str, Derivation] = {}) -> Derivation:  # noqa: B006  # the cache is the point
    if case.name not in cache:
        cache[case.name] = derive_gradients(batched(case.network))
    return cache[case.name]


def trainer(
    case: Case, sizes: dict[str, int], rows: int, target: str, dtype: str, seed: int = 0, **more: Any
) -> codegen.Trainer:
    x, y = draw_data(case, sizes, rows, np.random.default_rng(seed))
    hidden = {name: n for name, n in sizes.items() if name in ("h", "m")}
    made = codegen.compile(record(case), target=target, dtype=dtype, sizes=hidden, seed=seed, **more).bind(x=x, y=y)
    rng = np.random.default_rng(seed + 1)
    for array in made.params.values():  # no zeros: they would hide a wrong gradient
        array[...] = rng.normal(size=array.shape)
    return made


def differ(a: Any, b: Any) -> float:
    """The largest difference, relative to the largest number."""
    return float(np.max(np.abs(np.subtract(a, b)), initial=0.0) / max(1.0, float(np.max(np.abs(b), initial=0.0))))


sizes_drawn = st.fixed_dictionaries({name: st.integers(1, 17) for name in ("n", "h", "m", "k")})


@cases
@settings(max_examples=12, deadline=None)
@given(sizes=sizes_drawn, rows=st.integers(1, 17), seed=st.integers(0, 99))
def test_numpy_gradients_are_those_of_autograd(case: Case, sizes: dict[str, int], rows: int, seed: int) -> None:
    made = trainer(case, {n: sizes[n] for n in case.sizes}, rows, "numpy", "float64", seed)
    loss, gradients = made.loss_and_gradients()
    x, y = draw_data(case, sizes, rows, np.random.default_rng(seed))
    expected_loss, expected = oracle(case, made.params, x, y)
    assert abs(loss - expected_loss) <= 1e-10 * max(1.0, abs(expected_loss))
    for name, gradient in gradients.items():
        assert differ(gradient, expected[name]) <= 1e-10, name


@needs_compiler
@cases
@pytest.mark.parametrize("rows", [1, 2, 17])
@pytest.mark.parametrize("widths", [(1, 1, 1, 1), (5, 3, 2, 4), (17, 16, 15, 7), (33, 40, 4, 20)])
def test_c_in_double_is_numpy_to_the_last_digits(case: Case, rows: int, widths: tuple[int, ...]) -> None:
    sizes = {n: w for n, w in zip(("n", "h", "m", "k"), widths, strict=True) if n in case.sizes}
    made = {target: trainer(case, sizes, rows, target, "float64") for target in ("c", "numpy")}
    (loss, gradients), (expected_loss, expected) = (made[t].loss_and_gradients() for t in ("c", "numpy"))
    assert abs(loss - expected_loss) <= 1e-12 * max(1.0, abs(expected_loss))
    for name in expected:
        assert differ(gradients[name], expected[name]) <= 1e-12, name  # a few hundred roundings of 2^-53


@needs_compiler
@cases
@pytest.mark.parametrize("optimizer", ["sgd", "momentum", "adam"])
def test_c_and_numpy_in_single_agree_step_by_step(case: Case, optimizer: str) -> None:
    sizes = {n: w for n, w in zip(("n", "h", "m", "k"), (6, 5, 4, 3), strict=True) if n in case.sizes}
    pair = [
        trainer(case, sizes, 23, target, "float32", optimizer=optimizer, batch=8, lr=0.01) for target in ("c", "numpy")
    ]
    for step in range(12):
        losses = [made.run(1) for made in pair]
        # eps is 1.2e-7; Adam divides by a root that starts near zero, which enlarges what rounding left.
        tolerance = 1e-4 if optimizer == "adam" else 5e-6 * (step + 1)
        assert differ(losses[0], losses[1]) <= tolerance
        for name in pair[0].params:
            assert differ(pair[0].params[name], pair[1].params[name]) <= tolerance, (step, name)


@needs_compiler
@cases
@pytest.mark.parametrize("compiler", compilers())
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("optimizer", ["sgd", "adam"])
def test_training_source_compiles_without_a_warning(
    case: Case, compiler: str, dtype: str, optimizer: str, tmp_path: Path
) -> None:
    path = tmp_path / "a.c"
    path.write_text(codegen.training_source(record(case), "c", dtype=dtype, optimizer=optimizer))
    done = subprocess.run(
        [compiler, *STRICT, "-O2", "-c", path, "-o", tmp_path / "a.o"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


DRIVER = """
#include <stdio.h>
#include <stdlib.h>
int main(void)
{{
    enum {{ rows = 11, steps = 7, batch = 4 }};
    {kind} *memory[{arrays}], losses[steps], rate[steps];
    const size_t lengths[{arrays}] = {{ {lengths} }};
    {kind} *scratch = malloc(sizeof({kind}) * {name}_SCRATCH(batch));
    for (int k = 0; k < {arrays}; ++k) {{
        memory[k] = malloc(sizeof({kind}) * lengths[k]);
        for (size_t i = 0; i < lengths[k]; ++i) {{
            memory[k][i] = ({kind})((double)((i * 7919 + (size_t)k) % 13) / 13.0);
        }}
    }}
    for (int k = 0; k < steps; ++k) {{
        rate[k] = ({kind})0.01;
    }}
    const long taken = {low}_train(steps, 0, batch, rows, {given}, rate, losses, scratch);
    printf("%ld %.9g\\n", taken, (double)losses[steps - 1]);
    for (int k = 0; k < {arrays}; ++k) {{
        free(memory[k]);
    }}
    free(scratch);
    return taken == steps ? 0 : 1;
}}
"""


def sanitized(derivation: Derivation, sizes: dict[str, int], compiler: str, folder: Path) -> None:
    """Build a training program around the source, with exactly the memory that it asks for, and run it."""
    resolved = resolve_sizes(derivation, sizes)
    program = lowered(derivation, resolved, "float32")
    given = [*program.of_role("data"), *program.of_role("parameter")]
    numbers = {**program.sizes, "batch": 11}
    lengths = [math.prod(numbers[s] if isinstance(s, str) else s for s in v.sizes) for v in given]
    driver = DRIVER.format(
        kind="float", arrays=len(given), lengths=", ".join(map(str, lengths)), name="TOY", low="toy",
        given=", ".join(f"memory[{k}]" for k in range(len(given))),
    )  # fmt: skip
    path = folder / "a.c"
    path.write_text(codegen.training_source(derivation, "c", resolved.named(), name="toy") + driver)
    command = [compiler, "-std=c99", "-O1", "-g", "-fsanitize=address,undefined", "-fno-sanitize-recover=all", path]
    subprocess.run([*command, "-o", folder / "a"], check=True)
    done = subprocess.run([folder / "a"], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


@needs_compiler
@cases
@pytest.mark.parametrize("compiler", compilers())
def test_training_runs_clean_under_the_sanitizers(case: Case, compiler: str, tmp_path: Path) -> None:
    sanitized(record(case), {name: 3 + k for k, name in enumerate(case.sizes)}, compiler, tmp_path)


@needs_compiler
@pytest.mark.parametrize("compiler", compilers())
def test_scratch_suffices_where_a_value_has_an_entry_for_every_two_samples(compiler: str, tmp_path: Path) -> None:
    many = size("N")
    x, w, y, loss = matrix("X", many, "n"), vector("w", "n"), vector("y", many), scalar("L")
    gram, f = matrix("K", many, many), vector("f", many)
    definitions = (Definition(gram, x @ x.T), Definition(f, gram @ (x @ w)), Definition(loss, total((f - y) ** 2)))
    network = Network("gram", definitions, loss, samples=many)
    derivation = derive_gradients(network)
    assert "(size_t)(batch) * (((size_t)(batch) + " in codegen.training_source(derivation, "c")
    sanitized(derivation, {"n": 3}, compiler, tmp_path)


@needs_compiler
def test_loading_compiled_code_leaves_subnormal_numbers_alone() -> None:
    trainer(CASES[0], {"n": 3, "h": 2}, 4, "c", "float32").run(1)
    assert np.float32(1e-30) * np.float32(1e-10) > 0


# ---- stable forms ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("target", ["numpy", pytest.param("c", marks=needs_compiler)])
@pytest.mark.parametrize("case", CASES[:3], ids=lambda case: case.name)
@pytest.mark.parametrize("size", [100.0, -100.0])
def test_a_saturated_network_has_a_finite_loss(case: Case, target: str, size: float) -> None:
    made = trainer(case, dict.fromkeys(case.sizes, 3), 4, target, "float32")
    for array in made.params.values():
        array[...] = 0
    bias = made.params["b2" if case.name == "cat" else "b" if case.name == "log" else "b1"]
    bias.flat[0] = size
    loss, gradients = made.loss_and_gradients()
    assert np.isfinite(loss) and loss > 1, "a confident mistake costs its logit, not infinity"
    assert all(np.isfinite(g).all() for g in gradients.values())


# ---- programs ------------------------------------------------------------------------------------------------------


def program_of(case: Case) -> Program:
    return lowered(record(case), resolve_sizes(record(case)), "float32")


@cases
def test_a_program_computes_nothing_that_it_does_not_need(case: Case) -> None:
    program = program_of(case)
    read = {ref.name for s in (*program.statements, *program.updates) for ref in reads(s)}
    assert {s.out.name for s in program.statements} <= read | set(program.outputs)
    assert "ones" not in show(program), "ones are sums and broadcasts, never arrays"


@cases
@pytest.mark.parametrize("optimizer", ["sgd", "momentum", "adam"])
def test_the_text_of_a_training_program_is_read_back(case: Case, optimizer: str) -> None:
    program = lowered(record(case), resolve_sizes(record(case)), "float32", optimizer)
    assert read_program(show(program)) == program


def test_softmax_and_its_loss_share_maximum_and_sum() -> None:
    text = show(program_of(CASES[1]))
    assert text.count("= max ") == 1
    assert text.count("exp(") == 1


@pytest.mark.parametrize("fault", ["computed twice", "used before", "no equation", "runs along", "neither summed"])
def test_the_rules_of_a_program_are_checked(fault: str) -> None:
    program = program_of(CASES[0])
    first, *rest = program.statements
    second = rest[0]
    assert isinstance(second, Map)
    changes: dict[str, tuple[Any, ...]] = {
        "computed twice": (first, first, *rest),
        "used before": (*rest, first),
        "no equation": (replace(first, eq="999"), *rest),
        "runs along": (replace(first, out=Ref(first.out.name, first.out.labels[::-1])), *rest),
        "neither summed": (first, replace(second, body=Call("neg", (Ref("W1", ("h", "n")),))), *rest[1:]),
    }
    with pytest.raises(BrokenProgramError, match=fault):
        verify(replace(program, statements=changes[fault]))


def test_every_line_carries_the_number_of_its_equation() -> None:
    text = codegen.training_source(record(CASES[0]), "numpy")
    lines = [line for line in text.splitlines() if " = " in line and "@" in line]
    assert lines and all("# (" in line for line in lines)
    assert r"# (11) \Delta^{[1]}" in text


def test_names_that_a_language_has_taken_get_an_underscore() -> None:
    x, lam, out, loss = vector("x", "n"), vector(r"\lambda", "n"), scalar(r"\mathrm{for}"), scalar("L")
    y = scalar("y")
    network = Network("names", (Definition(out, lam.T @ x), Definition(loss, (out - y) ** 2)), loss)
    text = codegen.training_source(derive_gradients(network), "numpy")
    compile(text, "names", "exec")
    assert "lambda_" in text and "for_" in text


def test_an_operation_without_code_is_named_with_its_equation() -> None:
    x, w, z, loss = vector("x", "n"), matrix("W", "h", "n"), vector("z", "h"), scalar("L")
    network = Network("unknown", (Definition(z, unknown("f", w @ x)), Definition(loss, total(z * z))), loss)
    with pytest.raises(UnsupportedOpError, match=r"\(1\).*function"):
        codegen.training_source(derive_gradients(network), "numpy")


def test_a_size_that_two_arrays_give_differently_is_refused() -> None:
    case = CASES[1]
    with pytest.raises(codegen.CodegenError, match="n"):
        codegen.compile(record(case), sizes={"n": 4}).bind(x=np.zeros((3, 5)), y=np.eye(3))
    with pytest.raises(CodegenError, match="no size q"):
        codegen.compile(record(case), sizes={"q": 4}).bind(x=np.zeros((3, 5)), y=np.eye(3))


# ---- sources and the cache -------------------------------------------------------------------------------------------


EMIT = """
import sys
sys.path[:0] = [{root!r}, {root!r} + "/tests"]
from oracles import CASES
from derive.backprop import derive_gradients
from derive.batch import batched
import codegen
for case in CASES:
    for target in ("c", "numpy"):
        for optimizer in ("sgd", "adam"):
            print(codegen.training_source(derive_gradients(batched(case.network)), target, optimizer=optimizer))
"""


def test_sources_do_not_depend_on_the_seed_of_hashing() -> None:
    outputs = set()
    for seed in ("0", "1", "2"):
        environment = {**os.environ, "PYTHONHASHSEED": seed}
        command = [sys.executable, "-c", EMIT.format(root=str(ROOT))]
        outputs.add(subprocess.run(command, capture_output=True, text=True, check=True, env=environment).stdout)
    assert len(outputs) == 1


SOURCE = "int toy(int x);\nint toy(int x) { return x + 41; }\n"


@needs_compiler
def test_a_source_is_compiled_once(fresh_cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert build.load_library(SOURCE, "toy").toy(1) == 42
    monkeypatch.setattr(build, "_compile", lambda *_: pytest.fail("compiled again"))
    assert build.load_library(SOURCE, "toy").toy(1) == 42
    assert not [path for path in fresh_cache.iterdir() if path.suffix not in (".c", ".so", ".dll")]


@needs_compiler
def test_a_damaged_file_in_the_cache_is_built_again(fresh_cache: Path) -> None:
    compiler = build.find_compiler()
    flags = (*build.PORTABLE, *build.native_flags(compiler))
    build.compile_shared(SOURCE, "toy", compiler, flags).write_bytes(b"damaged")
    assert build.load_library(SOURCE, "toy").toy(1) == 42


@needs_compiler
def test_many_at_once_share_the_cache(fresh_cache: Path) -> None:
    with ThreadPoolExecutor(8) as pool:
        results = list(pool.map(lambda _: build.load_library(SOURCE, "toy").toy(1), range(16)))
    assert results == [42] * 16
    assert len(list(fresh_cache.iterdir())) == 2


@needs_compiler
def test_a_cache_that_cannot_be_written_is_no_obstacle(fresh_cache: Path) -> None:
    fresh_cache.write_text("a file where the folder should be")
    assert build.load_library(SOURCE, "toy").toy(1) == 42


@needs_compiler
def test_a_refused_source_is_kept_and_its_last_lines_are_shown(fresh_cache: Path) -> None:
    with pytest.raises(CompileFailedError, match="nonsense") as caught:
        build.load_library("nonsense nonsense;", "bad")
    kept = next(fresh_cache.glob("bad-*.c"))
    assert str(kept) in str(caught.value)


def test_without_a_compiler_the_fix_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(build.shutil, "which", lambda name: None)
    build.find_compiler.cache_clear()
    with pytest.raises(CompilerMissingError, match="--target numpy") as caught:
        build.find_compiler()
    assert "\n" not in str(caught.value)
    monkeypatch.undo()
    build.find_compiler.cache_clear()


def test_importing_needs_no_compiler() -> None:
    command = [sys.executable, "-c", "import codegen"]
    subprocess.run(command, check=True, cwd=ROOT, env={**os.environ, "PATH": "", "CC": ""})


def test_a_model_of_many_layers_stays_small() -> None:
    deep = derive_gradients(batched(mlp(["n", *["h"] * 30, 1], sigmoid, "bce")))
    program = lowered(batch_form(deep), resolve_sizes(deep), "float32")
    assert len(program.statements) < 30 * 9
    assert all(isinstance(value, Value) for value in program.values.values())
