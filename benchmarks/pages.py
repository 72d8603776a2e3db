"""A workload as a page, which is what a process without SymPy can start from."""

from __future__ import annotations

from benchmarks.workloads import Workload

FUNCTIONS = {"relu": r"\operatorname{ReLU}", "tanh": r"\tanh", "sigmoid": r"\sigma"}


def mlp(workload: Workload) -> str:
    """Return a perceptron with a softmax as Markdown, one sample a time."""
    widths, act = workload.options["widths"], FUNCTIONS[workload.options["act"]]
    last = len(widths) - 1
    names = ["n", *(f"h_{k}" for k in range(1, last)), "k"]
    shapes = [rf"$W^{{[{k}]}} \in \mathbb{{R}}^{{{names[k]} \times {names[k - 1]}}}$" for k in range(1, last + 1)]
    lines = [f"# Workload {workload.name}", rf"Given are $x \in \mathbb{{R}}^n$ and {', '.join(shapes)}."]
    for k in range(1, last + 1):
        before = "x" if k == 1 else f"a^{{[{k - 1}]}}"
        lines.append(f"$$ z^{{[{k}]}} = W^{{[{k}]}} {before} + b^{{[{k}]}} $$")
        lines += [f"$$ a^{{[{k}]}} = {act}(z^{{[{k}]}}) $$"] if k < last else []
    lines += [rf"$$ \hat{{y}} = \operatorname{{softmax}}(z^{{[{last}]}}) $$", r"$$ L = -\sum_j y_j \log(\hat{y}_j) $$"]
    return "\n\n".join(lines) + "\n"
