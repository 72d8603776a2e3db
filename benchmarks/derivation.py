"""How long deriving, checking, judging and writing a sheet take, and in how much memory.

You will see: the growth from 5 to 400 layers, each of forty textbook models, the judgement of a right answer in each
of its forms, and SymPy's own matrix derivatives where it has them. Run from the project's root:

    python -m benchmarks.derivation [--quick] [--json FILE]
"""

from __future__ import annotations

import json
import platform
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click
import sympy
from rich.console import Console
from rich.table import Table

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "tests"))  # the models are those of the tests

from forty import TASKS, Task  # noqa: E402
from forty_forms import FORMS  # noqa: E402
from oracles import mlp  # noqa: E402

from derive.backprop import derive_gradients  # noqa: E402
from derive.claims.bench import bench_for  # noqa: E402
from derive.claims.in_model import judge_claim  # noqa: E402
from derive.derivation import Derivation  # noqa: E402
from derive.jacobian import derive_hessian, derive_jacobian  # noqa: E402
from derive.meaning.outline import Equation, Place  # noqa: E402
from derive.ops.activation import tanh  # noqa: E402
from derive.read.latex import read_formula  # noqa: E402
from derive.sheet.compose import Part, compose  # noqa: E402
from derive.sheet.html import to_html  # noqa: E402
from derive.verify.steps import checked  # noqa: E402

LAYERS = (5, 10, 25, 50, 100, 200, 400)
QUICK = (5, 25, 100)
REPEATS = 3


def seconds(work: Callable[[], Any]) -> tuple[float, Any]:
    """The time of one run, and what it returned."""
    started = time.perf_counter()
    result = work()
    return time.perf_counter() - started, result


def one_depth(layers: int) -> dict[str, float]:
    """Derive, check and typeset a multi-layer perceptron; called in a process of its own, for its memory."""
    sizes: list[str | int] = ["n", *(f"h_{{{k}}}" for k in range(1, layers)), "k"]
    network = mlp(sizes, tanh, "ce")
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    deriving, record = seconds(lambda: derive_gradients(network))
    checking, done = seconds(lambda: checked(network, record))
    writing, page = seconds(lambda: to_html(compose(network.title, [Part(done)])))
    after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return {
        "derive_s": deriving, "check_s": checking, "sheet_s": writing, "total_s": deriving + checking + writing,
        "grown_mb": (after - before) / 1024, "page_kb": len(page) / 1024,
    }  # fmt: skip


def depths(layers: tuple[int, ...]) -> dict[str, dict[str, float]]:
    """Measure each depth in a process of its own."""
    found = {}
    for count in layers:
        call = f"import json; from benchmarks.derivation import one_depth; print(json.dumps(one_depth({count})))"
        output = subprocess.run([sys.executable, "-c", call], cwd=ROOT, capture_output=True, text=True, check=True)
        found[str(count)] = json.loads(output.stdout)
    return found


def derived(task: Task) -> Derivation:
    """Derive one of the forty."""
    if task.kind == "hessian":
        return derive_hessian(task.network, task.variable)
    if task.kind == "jacobian":
        return derive_jacobian(task.network, task.network.definitions[-1].name, task.variable)
    return derive_gradients(task.network, (task.variable,))


def forty() -> dict[str, dict[str, float]]:
    """Derive and check each of the forty, and judge every form of its answer."""
    found = {}
    for task in TASKS:
        deriving = min(seconds(lambda task=task: derived(task))[0] for _ in range(REPEATS))
        record = derived(task)
        checking = min(seconds(lambda task=task, r=record: checked(task.network, r))[0] for _ in range(REPEATS))
        bench = bench_for(task.network)
        left = read_formula(task.left)
        claims = []
        for form in FORMS[task.number]:
            took, _ = seconds(lambda form=form, left=left, bench=bench: judge_claim(
                Equation(left, read_formula(form), "", Place(("",), 0, "", 1, 1)), bench
            ))  # fmt: skip
            claims.append(took)
        found[f"{task.number} {task.title}"] = {
            "derive_s": deriving, "check_s": checking, "claim_s": statistics.median(claims), "slowest_s": max(claims),
        }  # fmt: skip
    return found


def peers() -> dict[str, float]:
    """SymPy's matrix derivatives of the few of the forty that it gets right and in matrix form."""
    n, d, k, m, p = sympy.symbols("n d k m p", integer=True, positive=True)
    x, a, big = sympy.MatrixSymbol("x", n, 1), sympy.MatrixSymbol("A", n, n), sympy.MatrixSymbol("X", m, n)
    left, right = sympy.MatrixSymbol("A", p, m), sympy.MatrixSymbol("B", n, p)
    square, data = sympy.MatrixSymbol("A", m, m), sympy.MatrixSymbol("X", n, d)
    w, y = sympy.MatrixSymbol("w", d, 1), sympy.MatrixSymbol("y", n, 1)
    weights, targets = sympy.MatrixSymbol("W", d, k), sympy.MatrixSymbol("Y", n, k)
    models = {
        1: ((x.T * a * x), x),
        3: (sympy.Trace(left * big * right), big),
        4: (sympy.Trace(big.T * square * big), big),
        5: ((data * w - y).T * (data * w - y), w),
        6: (sympy.Trace((data * weights - targets).T * (data * weights - targets)), weights),
    }
    return {str(k): min(seconds(lambda f=f, by=by: sympy.diff(f, by))[0] for _ in range(REPEATS))
            for k, (f, by) in models.items()}  # fmt: skip


def show(results: dict[str, Any]) -> None:
    """Print the results as tables."""
    console = Console()
    table = Table("layers", "derive s", "check s", "sheet s", "total s", "ms a layer", "MB", title="Depth")
    for count, row in results["depth"].items():
        cells = [row["derive_s"], row["check_s"], row["sheet_s"], row["total_s"]]
        table.add_row(count, *(f"{c:.2f}" for c in cells), f"{1e3 * row['total_s'] / int(count):.1f}",
                      f"{row['grown_mb']:.0f}")  # fmt: skip
    console.print(table)
    table = Table("model", "derive ms", "check ms", "claim ms", "slowest ms", "SymPy's diff ms", title="Forty models")
    for name, row in results["forty"].items():
        peer = results["sympy"].get(name.split()[0])
        table.add_row(name, *(f"{1e3 * value:.1f}" for value in row.values()), f"{1e3 * peer:.1f}" if peer else "")
    console.print(table)
    claims = [row["claim_s"] for row in results["forty"].values()]
    console.print(f"median of a claim: {1e3 * statistics.median(claims):.1f} ms")


@click.command()
@click.option("--quick", is_flag=True, help="Only 5, 25 and 100 layers.")
@click.option("--json", "path", type=click.Path(dir_okay=False, path_type=Path), help="Write the figures here too.")
def main(quick: bool, path: Path | None) -> None:
    """Measure deriving, checking, judging and typesetting. Example: python -m benchmarks.derivation --quick"""
    results = {
        "machine": {"python": platform.python_version(), "sympy": sympy.__version__, "machine": platform.machine()},
        "depth": depths(QUICK if quick else LAYERS), "forty": forty(), "sympy": peers(),
    }  # fmt: skip
    show(results)
    if path is not None:
        path.write_text(json.dumps(results, indent=1), encoding="utf-8")


if __name__ == "__main__":
    main()
