"""The rooms of the house: who may import whom, what may stand where. The rules are the data at the top."""

from __future__ import annotations

import ast
import graphlib
import importlib
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGES = ("derive", "codegen")
ROOF = ("derive.cli", "derive.commands", "derive.__main__")

# From bottom to top; a module imports from its own layer and from layers below. `a/*` is a and all inside.
LAYERS = {
    "derive": (
        ("errors", "version"),
        ("files", "notation", "lazy", "bounded"),
        ("shapes",),
        ("op",),
        ("expr",),
        ("ops/*",),
        ("derivation",),
        ("model",),
        ("tidy", "interop", "growth"),
        ("simplify", "structure", "linear"),
        ("backprop", "batch", "printer"),
        ("stable/*",),
        ("jacobian", "recurrence", "generalise"),
        ("verify/*",),  # proof: no word of LaTeX
        ("markup/*",),
        ("read/*",),
        ("meaning/*",),
        ("cases/*",),
        ("diagnose/*",),
        ("claims/*",),
        ("sheet/*",),
        ("handwritten/*",),
        ("workbook", "report", "progress", "explain", "report_page"),
        ("checking",),
        ("command",),
        ("api",),
        ("",),  # derive itself: the names that users import
        ("pytest_plugin",),
        ("commands/*",),
        ("cli",),
        ("__main__",),
    ),
    "codegen": (
        ("errors", "files", "program", "prediction", "interrupt", "bound"),  # what a program is, and what data are
        ("data", "split", "schedules", "decay", "start"),
        ("labels", "places", "text", "rates"),
        ("names",),
        ("passes/*", "optimizers", "sizes", "init"),
        ("plan/*",),  # how a program runs on a machine
        ("settings", "stepping"),
        ("scope",),
        ("targets/*", "written", "deltas"),
        ("products",),
        ("lower", "build", "samples"),
        ("record", "trace", "accuracy", "recipe"),
        ("generate", "binding", "engines", "source"),
        ("prepare", "team"),
        ("later",),  # the seam: what is below it and needs SymPy is imported when it is called
        ("store", "compiled", "export"),
        ("train",),
        ("compiling",),
        ("function", "params", "metrics", "memory"),
        ("history",),
        ("checkpoint",),
        ("epochs",),
        ("",),
    ),
}

# A module that is forbidden, and the files that may use it nonetheless.
GRAMMAR = "derive/read/grammar.py"
KEPT_IN = {"gen": GRAMMAR, "antlr4": GRAMMAR, "latex2sympy2": GRAMMAR}
NEVER_IMPORTED = ("pickle", "cPickle", "cloudpickle", "dill", "joblib", "marshal", "shelve")

# A call that runs text as code, and the files that may make it nonetheless.
DANGEROUS_CALLS: dict[str, tuple[str, ...]] = {
    "eval": (),
    "exec": ("codegen/build.py",),
    "sympify": (),
    "parse_expr": (),
}

# (files, operation) -> why that comparison is not a test for the operation.
NOT_THE_OPERATION = {
    ("derive/sheet/*", "function"): "a kind of token in the sheet's own reader of LaTeX",
    ("derive/diagnose/rewriting.py", "function"): "a slot of a formula's tree",
    ("derive/read/spelling.py", "sqrt"): "a word of LaTeX, spelled in its own way",
    ("derive/meaning/applied.py", "max"): "a word of the page: max(0, z)",
    ("*", "sign"): "a mark between operands, or a domain of -1 and 1",
    ("derive/read/code.py", "transpose"): "a word of NumPy on a page",
    ("codegen/targets/c_kernels.py", "matmul"): "a kernel in C, of which the program's products choose one",
    ("*", "sum"): "a kind of reduction, the field `reduce` of a row",
    ("derive/verify/evaluate.py", "max"): "a kind of reduction, the field `reduce` of a row",
    ("derive/verify/normal_form.py", "max"): "a kind of reduction, the field `reduce` of a row",
}


@dataclass(frozen=True, slots=True)
class Module:
    name: str
    file: str
    tree: ast.Module

    @property
    def package(self) -> str:
        return self.name if self.file.endswith("__init__.py") else self.name.rpartition(".")[0]


