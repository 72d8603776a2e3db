"""Derivations that a textbook prints: normalisation, attention, second order, recurrent nets; and claims about them.

You will see: which formulas hold and which do not, with the error named, and a sheet of all derivations for each
model in the folder given. At the end SymPy, which shares no code with the derivation, differentiates the same
functions entry by entry at small sizes, and both must agree.

    python examples/textbook.py --out out
"""

from __future__ import annotations

from pathlib import Path

import click
import sympy

from derive import (
    Derivation,
    Model,
    Recurrence,
    matrix,
    mean,
    norm,
    ones,
    scalar,
    softmax,
    sqrt,
    tanh,
    total,
    vector,
)
from derive.expr import Const
from derive.shapes import size


def layer_norm() -> Derivation:
    """X̂ = (X - μ 1ᵀ) / (s 1ᵀ), one sample a row, with any cotangent G from above."""
    X, G, eps, d = matrix("X", "n", "d"), matrix("G", "n", "d"), scalar(r"\epsilon", "positive"), size("d")
    model = Model("Layer normalisation")
    mu = model.define(r"\mu", mean(X, 1))
    C = model.define("C", X - mu @ ones(d).T)
    s = model.define("s", sqrt(mean(C**2, 1) + eps))
    hat = model.define(r"\hat{X}", C / (s @ ones(d).T))
    model.define("L", total(G * hat))
    model.train(X)
    return model.gradients()


def attention() -> Derivation:
    """O = softmax(Q Kᵀ / √d) V, with any cotangent G from above."""
    Q, K, V, G = matrix("Q", "n", "d"), matrix("K", "m", "d"), matrix("V", "m", "v"), matrix("G", "n", "v")
    model = Model("Attention")
    S = model.define("S", (Q @ K.T) / Const(sympy.sqrt(size("d"))))
    P = model.define("P", softmax(S, 1))
    O = model.define("O", P @ V)  # noqa: E741  # the usual letter
    model.define("L", total(G * O))
    model.train(Q, K, V)
    return model.gradients()


def recurrent() -> Derivation:
    """h_t = tanh(W h_{t-1} + U x_t) for t = 1, …, T, with a loss on the last state."""
    net = Recurrence("Back-propagation through time", letter="t", last="T")
    before = net.carry("h_{t-1}", "h_t", ("h",))
    z = net.define("z_t", matrix("W", "h", "h") @ before + matrix("U", "h", "d") @ vector("x_t", "d"))
    net.define("h_t", tanh(z))
    net.conclude("L", total((net.final("h_T") - vector("y", "h")) ** 2))
    return net.gradients()


def ridge() -> Model:
    """½ ‖X w - y‖² + λ/2 ‖w‖²."""
    model, w = Model("Ridge regression"), vector("w", "d")
    r = model.define("r", matrix("X", "n", "d") @ w - vector("y", "n"))
    model.define("f", norm(r) ** 2 / 2 + scalar(r"\lambda") / 2 * norm(w) ** 2)
    model.train(w)
    return model


CLAIMS = {
    "Layer normalisation": (
        r"\frac{\partial L}{\partial X} = \left(G - \frac{1}{d} G \mathbf{1} \mathbf{1}^T - \frac{1}{d} \hat{X} \circ "
        r"((G \circ \hat{X}) \mathbf{1} \mathbf{1}^T)\right) \oslash (s \mathbf{1}^T)",
        r"\frac{\partial L}{\partial X} = G \oslash (s \mathbf{1}^T)",
    ),
    "Attention": (
        r"\frac{\partial L}{\partial V} = P^T G",
        r"\frac{\partial L}{\partial Q} = \frac{1}{\sqrt{d}} (P \circ G V^T) K",
    ),
    "Back-propagation through time": (
        r"\frac{\partial L}{\partial W} = \sum_{t=1}^{T} \delta_t h_{t-1}^T",
        r"\delta_t = W \delta_{t+1} \circ \tanh'(z_t)",
    ),
}


def judge(record: Derivation) -> None:
    """Print what becomes of each claim about a model."""
    for claim in CLAIMS[record.title]:
        verdict = record.check(claim)
        print(f"{record.title}: {verdict.verdict}: {claim}")
        if verdict.diagnosis is not None:
            print(f"    {verdict.diagnosis.kind}: {verdict.diagnosis.text}")


def agree_with_sympy() -> bool:
    """Compare the ridge regression's gradient and Hessian with SymPy's derivatives of the sum written out."""
    n, d = 3, 2
    X = sympy.Matrix(n, d, sympy.symbols(f"X:{n * d}"))
    w, y, lam = sympy.Matrix(sympy.symbols(f"w:{d}")), sympy.Matrix(sympy.symbols(f"y:{n}")), sympy.Symbol("lam")
    residual = X * w - y
    function = (residual.T * residual)[0] / 2 + lam * (w.T * w)[0] / 2
    sizes = {size("n"): n, size("d"): d}
    names = {"X": X, "w": w, "y": y, "r": residual, r"\lambda": lam}

    def explicit(expression: sympy.Expr) -> sympy.Matrix:
        symbols = {s for s in expression.subs(sizes).atoms(sympy.MatrixSymbol, sympy.Symbol) if s.name in names}
        return expression.subs(sizes).subs({s: names[s.name] for s in symbols}).doit().as_explicit()

    model = ridge()
    record = model.gradients()
    residual_bar = explicit(record.to_sympy("r"))
    names[next(e.name.latex for e in record.equations if e.of is not None and e.of.latex == "r")] = residual_bar
    gradient = explicit(record.to_sympy("w")) - sympy.Matrix([function.diff(entry) for entry in w])
    hessian = explicit(model.hessian("w").to_sympy()) - sympy.hessian(function, list(w))
    return all(sympy.expand(entry) == 0 for entry in (*gradient, *hessian))


@click.command()
@click.option("--out", type=click.Path(file_okay=False, path_type=Path), default=Path("out"), help="Where sheets go.")
def main(out: Path) -> None:
    """Write the sheets, judge the claims, compare with SymPy. Example: python examples/textbook.py --out out"""
    out.mkdir(parents=True, exist_ok=True)
    for record in (layer_norm(), attention(), recurrent()):
        print("wrote", record.save(out / f"{record.title.lower().replace(' ', '_')}.html"))
        judge(record)
    print("wrote", ridge().hessian("w").save(out / "ridge_hessian.html"))
    if not agree_with_sympy():
        raise SystemExit("the derivatives differ from SymPy's")
    print("gradient and Hessian agree with SymPy's derivatives of every entry")


if __name__ == "__main__":
    main()
