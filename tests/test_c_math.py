"""The C target's own mathematics: how far from right it is, what it makes of edges, the same bits everywhere, speed."""

from __future__ import annotations

import ctypes
import math
import re
import shutil
import subprocess
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import mpmath
import numpy as np
import pytest

from codegen import build
from codegen.targets.c_function import includes
from codegen.targets.c_math import FUNCTIONS, LARGER, emit_math, real

COMPILERS = [name for name in ("gcc", "clang") if shutil.which(name)]
STRICT = ("-Wall", "-Wextra", "-Wconversion", "-Wdouble-promotion", "-pedantic", "-Wshadow", "-Werror")
TYPES = ("float32", "float64")
EXACT = ("-std=c99", "-O1", "-ffp-contract=off")
PROFILES = ("exact", "local")  # without and with fused multiply-adds

needs_compiler = pytest.mark.skipif(not COMPILERS, reason="no C compiler: the mathematics of C is not tested here")
needs_gcc = pytest.mark.skipif("gcc" not in COMPILERS, reason="no gcc, whose reports are read here")
types = pytest.mark.parametrize("dtype", TYPES)
profiles = pytest.mark.parametrize("profile", PROFILES)

# Largest error in units in the last place: a little above what 7e7 floats and 8e6 doubles of all sizes have shown.
ULPS = {
    "exp": 1.1, "log": 0.9, "tanh": 1.4, "erf": 1.3, "log1p": 1.5, "expm1": 2.2, "sqrt": 1.0, "sigmoid": 2.5,
    "softplus": 2.0, "silu": 2.5, "normal_density": 1.4, "normal_cdf": 2.7, "gelu": 3.1, "gelu_tanh": 3.0, "sin": 2.5,
    "cos": 2.5,
}  # fmt: skip
PLAIN = ("fabs", "relu", "step", "sign", "square", "cube")
PAIRS = ("leaky_relu", "elu", "clip", "huber", "pow", "larger")
PARTS = {
    "bits", "exp_turns", "exp_power", "exp_rest", "exp_below", "exp_of", "pow_whole", "pow_size", "gated",
    "normal_tail", "wave",
}  # fmt: skip
WAVES = {"float32": 12867.0, "float64": 1647099.0}  # up to here n times a part of pi/2 is exact


def kind(dtype: str) -> str:
    return "float" if dtype == "float32" else "double"


def source(dtype: str) -> str:
    """A loop over each function, `v_exp(n, x, y)` or `v_pow(n, x, p, y)`, each on a line of its own at the end."""
    text = includes() + emit_math(FUNCTIONS, "m_", dtype) + real(LARGER, "m_", dtype) + "\n"
    r = kind(dtype)
    for name in (*ULPS, *PLAIN):
        text += f"void v_{name}(long n, const {r} *restrict x, {r} *restrict y); "
        text += f"void v_{name}(long n, const {r} *restrict x, {r} *restrict y) "
        text += f"{{ for (long i = 0; i < n; ++i) {{ y[i] = m_{name}(x[i]); }} }}\n"
    for name in PAIRS:
        arguments = f"(long n, const {r} *restrict x, const {r} *restrict p, {r} *restrict y)"
        text += f"void v_{name}{arguments}; void v_{name}{arguments} "
        text += f"{{ for (long i = 0; i < n; ++i) {{ y[i] = m_{name}(x[i], p[i]); }} }}\n"
    for power in (2, 3):
        text += f"void v_pow{power}(long n, const {r} *restrict x, {r} *restrict y); "
        text += f"void v_pow{power}(long n, const {r} *restrict x, {r} *restrict y) "
        text += f"{{ for (long i = 0; i < n; ++i) {{ y[i] = m_pow(x[i], {power}); }} }}\n"
    return text


@cache
def library(dtype: str, flags: tuple[str, ...], command: str = "") -> ctypes.CDLL:
    found = build.find_compiler()
    compiler = build.Compiler((command,), found.version) if command else found
    return ctypes.CDLL(str(build.compile_shared(source(dtype), "math", compiler, flags)))