@cache
def modules() -> dict[str, Module]:
    found = {}
    for path in sorted(p for package in PACKAGES for p in (ROOT / package).rglob("*.py")):
        file = path.relative_to(ROOT)
        name = ".".join(file.with_suffix("").parts).removesuffix(".__init__")
        found[name] = Module(name, file.as_posix(), ast.parse(path.read_text(encoding="utf-8"), file))
    return found


def imported_names(module: Module, node: ast.Import | ast.ImportFrom) -> Iterator[str]:
    """Absolute names; `from a import b` gives a.b where that is a module of ours, and a otherwise."""
    if isinstance(node, ast.Import):
        yield from (alias.name for alias in node.names)
        return
    above = module.package.split(".")[: len(module.package.split(".")) - node.level + 1] if node.level else []
    source = ".".join([*above, *([node.module] if node.module else [])])
    for alias in node.names:
        inner = f"{source}.{alias.name}"
        yield inner if inner in modules() else source


def imports(module: Module) -> set[str]:
    nodes = (node for node in ast.walk(module.tree) if isinstance(node, ast.Import | ast.ImportFrom))
    return {name for node in nodes for name in imported_names(module, node)}


def own_imports(module: Module) -> set[str]:
    return {name for name in imports(module) if name.split(".")[0] in PACKAGES}


def layer_of(name: str) -> int | None:
    package, _, inside = name.partition(".")
    for height, rooms in enumerate(LAYERS[package]):
        if any(inside == room or fnmatchcase(inside + ".", room.replace("/*", ".*")) for room in rooms):
            return height
    return None


@pytest.fixture(params=[pytest.param(module, id=module.file) for module in modules().values()])
def module(request: pytest.FixtureRequest) -> Module:
    return request.param


def test_both_packages_hold_modules() -> None:
    assert {name.split(".")[0] for name in modules()} == set(PACKAGES)


def test_every_folder_of_modules_is_a_package(module: Module) -> None:
    # Without it pytest would import derive/sheet/html.py as `html`, the standard library's.
    assert (ROOT / module.file).with_name("__init__.py").is_file(), f"no __init__.py beside {module.file}"


def test_no_import_circles() -> None:
    graph = {name: own_imports(module) - {name} for name, module in modules().items()}
    try:
        graphlib.TopologicalSorter(graph).prepare()
    except graphlib.CycleError as error:
        pytest.fail("import circle: " + " imports ".join(reversed(error.args[1])))


def test_no_imports_inside_functions(module: Module) -> None:
    functions = (n for n in ast.walk(module.tree) if isinstance(n, ast.FunctionDef | ast.AsyncFunctionDef))
    lines = {n.lineno for f in functions for n in ast.walk(f) if isinstance(n, ast.Import | ast.ImportFrom)}
    assert not lines, f"{module.file} imports inside a function, lines {sorted(lines)}"


def test_derive_never_imports_codegen_but_from_its_roof(module: Module) -> None:
    if module.name.startswith("derive") and not module.name.startswith(ROOF):
        assert not [name for name in own_imports(module) if name.split(".")[0] == "codegen"], module.file


def test_every_module_has_its_room(module: Module) -> None:
    assert layer_of(module.name) is not None, f"{module.file}: add it to LAYERS in tests/test_architecture.py"


def test_a_room_imports_only_rooms_below_it(module: Module) -> None:
    own = layer_of(module.name)
    package = module.name.split(".")[0]
    heights = {name: layer_of(name) for name in own_imports(module) if name.split(".")[0] == package}
    above = sorted(name for name, height in heights.items() if height is None or own is None or height > own)
    assert not above, f"{module.file} imports {above}, which are not below it"


def operation_names() -> set[str]:
    """The names under which derive.op.TABLE knows its operations, once every row is in it."""
    importlib.import_module("derive.ops.table")
    table = importlib.import_module("derive.op").TABLE
    names = {key if isinstance(key, str) else row.name for key, row in table.items()}
    assert names, "derive.op.TABLE is empty after importing derive.ops.table"
    return names


