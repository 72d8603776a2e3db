"""Models and derivations as Python users hold them."""

from __future__ import annotations

import os
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

from derive import derivation as record
from derive.errors import DeriveError, ModelError
from derive.expr import Node, Var
from derive.model import Definition, Network, ordered
from derive.printer import equation_latex
from derive.read.infer import name_pre_activations, with_parameters, with_target_domains
from derive.read.latex import read_formula
from derive.read.outline import Equation, Place
from derive.read.syntax import Relation
from derive.sheet.compose import Part, compose
from derive.sheet.document import Document
from derive.sheet.html import to_html
from derive.sheet.markdown import to_markdown
from derive.sheet.plain import to_text
from derive.sheet.write import save_document
from derive.verify.bench import bench_for
from derive.verify.claims import judge_claim
from derive.verify.judge import Verdict
from derive.workbook import Workbook, derive_network


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

    def define(self, name: str | Var, value: Node) -> Var:
        """Add `name = value` and return the name, to be used in further equations.

        Raises:
            TypeError: the value is no expression.
        """
        if not isinstance(value, Node):
            raise TypeError(
                f"{name}: the value is a {type(value).__name__}; give an expression of vectors and matrices"
            )
        variable = name if isinstance(name, Var) else Var(name, value.shape)
        self._definitions.append(Definition(variable, value))
        return variable

    def train(self, *parameters: Var) -> None:
        """Say which free variables are parameters; without it, those whose letters are not usual for data."""
        self._parameters = parameters

    def network(self) -> Network:
        """Return the model as the deriver takes it; the loss is the last scalar defined."""
        if self._read is not None:
            return self._read
        loss = self._loss or next((d.name for d in reversed(self._definitions) if not d.name.shape), None)
        network = Network(self.title, ordered(self._definitions), loss, self._parameters)
        return name_pre_activations(with_parameters(with_target_domains(network)[0]))

    def gradients(self, loss: str | Var | None = None) -> Derivation:
        """Derive every gradient of a scalar, each step checked; the loss of the model if None.

        Raises:
            ModelError: there is no such scalar.
        """
        network = self.network()
        if loss is not None:
            latex = loss if isinstance(loss, str) else loss.latex
            found = next((d.name for d in network.definitions if d.name.latex == latex), None)
            if found is None:
                names = ", ".join(d.name.latex for d in network.definitions)
                raise ModelError(f"{self.title} defines no {latex}; it defines {names}")
            network = replace(network, loss=found)
        derived = derive_network(network)
        values = {f.name: getattr(derived, f.name) for f in fields(record.Derivation)}
        return Derivation(**values, network=network)

    def __str__(self) -> str:
        equations = "; ".join(equation_latex(d.name, d.value) for d in self._definitions)
        return f"{self.title}: {equations}"

    def _repr_latex_(self) -> str:
        rows = r" \\ ".join(
            f"{d.name.latex} &= {equation_latex(d.name, d.value).split(' = ', 1)[1]}" for d in self._definitions
        )
        return rf"$$\begin{{aligned}} {rows} \end{{aligned}}$$"


@dataclass(frozen=True, slots=True)
class Derivation(record.Derivation):
    """The record of a derived model, with what one does with it: save the sheet, check a formula."""

    network: Network | None = None

    def document(self) -> Document:
        """Return the sheet as a document."""
        return compose(self.title, [Part(self)])

    def save(self, path: str | os.PathLike[str]) -> Path:
        """Write the sheet; the format follows the ending: .html, .pdf, .tex, .md, .ipynb, .txt.

        Raises:
            DeriveError: the ending is unknown, or the file cannot be written.
        """
        return save_document(self.document(), Path(path))

    def check(self, claim: str) -> Verdict:
        r"""Judge an equation in LaTeX, such as `\frac{\partial L}{\partial W} = \delta x^T`.

        Raises:
            UnreadError: the LaTeX is no equation that can be read.
        """
        node = read_formula(claim)
        if not isinstance(node, Relation) or len(node.links) != 2 or node.signs != ("=",):
            raise DeriveError(f"{claim} is no single equation; give one of the form left = right")
        assert self.network is not None
        place = Place((self.title,), 0, "", 1, 1)
        return judge_claim(Equation(node.links[0], node.links[1], claim, place), bench_for(self.network))

    def __str__(self) -> str:
        return to_text(self.document())

    def _repr_mimebundle_(self, **_: Any) -> dict[str, str]:
        document = self.document()
        return {"text/html": to_html(document), "text/markdown": to_markdown(document), "text/plain": to_text(document)}