def local() -> tuple[str, ...]:
    return (*build.PORTABLE, *build.native_flags(build.find_compiler()))


def made(dtype: str, profile: str) -> ctypes.CDLL:
    return library(dtype, EXACT if profile == "exact" else local())


def applied(code: ctypes.CDLL, name: str, *arrays: Any) -> Any:
    y = np.empty_like(arrays[0])
    pointers = [ctypes.c_void_p(array.ctypes.data) for array in (*arrays, y)]
    getattr(code, f"v_{name}")(ctypes.c_long(len(y)), *pointers)
    return y


# ---- against more digits -----------------------------------------------------------------------------------------


def inner_gelu(x: Any) -> Any:
    return 2 * (2 / mpmath.pi) ** 0.5 * (x + mpmath.mpf("0.044715") * x**3)


def log1p_exp(x: Any) -> Any:
    return x + mpmath.log1p(mpmath.exp(-x)) if x > 0 else mpmath.log1p(mpmath.exp(x))


DIGITS: dict[str, Callable[[Any], Any]] = {
    "exp": mpmath.exp, "log": mpmath.log, "tanh": mpmath.tanh, "erf": mpmath.erf, "log1p": mpmath.log1p,
    "expm1": mpmath.expm1, "sqrt": mpmath.sqrt, "sin": mpmath.sin, "cos": mpmath.cos, "softplus": log1p_exp,
    "sigmoid": lambda x: 1 / (1 + mpmath.exp(-x)), "silu": lambda x: x / (1 + mpmath.exp(-x)),
    "gelu_tanh": lambda x: x / (1 + mpmath.exp(-inner_gelu(x))),
    "normal_density": lambda x: mpmath.exp(-x * x / 2) / mpmath.sqrt(2 * mpmath.pi),
    "normal_cdf": lambda x: mpmath.erfc(-x / mpmath.sqrt(2)) / 2,
    "gelu": lambda x: x * mpmath.erfc(-x / mpmath.sqrt(2)) / 2,
}  # fmt: skip
ERF, ERFC = np.vectorize(math.erf, otypes=[float]), np.vectorize(math.erfc, otypes=[float])


def in_double(name: str, x: Any) -> Any:
    """The function in double, for floats."""
    e = np.exp(-np.abs(x))
    logistic = np.where(x < 0, e, 1) / (1 + e)
    by_name: dict[str, Callable[[], Any]] = {
        "erf": lambda: ERF(x), "sigmoid": lambda: logistic, "silu": lambda: x * logistic,
        "softplus": lambda: np.logaddexp(x, 0), "normal_cdf": lambda: ERFC(-x / np.sqrt(2)) / 2,
        "gelu": lambda: x * (ERFC(-x / np.sqrt(2)) / 2),
        "normal_density": lambda: np.exp(-x * x / 2) / np.sqrt(2 * np.pi),
        "gelu_tanh": lambda: x / (1 + np.exp(-2 * np.sqrt(2 / np.pi) * (x + 0.044715 * x**3))),
    }  # fmt: skip
    return by_name[name]() if name in by_name else getattr(np, name)(x)


def in_domain(name: str, x: Any, dtype: str) -> Any:
    x = x[np.isfinite(x)]
    if name in ("log", "sqrt"):
        return np.abs(x)
    if name == "log1p":
        return x[x > -1]
    return x[np.abs(x) < WAVES[dtype]] if name in ("sin", "cos") else x


def condition(name: str, x: Any) -> Any:
    """How much of an error is let pass beyond ULPS: gelu_tanh rounds the number u that exp is then taken of."""
    return 1 + np.abs(1.6 * x + 0.0714 * x**3) if name == "gelu_tanh" else 1.0


@cache
def floats(name: str) -> tuple[Any, Any]:
    """One float in 4099 of all there are, and the function of it."""
    x = in_domain(name, np.arange(1234, 2**32, 4099, dtype=np.uint32).view(np.float32), "float32")
    with np.errstate(all="ignore"):
        return x, in_double(name, x.astype(float))


