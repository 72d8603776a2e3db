"""Models and derivations as Python users hold them."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any

import sympy

from derive import derivation as record
from derive import recurrence
from derive.claims.bench import bench_of_record
from derive.claims.in_model import judge_claim
from derive.claims.induction import judge_recurrence
from derive.errors import DeriveError, ModelError
from derive.expr import Apply, Node, Var, walk
from derive.generalise import generalised
from derive.handwritten.judge import JudgedGradient, judge_function
from derive.handwritten.message import explanation
from derive.handwritten.readings import Options
from derive.interop import from_sympy, to_sympy
from derive.jacobian import derive_directional, derive_hessian, derive_hessian_product, derive_jacobian
from derive.meaning.infer import name_pre_activations, with_parameters
from derive.meaning.outline import Equation, Place
from derive.meaning.targets import with_target_domains
from derive.model import Definition, Network, free_variables, ordered
from derive.notation import code_name
from derive.printer import equation_latex
from derive.read.latex import read_formula
from derive.read.syntax import Relation
from derive.sheet.compose import Part, compose
from derive.sheet.document import Document
from derive.sheet.html import to_html
from derive.sheet.markdown import to_markdown
from derive.sheet.plain import to_text
from derive.sheet.write import save_document
from derive.stable.forms import StableForm
from derive.verify.judge import GOOD, Verdict
from derive.verify.limits import within_limits
from derive.verify.steps import SECOND, checked
from derive.workbook import Workbook, derive_network, derive_recurrence


class Model:
    """Named equations in the order of computation.

    >>> from derive import matrix, sigmoid, vector
    >>> model = Model("One layer")
    >>> z = model.define("z", matrix("W", "h", "n") @ vector("x", "n") + vector("b", "h"))
    >>> a = model.define("a", sigmoid(z))
    >>> print(model)
    One layer: z = W x + b; a = \\sigma(z)
    """

    def __init__(self, title: str = "Model") -> None:
        self.title = title
        self._definitions: list[Definition] = []
        self._parameters: tuple[Var, ...] | None = None
        self._loss: Var | None = None
        self._read: Network | None = None

    @classmethod
    def read(cls, path: str | os.PathLike[str], section: str | None = None) -> Model:
        """Read a page: its last model, or the last under a heading that holds `section`.

        Raises:
            DeriveError: the page has no such model, or cannot be read.
        """
        book = Workbook(path, section)
        try:
            chosen = book.trainable()
        except DeriveError:
            chosen = book.sections[-1]
        model = cls(chosen.title)
        model._read = chosen.network
        model._loss = chosen.network.loss
        model._definitions = list(chosen.network.definitions)
        return model

    def define(self, name: str | Var, value: Node | sympy.Basic) -> Var:
        """Add `name = value` and return the name, to be used in further equations.

        Args:
            name: What it is called.
            value: An expression of ours, or of SymPy; in SymPy's, a symbol of the same name and shape is the name.
        Raises:
            TypeError: the value is no expression.
            DeriveError: a part of a SymPy expression has no counterpart here.
        """
        if not isinstance(value, sympy.Basic):
            raise TypeError(
                f"{name}: the value is a {type(value).__name__}; give an expression of vectors and matrices"
            )
        value = value if isinstance(value, Node) else from_sympy(value)
        variable = name if isinstance(name, Var) else Var(name, value.shape)
        self._definitions.append(Definition(variable, value))
        if not variable.shape:
            self._loss = None  # the last scalar defined, from here on
        return variable

    @classmethod
    def from_sympy(
        cls, equations: Iterable[tuple[sympy.Symbol, sympy.Expr]], parameters: Iterable[sympy.Symbol] = (),
        title: str = "Model",
    ) -> Model:  # fmt: skip
        """Make a model of scalar formulas, every neuron one; what occurs in several places is computed once.

        Args:
            equations: Pairs of a symbol and its formula, in the order of computation; the last is the loss.
            parameters: What is trained; empty: the letters that are not usual for data.
            title: What the model is called.
        """
        pairs = list(equations)
        shared, formulas = sympy.cse([formula for _, formula in pairs], symbols=sympy.numbered_symbols("v_", start=1))
        model = cls(title)
        waiting = [*shared, *((symbol, formula) for (symbol, _), formula in zip(pairs, formulas, strict=True))]
        values = {Var(symbol.name): from_sympy(formula) for symbol, formula in waiting}
        for item in ordered(Definition(name, value) for name, value in values.items()):
            model._definitions.append(item)
        model._loss = Var(pairs[-1][0].name)
        if names := tuple(Var(symbol.name) for symbol in parameters):
            model.train(*names)
        return model

    def train(self, *parameters: str | Var | sympy.Symbol | sympy.MatrixSymbol) -> None:
        """Say which free variables are parameters; without it, those whose letters are not usual for data.

        Args:
            parameters: The variables, or how they are written.
        Raises:
            ModelError: a text names no free variable.
        """
        free = {v.latex: v for v in free_variables(self._network())}
        named = [self._one_of(free, p, "has no free variable") if isinstance(p, str) else p for p in parameters]
        names = (p if isinstance(p, Var) else from_sympy(p) for p in named)
        self._parameters = tuple(name for name in names if isinstance(name, Var))

    def network(self) -> Network:
        """Return the model as the deriver takes it; the loss is the last scalar defined, of a page as it was read."""
        network = self._network()
        if self._read is not None:
            return network
        return name_pre_activations(with_parameters(with_target_domains(network)[0]))

    def _network(self) -> Network:
        """Return what is defined: on top of the page, if one was read."""
        loss = self._loss or next((d.name for d in reversed(self._definitions) if not d.name.shape), None)
        base = self._read or Network(self.title, ())
        parameters = self._parameters or base.parameters
        return replace(base, definitions=ordered(self._definitions), loss=loss, parameters=parameters)

    def jacobian(self, of: str | Var, by: str | Var) -> Derivation:
        """Derive the Jacobian of a name by a free variable: the axes of the name, then those of the variable."""
        network = self.network()
        names = (self._defined(of, network), self._free(by, network))
        return self._second(network, derive_jacobian, *names)

    def hessian(self, by: str | Var, loss: str | Var | None = None) -> Derivation:
        """Derive the matrix of second derivatives of the loss by a free variable."""
        network = self._ending(loss)
        return self._second(network, derive_hessian, self._free(by, network))

    def hessian_product(self, by: str | Var, direction: str = "v", loss: str | Var | None = None) -> Derivation:
        """Derive the product of the Hessian by a free variable and a direction, without the Hessian itself."""
        network = self._ending(loss)
        return self._second(network, derive_hessian_product, self._free(by, network), direction)

    def directional(self, by: str | Var, direction: str = "v", loss: str | Var | None = None) -> Derivation:
        """Derive the derivative of the loss in a direction of the shape of a free variable."""
        network = self._ending(loss)
        return self._second(network, derive_directional, self._free(by, network), direction)

    def _second(self, network: Network, derive: Callable[..., record.Derivation], *given: Var | str) -> Derivation:
        """Derive and check with symbols for the sizes, and put the numbers back."""
        general = generalised(network)
        own = network if general is None else general.network
        named = (name if general is None or isinstance(name, str) else general.name(name) for name in given)
        done = checked(own, derive(own, *named))
        shown = done if general is None else general.restore(done, network)
        values = {f.name: getattr(shown, f.name) for f in fields(record.Derivation)}
        return Derivation(**values, network=network, general=done)

    def _ending(self, loss: str | Var | None) -> Network:
        """Return the network with the given loss; raises ModelError where there is no such scalar."""
        network = self.network()
        return network if loss is None else replace(network, loss=self._defined(loss, network))

    def _defined(self, name: str | Var, network: Network) -> Var:
        found = {item.name.latex: item.name for item in network.definitions}
        return self._one_of(found, name, "defines no")

    def _free(self, name: str | Var, network: Network) -> Var:
        return self._one_of({v.latex: v for v in free_variables(network)}, name, "has no free variable")

    def _one_of(self, found: dict[str, Var], name: str | Var, verb: str) -> Var:
        r"""Return the variable that a text means: `w_1` is w_{1}, too."""
        latex = name if isinstance(name, str) else name.latex
        match = found.get(latex) or next((v for key, v in found.items() if code_name(key) == code_name(latex)), None)
        if match is None:
            raise ModelError(f"{self.title} {verb} {latex}; there are {', '.join(found) or 'none'}")
        return match

    def gradients(self, loss: str | Var | None = None) -> Derivation:
        """Derive every gradient of a scalar, each step checked; the loss of the model if None.

        Raises:
            ModelError: there is no such scalar.
        """
        return _with_network(self._ending(loss))

    def __str__(self) -> str:
        equations = "; ".join(equation_latex(d.name, d.value) for d in self._definitions)
        return f"{self.title}: {equations}"

    def _repr_latex_(self) -> str:
        rows = r" \\ ".join(
            f"{d.name.latex} &= {equation_latex(d.name, d.value).split(' = ', 1)[1]}" for d in self._definitions
        )
        return rf"$$\begin{{aligned}} {rows} \end{{aligned}}$$"


def derivation_of(path: str | os.PathLike[str], section: str | None = None) -> Derivation:
    """Return the gradients of a source: of a page's last model, or of the model that a Python file defines.

    Raises:
        DeriveError: there is no such model, or the source cannot be read.
    """
    if ".py" not in Path(path).name:
        return Model.read(path, section).gradients()
    own = Workbook(path, section).sections[0]
    if own.recurrence is not None:
        return Recurrence.gradients(own.recurrence)  # type: ignore[arg-type]
    return _with_network(own.network)


def _with_network(network: Network) -> Derivation:
    derived = derive_network(network)
    return Derivation(**{f.name: getattr(derived, f.name) for f in fields(record.Derivation)}, network=network)


class Recurrence(recurrence.Recurrence):
    """Layers or time steps of which there are symbolically many; the recursion is derived once."""

    def gradients(self) -> Derivation:
        """Derive the recursion and the gradients, each step checked.

        Raises:
            ModelError: there is no loss, or the body does not define what it hands on.
        """
        done = derive_recurrence(self)
        return Derivation(**{f.name: getattr(done, f.name) for f in fields(record.Derivation)}, recurrence=self)


@dataclass(frozen=True, slots=True)
class Derivation(record.Derivation):
    """The record of a derived model, with what one does with it: save the sheet, check a formula."""

    network: Network | None = None
    recurrence: Recurrence | None = None
    general: record.Derivation | None = field(default=None, repr=False, compare=False)  # with symbols for sizes

    def document(self, stable: tuple[StableForm, ...] | None = None) -> Document:
        """Return the sheet as a document, with the stable forms that are given, as `codegen.stable_forms` has them."""
        return compose(self.title, [Part(self, forms=stable)])

    def save(self, path: str | os.PathLike[str], stable: tuple[StableForm, ...] | None = None) -> Path:
        """Write the sheet; the format follows the ending: .html, .pdf, .tex, .md, .ipynb, .txt.

        Args:
            path: Where.
            stable: What `codegen.stable_forms` says of the record, to be shown too.
        Raises:
            DeriveError: the ending is unknown, or the file cannot be written.
        """
        return save_document(self.document(stable), Path(path))

    def check(self, claim: str) -> Verdict:
        r"""Judge an equation in LaTeX, such as `\frac{\partial L}{\partial W} = \delta x^T`, within limits.

        Raises:
            UnreadError: the LaTeX is no equation that can be read.
        """
        node = read_formula(claim, self._functions())
        if not isinstance(node, Relation) or len(node.links) != 2 or node.signs != ("=",):
            raise DeriveError(f"{claim} is no single equation; give one of the form left = right")
        written = Equation(node.links[0], node.links[1], claim, Place((self.title,), 0, "", 1, 1))
        network, chain = self.network, self.recurrence
        if chain is not None:
            return within_limits(lambda: judge_recurrence(written, chain, self))
        assert network is not None
        return within_limits(lambda: judge_claim(written, bench_of_record(network, self.general or self)))

    def judge_code(
        self, function: Any, *, wrt: str | Sequence[str] | None = None, names: Mapping[str, Any] | None = None,
        args: Sequence[str] | None = None, samples: str | None = None, sizes: Mapping[str, int] | None = None,
        tolerance: float | None = None,
    ) -> list[JudgedGradient]:  # fmt: skip
        """Judge a backward function written by hand: a verdict on each gradient that it returns.

        Args:
            function: A function of the model's values and cotangents by name (`W1` is W^{[1]}, `dZ1` its cotangent,
                `grad_output` that of the output), a torch.autograd.Function, or a JAX function with custom_vjp.
            wrt: By what the gradients are, in the order in which it returns them; of a dict, those to be judged.
            names: What words of the code stand for: `{"w": "W^{[1]}", "cache": ("x", "W")}`.
            args: What its parameters stand for, in order, where it has no names for them.
            samples: `one`, `columns` or `rows`: what it computes with; None: whatever fits.
            sizes: Sizes that it insists on, by name.
            tolerance: A relative tolerance in place of what rounding explains.
        Raises:
            DeriveError: a parameter, or what it returns, has no meaning in the model.
        """
        if self.network is None or any(e.role in SECOND for e in self.equations):
            raise DeriveError(
                f"{self.title}: code is judged against the gradients of a model with a fixed number of steps; "
                "write what the function computes as a Model, and take its gradients()"
            )
        one = (wrt,) if isinstance(wrt, str) else wrt
        options = Options(
            None if one is None else tuple(one), names, None if args is None else tuple(args), samples, sizes, tolerance
        )  # fmt: skip
        return judge_function(self.network, function, options)

    def assert_matches(self, function: Any, **options: Any) -> dict[str, Verdict]:
        """Raise an AssertionError that says what is wrong, unless a backward function returns the derived gradients.

        Args:
            function: As for `judge_code`.
            options: The same.
        Returns:
            The verdict on each gradient, by the word under which it is returned.
        Raises:
            AssertionError: a gradient is wrong or could not be judged, or an input was written to.
            DeriveError: a parameter, or what it returns, has no meaning in the model.
        """
        judged = self.judge_code(function, **options)
        if any(item.claim.verdict.verdict not in GOOD for item in judged):
            raise AssertionError(explanation(judged))
        return {item.word: item.claim.verdict for item in judged}

    def _functions(self) -> set[str]:
        """Return the names of the arbitrary functions of the model, which a claim may apply."""
        parts = (part for e in self.equations if e.role in ("definition", "loss") for part in walk(e.value))
        return {str(p.params[1]) for p in parts if isinstance(p, Apply) and p.op.prime and p.op.body is None}

    def to_sympy(self, name: str | Var | None = None) -> Any:
        """Return the right side of an equation as SymPy's: of a name or of the gradient by it; the last one if None.

        Raises:
            ModelError: the record has no such name.
            DeriveError: SymPy has no form of an operation in it.
        """
        backward = [e for e in self.equations if e.role != "update"]
        if name is None:
            return to_sympy(backward[-1].value)
        latex = name if isinstance(name, str) else name.latex
        gradients = {e.of.latex: e.value for e in backward if e.of is not None}
        values = {**gradients, **{e.name.latex: e.value for e in backward}}
        if latex not in values:
            raise ModelError(f"{self.title} has no equation for {latex}; it has {', '.join(values)}")
        return to_sympy(values[latex])

    def __str__(self) -> str:
        return to_text(self.document())

    def _repr_mimebundle_(self, **_: Any) -> dict[str, str]:
        document = self.document()
        return {"text/html": to_html(document), "text/markdown": to_markdown(document), "text/plain": to_text(document)}
