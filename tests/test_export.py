"""Export: files that stand alone, compile without a warning, and test themselves."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from oracles import CASES, Case, draw_data

import codegen
from codegen import build
from codegen.errors import CodegenError, UnboundSizeError
from codegen.export import fingerprint
from codegen.targets.c_export import hex_float
from derive import Model
from derive.backprop import derive_gradients
from derive.batch import batched
from derive.derivation import Derivation
from derive.errors import ModelError
from derive.expr import matrix, scalar, vector
from derive.model import Definition, Network
from derive.ops.reduction import softmax, total

Array = np.ndarray[Any, Any]

STRICT = ("-std=c99", "-Wall", "-Wextra", "-Wconversion", "-Wdouble-promotion", "-pedantic", "-Werror")
COMPILERS = [name for name in ("gcc", "clang") if build.shutil.which(name)]
needs_compiler = pytest.mark.skipif(not COMPILERS, reason="no C compiler: exported C is not tested here")
PREDICTING = tuple(case for case in CASES if case.name != "tanh")
cases = pytest.mark.parametrize("case", PREDICTING, ids=lambda case: case.name)
SIZES = {"n": 5, "h": 7, "m": 4, "k": 3}


def trained(case: Case, form: str = "sample") -> tuple[Derivation, codegen.Trainer, Array]:
    network = case.network if form == "sample" else batched(case.network)
    derivation = derive_gradients(network)
    x, y = draw_data(case, SIZES, 40, np.random.default_rng(0))
    hidden = {name: n for name, n in SIZES.items() if name in ("h", "m") and name in case.sizes}
    trainer = codegen.compile(derivation, "numpy", sizes=hidden, lr=0.1).bind(x=x, y=y)
    trainer.run(30)
    return derivation, trainer, x


def write(folder: Path, files: dict[str, str]) -> list[Path]:
    for name, text in files.items():
        (folder / name).write_text(text, encoding="utf-8")
    return [folder / name for name in files]


def run(*command: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(list(map(str, command)), capture_output=True, text=True, check=False)


def build_test(compiler: str, source: Path, *more: str) -> Path:
    upper = source.stem.upper()
    flags = [f"-D{upper}_SELF_TEST", "-O2", *more]
    flags += ["-x", "c", f"-D{upper}_IMPLEMENTATION"] if source.suffix == ".h" else []
    done = run(compiler, *STRICT, *flags, source, "-o", source.with_suffix(".test"))
    assert done.returncode == 0, done.stderr
    return source.with_suffix(".test")


@needs_compiler
@cases
@pytest.mark.parametrize("compiler", COMPILERS)
@pytest.mark.parametrize("target", ["c", "header"])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("form", ["sample", "batch"])
def test_exported_c_is_strict_and_passes_its_own_test(
    case: Case, compiler: str, target: str, dtype: str, form: str, tmp_path: Path
) -> None:
    derivation, trainer, x = trained(case, form)
    files = codegen.export_function(
        derivation, trainer.params, target=target, name="net", dtype=dtype, samples={"x": x, "X": x}
    )
    source = write(tmp_path, files)[0]
    done = run(build_test(compiler, source, "-fsanitize=address,undefined", "-fno-sanitize-recover=all"))
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.startswith("self-test passed: max error ")


@needs_compiler
@cases
@pytest.mark.parametrize("target", ["c", "header"])
def test_a_changed_weight_fails_the_test(case: Case, target: str, tmp_path: Path) -> None:
    derivation, trainer, _ = trained(case)
    files = codegen.export_function(derivation, trainer.params, target=target, name="net")
    name = next(iter(files))
    start = files[name].index("static const float net_param_")
    weight = re.compile(r"-?0x[0-9a-f.]+p[+-]\d+f").search(files[name], start)
    assert weight is not None
    tampered = files[name][: weight.start()] + "0x1p+1f" + files[name][weight.end() :]
    source = write(tmp_path, {name: tampered})[0]
    done = run(build_test(COMPILERS[0], source))
    assert done.returncode == 1 and "self-test FAILED" in done.stdout


@cases
def test_an_exported_module_passes_its_own_test_and_fails_when_changed(case: Case, tmp_path: Path) -> None:
    derivation, trainer, x = trained(case)
    files = codegen.export_function(derivation, trainer.params, target="numpy", name="net", samples={"x": x})
    (path,) = write(tmp_path, files)
    done = run(sys.executable, path)
    assert done.returncode == 0 and done.stdout.startswith("self-test passed"), done.stdout + done.stderr
    parameter = re.search(r"^\w+ = np\.array\(\[+\s*(-?[\d.e-]+)", files["net.py"], re.MULTILINE)
    assert parameter is not None
    changed = files["net.py"][: parameter.start(1)] + "3.25" + files["net.py"][parameter.end(1) :]
    path.write_text(changed)
    assert run(sys.executable, path).returncode == 1


@cases
def test_an_exported_module_predicts_one_sample_or_many(case: Case) -> None:
    derivation, trainer, x = trained(case)
    module = build.run_python(
        codegen.export_function(derivation, trainer.params, target="numpy", name="net")["net.py"], "net"
    )
    many = module["predict"](x)
    np.testing.assert_allclose(many, trainer.predict(x), rtol=1e-5)
    np.testing.assert_allclose(module["predict"](x[3]), many[3], rtol=1e-5)
    assert module["W1" if "W1" in trainer.params else "w"].tobytes() == next(iter(trainer.params.values())).tobytes()


@needs_compiler
def test_exported_c_needs_no_library_and_no_memory_of_its_own(tmp_path: Path) -> None:
    derivation, trainer, _ = trained(CASES[3])
    source = write(tmp_path, codegen.export_function(derivation, trainer.params, name="net"))[0]
    done = run("gcc", "-std=c99", "-O1", "-ffreestanding", "-nostdlib", "-c", source, "-o", tmp_path / "net.o")
    assert done.returncode == 0, done.stderr
    text = source.read_text()
    assert set(re.findall(r"#include <(.*?)>", text)) == {"stdio.h", "stddef.h", "stdint.h"}
    if build.shutil.which("nm"):
        unknown = re.findall(r"U (\w+)", run("nm", tmp_path / "net.o").stdout)
        assert set(unknown) <= {"memset", "memcpy"}, "a freestanding compiler may call these two, and no other"


@needs_compiler
@pytest.mark.skipif(not build.shutil.which("g++"), reason="no C++ compiler")
def test_the_header_is_used_from_c_and_from_cpp(tmp_path: Path) -> None:
    derivation, trainer, x = trained(CASES[0])
    write(tmp_path, codegen.export_function(derivation, trainer.params, target="header", name="net"))
    user = (
        '#include <cstdio>\n#define NET_IMPLEMENTATION\n#include "net.h"\n#include "net.h"\n'
        'int main() { float x[NET_LENGTH_x] = {0}, y[1]; net_predict(x, y); std::printf("%.9g", (double)y[0]); }\n'
    )
    (tmp_path / "user.cpp").write_text(user)
    done = run("g++", "-std=c++17", "-Wall", "-Wextra", "-Werror", tmp_path / "user.cpp", "-o", tmp_path / "user")
    assert done.returncode == 0, done.stderr
    assert float(run(tmp_path / "user").stdout) == pytest.approx(float(trainer.predict(0 * x[:1])[0, 0]), rel=1e-5)


@needs_compiler
def test_source_and_header_belong_together(tmp_path: Path) -> None:
    derivation, trainer, _ = trained(CASES[0])
    write(tmp_path, codegen.export_function(derivation, trainer.params, name="net"))
    body = "float x[NET_LENGTH_x] = {0}, y[1]; net_predict(x, y); return y[0] > 2.0f;"
    user = f'#include "net.h"\nint main(void) {{ {body} }}\n'
    (tmp_path / "user.c").write_text(user)
    done = run("gcc", *STRICT, tmp_path / "user.c", tmp_path / "net.c", "-o", tmp_path / "user")
    assert done.returncode == 0, done.stderr
    assert run(tmp_path / "user").returncode == 0


def test_the_banner_says_what_the_file_is() -> None:
    derivation, trainer, _ = trained(CASES[0])
    text = codegen.export_function(derivation, trainer.params, name="net")["net.c"]
    banner = text.split("*/")[0]
    for part in (r"(1) Z^{[1]} = W^{[1]} x + b^{[1]}", "n = 5, h = 7", "cc -std=c99", "licence", "NumPy"):
        assert part in banner
    assert fingerprint(trainer.params) in banner
    changed = {name: array + 1 for name, array in trainer.params.items()}
    assert fingerprint(changed) in codegen.export_function(derivation, changed, name="net")["net.c"]


def test_only_what_the_outputs_need_is_exported() -> None:
    derivation, trainer, _ = trained(CASES[0])
    text = codegen.export_function(derivation, trainer.params, ["a^{[1]}"], name="net")["net.c"]
    assert "net_param_W1" in text and "net_param_W2" not in text and "softplus" not in text


@needs_compiler
def test_several_outputs_have_an_argument_each(tmp_path: Path) -> None:
    derivation, trainer, _ = trained(CASES[0])
    files = codegen.export_function(derivation, trainer.params, ["a^{[1]}", r"\hat{y}"], name="net")
    assert "float *restrict a1, float *restrict y_hat)" in files["net.c"]
    assert run(build_test(COMPILERS[0], write(tmp_path, files)[0])).returncode == 0


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_a_hexadecimal_literal_is_exact(seed: int, dtype: str) -> None:
    rng = np.random.default_rng(seed)
    values = rng.normal(size=200) * 10.0 ** rng.integers(-300 if dtype == "float64" else -40, 30, 200)
    for value in values.astype(dtype):
        assert float.fromhex(hex_float(float(value), dtype).rstrip("f").replace("0.0", "0x0p0")) == float(value)


def test_what_cannot_be_exported_is_named() -> None:
    derivation, trainer, _ = trained(CASES[0])
    with pytest.raises(CodegenError, match="W2 is missing"):
        codegen.export_function(derivation, {n: a for n, a in trainer.params.items() if n != "W2"})
    with pytest.raises(CodegenError, match="not finite"):
        codegen.export_function(derivation, {**trainer.params, "b1": trainer.params["b1"] * np.nan})
    with pytest.raises(CodegenError, match="no equation defines q"):
        codegen.export_function(derivation, trainer.params, ["q"])
    with pytest.raises(CodegenError, match="wasm"):
        codegen.export_function(derivation, trainer.params, target="wasm")
    with pytest.raises(CodegenError, match="h"):
        codegen.export_function(derivation, {**trainer.params, "b1": np.zeros(3)})


def test_a_size_that_no_parameter_fixes_must_be_given() -> None:
    z, y, y_hat, w, loss = (
        vector("x", "n"),
        vector("y", "n", "onehot"),
        vector(r"\hat{y}", "n"),
        scalar("w"),
        scalar("L"),
    )
    network = Network("scaled", (Definition(y_hat, softmax(w * z)), Definition(loss, total((y_hat - y) ** 2))), loss)
    derivation = derive_gradients(network)
    with pytest.raises(UnboundSizeError, match="n"):
        codegen.export_function(derivation, {"w": 2.0})
    assert "_n = 3" in codegen.export_function(derivation, {"w": 2.0}, sizes={"n": 3})["scaled.c"]


# ---- compiled functions in this process ----


@cases
@pytest.mark.parametrize("target", ["numpy", pytest.param("c", marks=needs_compiler)])
@pytest.mark.parametrize("form", ["sample", "batch"])
def test_a_compiled_function_predicts_one_sample_or_many(case: Case, target: str, form: str) -> None:
    derivation, trainer, x = trained(case, form)
    predict = codegen.compile_function(derivation, outputs=[r"\hat{y}"], target=target, params=trainer.params)
    many = predict(x)
    np.testing.assert_allclose(many, trainer.predict(x), rtol=1e-5)
    np.testing.assert_allclose(predict(x[3]), many[3], rtol=1e-5)
    np.testing.assert_allclose(predict(x=x[:1]), many[:1], rtol=1e-5)
    trainer.params[next(iter(trainer.params))][...] = 0
    np.testing.assert_array_equal(predict(x), many, "the parameters are its own")
    with pytest.raises(CodegenError, match="shape"):
        predict(x[:, :-1])
    with pytest.raises(CodegenError, match="missing"):
        predict()


def test_a_function_without_a_batch_form_predicts_one_sample() -> None:
    x, w, y, y_hat, loss = vector("x", "n"), vector("w", "n"), vector("y", "n"), vector(r"\hat{y}", "n"), scalar("L")
    network = Network("outer", (Definition(y_hat, (x @ w.T) @ x), Definition(loss, total((y_hat - y) ** 2))), loss)
    with pytest.raises(ModelError):
        batched(network)
    given, weights = np.array([1.0, 2.0]), np.array([3.0, -1.0])
    predict = codegen.compile_function(derive_gradients(network), target="numpy", params={"w": weights})
    np.testing.assert_allclose(predict(given), np.outer(given, weights) @ given, rtol=1e-6)
    assert codegen.export_function(derive_gradients(network), {"w": weights}, target="numpy")["outer.py"]


def linear(target: str, weights: Any) -> codegen.Function:
    """ŷ = W x, with sizes whose names are LaTeX."""
    model = Model("Linear")
    prediction = model.define(r"\hat{y}", matrix("W", "n_{1}", "n_{0}") @ vector("x", "n_{0}"))
    model.define("L", total((prediction - vector("y", "n_{1}")) ** 2))
    return codegen.compile_function(model.gradients(), target=target, params={"W": weights}, dtype="float64")


@pytest.mark.parametrize("target", ["numpy", "c"])
def test_sizes_with_latex_names_come_from_the_parameters(target: str) -> None:
    weights, x = np.arange(6.0).reshape(2, 3), np.array([1.0, -2.0, 0.5])
    predict = linear(target, weights)
    np.testing.assert_allclose(predict(x), weights @ x)
    np.testing.assert_allclose(predict(np.stack([x, 2 * x])), np.stack([weights @ x, 2 * weights @ x]))


@pytest.mark.parametrize("target", ["numpy", "c"])
@pytest.mark.parametrize("rows", [1, 2, 67])
def test_a_bound_call_reads_and_writes_the_same_arrays(target: str, rows: int) -> None:
    weights = np.arange(20.0).reshape(4, 5)
    call = linear(target, weights).bind(np.ones((rows, 5)))
    call()
    np.testing.assert_allclose(call.outputs[0], np.tile(weights.sum(axis=1), (rows, 1)))
    call.inputs[0][-1] = np.arange(5.0)
    call()
    np.testing.assert_allclose(call.outputs[0][-1], weights @ np.arange(5.0))