@cache
def doubles(name: str) -> tuple[Any, Any, Any]:
    """Doubles of all sizes, many near 1, near branches and ends; the function, and what rounding it loses."""
    rng = np.random.default_rng(7)
    count = 20_000 if name in ("exp", "log", "tanh", "erf") else 3_000
    moderate = np.exp2(rng.uniform(-8, 5, count // 2))
    any_size = np.exp2(rng.uniform(-1074, 1023, count // 4))
    near = np.array(
        [0.3466, 0.625, 0.66, 0.67, 1, 0.5, 2**0.5, 4, math.pi / 2, math.pi, 5.9, 37.5, 38.4, 708, 744, 709.7]
    )
    special = (near[:, None] * (1 + np.exp2(rng.uniform(-53, -3, (len(near), count // 4 // len(near)))))).ravel()
    x = np.concatenate([moderate, any_size, special])
    x = in_domain(name, x * rng.choice([-1, 1], len(x)), "float64")
    if name == "log":  # near its zero
        x[: count // 8] = 1 + rng.choice([-1, 1], count // 8) * np.exp2(rng.uniform(-52, -2, count // 8))
    with mpmath.workprec(170), np.errstate(all="ignore"):
        wanted = [DIGITS[name](mpmath.mpf(float(v))) if abs(v) < 1e6 or name == "log" else None for v in x]
        rounded = np.array([in_double(name, v) if w is None else float(w) for v, w in zip(x, wanted, strict=True)])
        spacing = np.where(np.isfinite(rounded), np.spacing(np.abs(rounded)), 1)
        lost = [0.0 if w is None or not math.isfinite(r) else float((w - mpmath.mpf(float(r))) / mpmath.mpf(float(s)))
                for w, r, s in zip(wanted, rounded, spacing, strict=True)]  # fmt: skip
    return x, rounded, np.array(lost)


@needs_compiler
@profiles
@pytest.mark.parametrize("name", ULPS)
def test_one_float_in_4099_is_right_to_the_last_places(name: str, profile: str) -> None:
    x, wanted = floats(name)
    got = applied(made("float32", profile), name, x).astype(float)
    with np.errstate(all="ignore"):
        rounded = wanted.astype(np.float32)
        spacing = np.spacing(np.minimum(np.abs(rounded), np.finfo(np.float32).max)).astype(float)
        errors = np.where(got == rounded, 0, np.abs(np.clip(got, -(2.0**128), 2.0**128) - wanted) / spacing)
        errors /= condition(name, x.astype(float))
    worst = np.argmax(errors)
    assert errors[worst] <= ULPS[name], x[worst]


@needs_compiler
@profiles
@pytest.mark.parametrize("name", ULPS)
def test_doubles_are_right_to_the_last_places(name: str, profile: str) -> None:
    x, rounded, lost = doubles(name)
    got = applied(made("float64", profile), name, x)
    with np.errstate(all="ignore"):
        errors = np.where(got == rounded, 0, np.abs((got - rounded) / np.spacing(np.abs(rounded)) - lost))
        errors /= condition(name, x)
    worst = np.argmax(errors)
    assert errors[worst] <= ULPS[name], x[worst]


@needs_compiler
@profiles
@types
def test_a_power_is_right_to_a_few_last_places(dtype: str, profile: str) -> None:
    rng = np.random.default_rng(5)
    x = np.exp(rng.normal(size=3000)).astype(dtype)
    y = rng.uniform(-12, 12, 3000).astype(dtype)
    y[:500] = np.round(y[:500] * 4)  # whole
    y[500:800] *= 3
    with mpmath.workprec(170):
        exact = [mpmath.mpf(float(a)) ** mpmath.mpf(float(b)) for a, b in zip(x, y, strict=True)]
        limits = float(np.finfo(dtype).tiny), float(np.finfo(dtype).max)
        normal = [k for k, w in enumerate(exact) if limits[0] < w < limits[1]]
        got = applied(made(dtype, profile), "pow", x, y)
        far = [
            abs(float((mpmath.mpf(float(got[k])) - exact[k]) / float(np.spacing(np.asarray(float(exact[k]), dtype)))))
            for k in normal
        ]
    products = np.array([float(y[k]).is_integer() and abs(y[k]) <= 16 for k in normal])
    size = np.abs(y[normal] * np.log(x[normal])).astype(float)
    assert np.all((np.array(far) <= 1.5 + size / 50)[~products])
    sizes = np.abs(y[normal][products]).astype(float)
    assert np.all(np.array(far)[products] <= (1 + sizes) / 2), "half a unit for every product"


# ---- edges ---------------------------------------------------------------------------------------------------------

TINY = "the smallest number"
EDGES: dict[str, tuple[Any, ...]] = {  # of 0, -0, infinity, -infinity, the smallest number and its negative
    "exp": (1, 1, np.inf, 0, 1, 1),
    "expm1": (0, -0.0, np.inf, -1, TINY, "-"),
    "log": (-np.inf, -np.inf, np.inf, np.nan, np.log, np.nan),
    "log1p": (0, -0.0, np.inf, np.nan, TINY, "-"),
    "tanh": (0, -0.0, 1, -1, TINY, "-"),
    "erf": (0, -0.0, 1, -1, TINY, "-"),
    "sqrt": (0, -0.0, np.inf, np.nan, np.sqrt, np.nan),
    "sigmoid": (0.5, 0.5, 1, 0, 0.5, 0.5),
    "softplus": (math.log(2), math.log(2), np.inf, 0, math.log(2), math.log(2)),
    "silu": (0, -0.0, np.inf, -0.0, 0, -0.0),
    "gelu": (0, -0.0, np.inf, -0.0, 0, -0.0),
    "gelu_tanh": (0, -0.0, np.inf, -0.0, 0, -0.0),
    "normal_density": (0.3989422804014327, 0.3989422804014327, 0, 0, 0.3989422804014327, 0.3989422804014327),
    "normal_cdf": (0.5, 0.5, 1, 0, 0.5, 0.5),
    "sin": (0, -0.0, np.nan, np.nan, TINY, "-"),
    "cos": (1, 1, np.nan, np.nan, 1, 1),
    "fabs": (0, 0, np.inf, np.inf, TINY, TINY),
    "relu": (0, 0, np.inf, 0, TINY, 0),
    "step": (0, 0, 1, 0, 1, 0),
    "sign": (0, -0.0, 1, -1, 1, -1),
    "leaky_relu": (0, -0.0, np.inf, -np.inf, TINY, -0.0),
    "elu": (0, -0.0, np.inf, -0.25, TINY, -0.0),
    "clip": (0, -0.0, 0.25, -0.25, TINY, "-"),
    "huber": (0, 0, np.inf, np.inf, 0, 0),
    "larger": (0.25, 0.25, np.inf, 0.25, 0.25, 0.25),
    "square": (0, 0, np.inf, np.inf, 0, 0),
    "cube": (0, -0.0, np.inf, -np.inf, 0, -0.0),
    "pow2": (0, 0, np.inf, np.inf, 0, 0),
    "pow3": (0, -0.0, np.inf, -np.inf, 0, -0.0),
}


def test_every_function_has_its_edges_in_the_table() -> None:
    assert set(FUNCTIONS) - PARTS - {"pow"} <= set(EDGES)
    assert {*ULPS, *PLAIN, *PAIRS} - {"pow"} <= set(EDGES)


@needs_compiler
@profiles
@types
@pytest.mark.parametrize("name", EDGES)
def test_zeros_infinities_nan_and_the_smallest_numbers_come_out_right(name: str, dtype: str, profile: str) -> None:
    tiny = np.finfo(dtype).smallest_subnormal
    x = np.array([0.0, -0.0, np.inf, -np.inf, tiny, -tiny, np.nan, -np.nan], dtype)
    arrays = (x, np.full_like(x, 0.25)) if name in PAIRS else (x,)
    got = applied(made(dtype, profile), name, *arrays)
    for argument, value, edge in zip(x, got, EDGES[name], strict=False):
        wanted = {TINY: tiny, "-": -tiny}.get(edge, edge) if isinstance(edge, str) else edge
        wanted = float(wanted(float(argument))) if callable(wanted) else float(wanted)
        np.testing.assert_allclose(value, wanted, rtol=float(np.finfo(dtype).eps), atol=0, err_msg=f"{name} {argument}")
        assert math.isnan(wanted) or np.signbit(value) == np.signbit(wanted), f"the sign of {name}({argument})"
    assert np.isnan(got[6:]).all(), "NaN is hidden"


@needs_compiler
@profiles
@types
def test_no_function_of_two_hides_a_nan(dtype: str, profile: str) -> None:
    a, b = np.array([1, np.nan, np.nan, 2, -3], dtype), np.array([np.nan, 1, np.nan, 1, 1], dtype)
    larger = applied(made(dtype, profile), "larger", a, b)
    np.testing.assert_array_equal(larger, np.array([np.nan, np.nan, np.nan, 2, 1], dtype))
    assert np.isnan(applied(made(dtype, profile), "huber", a[:3], b[:3])).all()


@needs_compiler
@profiles
@types
def test_powers_of_zeros_infinities_and_negative_numbers_are_those_of_c(dtype: str, profile: str) -> None:
    values = [
        0.0,
        -0.0,
        1.0,
        -1.0,
        2.0,
        -2.0,
        0.5,
        -0.5,
        2.5,
        -2.5,
        3.0,
        -3.0,
        64.0,
        65.0,
        -65.0,
        -66.0,
        16.0,
        17.0,
        1e10,
        -1e10,
    ]
    values += [np.inf, -np.inf, np.nan, float(np.finfo(dtype).max), float(np.finfo(dtype).tiny), 16777217.0]
    x, y = (grid.ravel().astype(dtype) for grid in np.meshgrid(values, values))
    with np.errstate(all="ignore"):
        wanted = np.power(x.astype(float), y.astype(float)).astype(dtype)
    got = applied(made(dtype, profile), "pow", x, y)
    np.testing.assert_allclose(got, wanted, rtol=3 * float(np.finfo(dtype).eps), atol=0)
    signs = ~np.isnan(wanted)
    np.testing.assert_array_equal(np.signbit(got[signs]), np.signbit(wanted[signs]))


@needs_compiler
@profiles
@types
def test_whole_exponents_are_exact_where_the_product_is(dtype: str, profile: str) -> None:
    x = np.array([-3.0, -2.0, 0.5, 1.5, 7.0], dtype)
    for power in (0, 1, 2, 3, 4, 5, 8):
        y = np.full_like(x, power)
        np.testing.assert_array_equal(applied(made(dtype, profile), "pow", x, y), x.astype(float) ** power)


@needs_compiler
@types
def test_waves_too_long_to_be_told_apart_are_nan(dtype: str) -> None:
    x = np.array([1e9, -1e30], dtype) if dtype == "float32" else np.array([1e17, -1e300], dtype)
    for name in ("sin", "cos"):
        assert np.isnan(applied(made(dtype, "exact"), name, x)).all()


# ---- the same bits, no warning, no undefined behaviour, vectors ------------------------------------------------------


def everywhere(dtype: str) -> Any:
    word = np.uint32 if dtype == "float32" else np.uint64
    step = 65521 if dtype == "float32" else 281474976710597
    every = np.arange(0, 65000, dtype=word) * word(step)
    moderate = np.random.default_rng(1).normal(scale=8, size=65000).astype(dtype)
    return np.concatenate([every.view(dtype), moderate])


@needs_gcc
@types
def test_without_contraction_all_builds_give_the_same_bits(dtype: str) -> None:
    same = ("-std=c99", "-fno-math-errno", "-fno-trapping-math", "-ffp-contract=off")
    builds = [("gcc", "-O1"), ("gcc", "-O3", "-march=native"), ("clang", "-O3", "-march=native")]
    codes = [library(dtype, (*same, *flags), command) for command, *flags in builds if command in COMPILERS]
    x = everywhere(dtype)
    p = np.roll(x, 7)
    for name in (*ULPS, *PLAIN, *PAIRS, "pow2", "pow3"):
        arrays = (x, p) if name in PAIRS else (x,)
        results = [applied(code, name, *arrays) for code in codes]
        for other in results[1:]:
            np.testing.assert_array_equal(other, results[0], err_msg=name)
            numbers = ~np.isnan(other)
            assert np.array_equal(np.signbit(other[numbers]), np.signbit(results[0][numbers])), name


@needs_compiler
@types
@pytest.mark.parametrize("compiler", COMPILERS)
def test_the_mathematics_compiles_without_a_warning(compiler: str, dtype: str, tmp_path: Path) -> None:
    path = tmp_path / "math.c"
    path.write_text(source(dtype))
    command = [compiler, "-std=c99", *STRICT, "-O1", "-c", path, "-o", tmp_path / "math.o"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


@types
@pytest.mark.parametrize("name", sorted(set(FUNCTIONS) - PARTS))
def test_a_function_brings_what_it_calls_and_nothing_more(name: str, dtype: str) -> None:
    text = emit_math([name], "m_", dtype)
    defined = set(re.findall(r"^static (?:m_)?inline \w+ (m_\w+)\(", text, re.MULTILINE))
    called = {word for body in re.findall(r"\{.*?^\}", text, re.MULTILINE | re.DOTALL) for word in CALL.findall(body)}
    assert called | {f"m_{name}"} == defined


CALL = re.compile(r"\b(m_\w+)\(")
RUN = """
int main(void)
{
    REAL x[64], p[64], y[64];
    for (uint64_t k = 0; k < 8192; ++k) {
        for (uint64_t i = 0; i < 64; ++i) {
            x[i] = m_real((WORD)((k * 64 + i) * 35184372088777u >> SHIFT));
            p[i] = m_real((WORD)((k * 64 + 63 - i) * 70368744177643u >> SHIFT));
        }
CALLS
    }
    return 0;
}
"""


@needs_compiler
@types
def test_no_number_leads_to_undefined_behaviour(dtype: str, tmp_path: Path) -> None:
    calls = [f"        v_{name}(64, x, y);" for name in (*ULPS, *PLAIN, "pow2", "pow3")]
    calls += [f"        v_{name}(64, x, p, y);" for name in PAIRS]
    shift = "32" if dtype == "float32" else "0"
    path = tmp_path / "run.c"
    path.write_text(source(dtype) + real(RUN.replace("CALLS", "\n".join(calls)).replace("SHIFT", shift), "m_", dtype))
    sanitize = "-fsanitize=undefined,float-cast-overflow"
    build.compile_program(path, tmp_path / "run", ("-std=c99", "-O1", sanitize, "-fno-sanitize-recover=all"))
    done = subprocess.run([tmp_path / "run"], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


@needs_gcc
@types
def test_gcc_makes_vectors_of_every_loop(dtype: str, tmp_path: Path) -> None:
    path = tmp_path / "math.c"
    path.write_text(source(dtype))
    flags = (*build.PORTABLE, *build.native_flags(build.Compiler(("gcc",), "")))
    command = ["gcc", *flags, "-fopt-info-vec-optimized", "-c", path, "-o", tmp_path / "math.o"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    vectorised = {int(line.split(":")[1]) for line in done.stderr.splitlines() if "loop vectorized" in line}
    lines = source(dtype).splitlines()
    loops = [k for k, line in enumerate(lines, 1) if line.startswith("void v_")]
    assert not [lines[k - 1] for k in loops if k not in vectorised]