def compared_strings(tree: ast.Module) -> Iterator[tuple[int, str]]:
    """Strings that stand in a comparison (also inside a tuple after `in`) or in a match case."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Compare):
            sides: list[ast.AST] = [node.left, *node.comparators]
        elif isinstance(node, ast.MatchValue):
            sides = [node.value]
        else:
            continue
        for side in sides:
            parts = side.elts if isinstance(side, ast.Tuple | ast.List | ast.Set) else [side]
            for part in parts:
                if isinstance(part, ast.Constant) and isinstance(part.value, str):
                    yield part.lineno, part.value


def is_excused(file: str, text: str) -> bool:
    return any(text == word and fnmatchcase(file, files) for files, word in NOT_THE_OPERATION)


def test_only_ops_knows_an_operation_by_name() -> None:
    names = operation_names()
    tests = [
        f'{module.file}:{line} "{text}"'
        for module in modules().values()
        if not module.name.startswith("derive.ops")
        for line, text in compared_strings(module.tree)
        if text in names and not is_excused(module.file, text)
    ]
    assert not tests, "tested for an operation by its name: " + ", ".join(tests)


def test_only_the_grammar_room_knows_the_latex_parser(module: Module) -> None:
    tops = {name.split(".")[0] for name in imports(module)}
    kept = {top for top in tops & KEPT_IN.keys() if module.file != KEPT_IN[top]}
    assert not kept, f"{module.file} imports {sorted(kept)}"


def test_nothing_unpickles(module: Module) -> None:
    tops = {name.split(".")[0] for name in imports(module)}
    assert not tops & set(NEVER_IMPORTED), module.file
    allowed = [k for k in ast.walk(module.tree) if isinstance(k, ast.keyword) and k.arg == "allow_pickle"]
    assert all(isinstance(k.value, ast.Constant) and k.value.value is False for k in allowed), module.file


def called_name(call: ast.Call) -> str | None:
    """`f` of `f(…)`, `sympy.f(…)` and `builtins.f(…)`; methods of other objects are their own affair."""
    match call.func:
        case ast.Name(id=name):
            return name
        case ast.Attribute(value=ast.Name(id="sympy" | "sp" | "builtins"), attr=name):
            return name
    return None


def test_nothing_runs_text_as_code(module: Module) -> None:
    calls = [(n.lineno, called_name(n)) for n in ast.walk(module.tree) if isinstance(n, ast.Call)]
    dangerous = [
        f"line {line}: {name}"
        for line, name in calls
        if name in DANGEROUS_CALLS and module.file not in DANGEROUS_CALLS[name]
    ]
    assert not dangerous, f"{module.file} {dangerous}"


def public_functions(body: list[ast.stmt]) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    for node in body:
        if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
            yield from public_functions(node.body)
        elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and not node.name.startswith("_"):
            yield node


def is_annotated(function: ast.FunctionDef | ast.AsyncFunctionDef) -> bool:
    a = function.args
    every = [*a.posonlyargs, *a.args, *a.kwonlyargs, *filter(None, (a.vararg, a.kwarg))]
    named = [arg for arg in every if arg.arg not in ("self", "cls")]
    return function.returns is not None and all(arg.annotation for arg in named)


def is_overload(function: ast.FunctionDef | ast.AsyncFunctionDef) -> bool:
    return any("overload" in ast.unparse(decorator) for decorator in function.decorator_list)


def test_every_module_and_public_function_says_what_it_is(module: Module) -> None:
    assert ast.get_docstring(module.tree), f"{module.file} has no docstring"
    functions = [f for f in public_functions(module.tree.body) if not is_overload(f)]
    bare = [f.name for f in functions if not ast.get_docstring(f) or not is_annotated(f)]
    assert not bare, f"{module.file}: docstring or annotation missing: {bare}"


def test_the_wheel_ships_derive_and_codegen_alone() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    patterns = project["tool"]["setuptools"]["packages"]["find"]["include"]
    folders = [path.name for path in ROOT.iterdir() if path.is_dir() and any(path.glob("*.py"))]
    shipped = {name for name in folders if any(fnmatchcase(name, pattern) for pattern in patterns)}
    assert shipped == set(PACKAGES)
