"""The record that everything else reads: equations, each with the steps that led to it. Frozen data, no behaviour."""

from __future__ import annotations

from dataclasses import dataclass

from derive.expr import Node, Var


@dataclass(frozen=True, slots=True)
class Check:
    """What something other than the deriver says of a step or an equation.

    `outcome` is a verdict's word (`proved`, `verified`, `refuted`, `undecided`), `method` how it was found.
    """

    outcome: str
    method: str


@dataclass(frozen=True, slots=True)
class Step:
    """One line of a derivation: by `rule`, `before` equals `after`.

    `because` is the rule as a formula in LaTeX, `source` where it is from (a key of SOURCES.md).
    """

    rule: str
    before: Node
    after: Node
    because: str = ""
    source: str = ""
    assumptions: tuple[str, ...] = ()
    check: Check | None = None


@dataclass(frozen=True, slots=True)
class Equation:
    """`name = value`, numbered; shapes are those of `name`.

    `role` is `definition`, `loss`, `cotangent`, `gradient` or `update`; of a second-order record's last equation
    `jacobian`, `hessian`, `product` (Hessian times a direction) or `directional`. `of` is the variable that a
    cotangent, a gradient, an update or a derivative belongs to.
    """

    id: str
    name: Var
    value: Node
    role: str
    of: Var | None = None
    steps: tuple[Step, ...] = ()
    check: Check | None = None


@dataclass(frozen=True, slots=True)
class Derivation:
    """A model's equations, forward, backward and updates, in the order in which they are computed.

    Attributes:
        title: What the model is called.
        equations: All equations; a name is defined before it is used.
        loss: The scalar that is differentiated; None where any loss downstream will do.
        parameters: What is trained.
        data: What is given: inputs and targets.
        seeds: Cotangents of the outputs, given where there is no loss.
        assumptions: What is taken for granted, in words.
        samples: The number of samples where the columns are samples, else None.
        batch: The same model over a mini-batch, one sample a column, with the mean of the losses.
    """

    title: str
    equations: tuple[Equation, ...]
    loss: Var | None
    parameters: tuple[Var, ...]
    data: tuple[Var, ...]
    seeds: tuple[Var, ...] = ()
    assumptions: tuple[str, ...] = ()
    samples: object | None = None
    batch: Derivation | None = None
