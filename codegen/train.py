r"""Training: compile a record, bind arrays to its symbols, take steps. The loop over epochs stands in `fit`."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from codegen.binding import Binder
from codegen.bound import Bound
from codegen.engines import ENGINES, Engine
from codegen.errors import CodegenError, NonFiniteError
from codegen.init import initial_parameters, initial_states
from codegen.names import file_name, model_names
from codegen.optimizers import find_optimizer, with_optimizer
from codegen.prediction import predicted, targets
from codegen.program import BATCH, Program
from codegen.rates import Rates
from codegen.record import batch_form, decay_note, lowered
from codegen.schedules import Plan, resolve_schedule
from codegen.settings import Settings, whole_number
from codegen.sizes import Sizes, resolve_sizes
from codegen.stepping import Call, Clock, Task, bound_step
from codegen.trace import first_not_finite
from derive.derivation import Derivation
from derive.expr import Var

Array = npt.NDArray[Any]
PATIENCE = 0.1  # seconds in one call of compiled code: Ctrl-C waits no longer


def compile(  # codegen.compile, as the README has it
    derivation: Derivation,
    target: str = "c",
    batch: int = 64,
    dtype: str = "float32",
    optimizer: str = "sgd",
    lr: float = 0.01,
    sizes: Mapping[str, int] | None = None,
    seed: int = 0,
    lr_schedule: str = "constant",
    weight_decay: float = 0.0,
    profile: str = "fast",
) -> Trainer:
    """Prepare the training of a model; it is compiled once `bind` knows the data's sizes.

    Args:
        derivation: Of one sample, or of a mini-batch.
        target: `c` or `numpy`.
        batch: Samples in a mini-batch; the last of an epoch may be smaller.
        dtype: `float32` or `float64`.
        optimizer: `sgd`, `momentum` or `adam`.
        lr: Learning rate.
        sizes: Sizes that the data do not fix, `{"h": 32}`; others become 16 and are noted in `Trainer.notes`.
        seed: Of the parameters' start, and of shuffling.
        lr_schedule: `constant`, `step`, `exponential`, `linear` or `cosine`, with numbers as in
            `cosine:warmup=100,end=0.1`; lengths are in steps, or in epochs as in `step:every=10epochs,factor=0.5`.
        weight_decay: Decoupled from the gradient: a step takes the learning rate times this share off every
            parameter that is not only added, as biases are.
    Raises:
        CodegenError: a setting is unknown or out of range, or the model has no form for mini-batches.
    """
    if target not in ENGINES:
        raise CodegenError(f"target: met {target}; expected one of {', '.join(ENGINES)}")
    settings = Settings(target, batch, dtype, optimizer, lr, sizes, seed, lr_schedule, weight_decay, profile)
    return Trainer(derivation, settings)


class Trainer:
    """A model being trained.

    Attributes:
        record: Its equations over a mini-batch.
        params: Name to array, live: what is written here is what the next step uses.
        state: The optimiser's memory, name to array.
        steps: How many steps were taken.
        rows: How many samples are bound.
        planned: How many steps the schedule is made for, from step `started`; None where nobody said.
        notes: What was assumed or converted, for the user.
    """

    def __init__(self, derivation: Derivation, settings: Settings) -> None:
        self.source, self.record, self.settings = derivation, batch_form(derivation), settings
        self.params: dict[str, Array] = {}
        self.state: dict[str, Array] = {}
        self.data: dict[str, Array] = {}
        self.clock, self.rows = Clock(), 0
        self.planned: int | None = None
        self.started = 0
        self.mixed: tuple[int, dict[str, Array]] = (-1, {})  # an epoch, and the data in its order
        self.chunk = 16  # steps in one call of compiled code; adapts to `PATIENCE`
        self.notes: tuple[str, ...] = ()
        self.shuffle = False
        self.bindings: Mapping[str, str] | None = None
        self.names = model_names(with_optimizer(self.record, settings.optimizer))
        self.binder = Binder(derivation, self.record, self.names, settings.dtype)
        self.sizes: Sizes | None = None
        self.bound: _Compiled | None = None

    @property
    def steps(self) -> int:
        """How many steps were taken; bound steps are counted too."""
        return self.clock.longs[0]

    @steps.setter
    def steps(self, number: int) -> None:
        """Count from here."""
        self.clock.longs[0] = number

    @property
    def position(self) -> int:
        """Which mini-batch comes next, counted from 0 since the data were bound."""
        return self.clock.longs[1]

    @position.setter
    def position(self, number: int) -> None:
        """Go on from here."""
        self.clock.longs[1] = number

    # ---- data ----------------------------------------------------------------------------------------------

    def bind(self, *, shuffle: bool = False, bindings: Mapping[str, str] | None = None, **arrays: Any) -> Trainer:
        """Give the model its data: arrays with one row a sample, by symbol or by name in code.

        Args:
            shuffle: Draw a new order of the samples for every epoch; else mini-batches come in order.
            bindings: Symbol to array name, where names differ.
            arrays: Name to array; whole numbers bound to a vector are class labels.
        Raises:
            DeriveError: a symbol has no array, or shapes disagree.
        """
        self.data, notes = self.fitted({name: np.asarray(array) for name, array in arrays.items()}, bindings)
        shapes = {v: self.binder.sheet_shape(v, self.data[self.names[v]]) for v in self.record.data}
        sizes = resolve_sizes(self.record, self.settings.sizes, shapes)
        if self.sizes is None or sizes.numbers != self.sizes.numbers:
            self.sizes = sizes
            self.build()
        self.shuffle, self.bindings, self.position, self.mixed = shuffle, bindings, 0, (-1, {})
        self.rows = next(len(self.data[v.name]) for v in self.program.of_role("data") if BATCH in v.sizes)
        assumed = [
            f"{name} = {sizes.named()[name]}: nothing fixes this size; set it with sizes=" for name in sizes.assumed
        ]
        self.notes = (
            *notes,
            *assumed,
            *decay_note(self.record, sizes, self.settings.dtype, self.settings.weight_decay),
        )
        return self

    def fitted(
        self, arrays: Mapping[str, Array], bindings: Mapping[str, str] | None = None, only: Sequence[Var] | None = None
    ) -> tuple[dict[str, Array], tuple[str, ...]]:
        """Return arrays by their names in code, in the model's type, and what was done to make them fit."""
        return self.binder.fit(arrays, bindings, self.sizes, only)

    # ---- compiling -----------------------------------------------------------------------------------------

    def build(self, sizes: Sizes | None = None) -> None:
        """Compile for the sizes, and draw the parameters."""
        self.sizes = sizes if sizes is not None else self.sizes
        assert self.sizes is not None
        settings = self.settings
        program = lowered(self.record, self.sizes, settings.dtype, settings.optimizer, settings.weight_decay)
        output = predicted(self.record)
        name = None if output is None else self.names[output]
        title = file_name(self.record.title)
        engine = ENGINES[settings.target](program, title, name, settings.batch, settings.profile == "exact")
        rates = [value.latex for value in program.of_role("rate")]
        self.bound = _Compiled(program, engine, name, Rates(find_optimizer(settings.optimizer), rates, settings.dtype))
        self.params = initial_parameters(program, settings.seed)
        self.state = initial_states(program)
        self.steps = self.position = self.started = 0

    @property
    def compiled(self) -> _Compiled:
        """The compiled model.

        Raises:
            CodegenError: no data were bound yet.
        """
        if self.bound is None:
            raise CodegenError(f"{self.record.title}: no data yet; call bind(x=…, y=…) first")
        return self.bound

    @property
    def program(self) -> Program:
        """The program that was compiled."""
        return self.compiled.program

    @property
    def code(self) -> str:
        """The generated source."""
        return self.compiled.engine.source

    # ---- training ------------------------------------------------------------------------------------------

    @property
    def plan(self) -> Plan:
        """The schedule in steps of these data.

        Raises:
            CodegenError: it needs to know how long the training is.
        """
        return resolve_schedule(self.settings.lr_schedule, self.batches, self.planned)

    def run(self, steps: int) -> float:
        """Take steps over the mini-batches, the next where the last run stopped; return the last loss.

        Raises:
            NonFiniteError: the loss became infinite or no number; parameters are those before that step.
        """
        if steps < 1:
            raise ValueError(f"steps: met {steps}; expected at least 1")
        _ = self.compiled  # without data there is nothing to run
        loss = float("nan")
        while steps > 0:
            left = self.batches - self.position % self.batches  # in this epoch; the next has another order
            losses = self.take(self.ordered(), self.position, min(steps, left) if self.shuffle else steps)
            self.position += len(losses)
            steps -= len(losses)
            loss = float(losses[-1])
        return loss

    def bind_step(self, steps: int = 1) -> Bound:
        """Return a call without arguments that goes on as `run(steps)` would, without its cost of several µs.

        Arrays are those of now, in place: it is good until data are bound again. `outputs[0]` holds the losses of
        the last call, one a step. After a loss that is not finite parameters are those before that step, the losses
        from it on are not finite, and the next call tries the same mini-batch again; it is not an error here.

        `inputs` are the rates of each step, one array a rate in the order of the generated code, the learning rate
        for `sgd` and `momentum`: write there to change it. Where rates change from step to step, with a schedule or
        Adam, they are the trainer's own, written anew every few thousand steps.

        Raises:
            CodegenError: no data are bound, or in another order in every epoch.
        """
        whole_number("steps", steps, least=1)
        compiled, settings, plan = self.compiled, self.settings, self.plan
        if self.shuffle:
            raise CodegenError("bind_step: a bound step takes the mini-batches in order; bind the data without shuffle")

        def ask(first: int, count: int) -> list[Array]:
            room = min(count, compiled.rates.room(plan, first))
            return compiled.rates.at(settings.lr, plan, self.started, first, room)

        call = Call(steps, settings.batch, self.rows, not compiled.rates.fixed(plan))
        task = Task((self.data, self.params, self.state), self.clock, call, settings.dtype)
        return bound_step(compiled.engine, task, ask)

    def ordered(self) -> dict[str, Array]:
        """Return the data in the order of the current epoch."""
        if not self.shuffle:
            return self.data
        epoch = self.position // self.batches
        if self.mixed[0] != epoch:
            self.mixed = (epoch, self.reordered(self.order(epoch)))
        return self.mixed[1]

    def order(self, epoch: int) -> Array:
        """Return the order of the samples in an epoch; it depends on the seed and the epoch alone."""
        return np.random.default_rng([self.settings.seed, 1, epoch]).permutation(self.rows)

    def reordered(self, order: Array) -> dict[str, Array]:
        """Return the data with samples in another order."""
        constant = {v.name for v in self.program.of_role("data") if BATCH not in v.sizes}
        return {name: a if name in constant else np.ascontiguousarray(a[order]) for name, a in self.data.items()}

    def take(self, data: Mapping[str, Array], first: int, steps: int) -> Array:
        """Take steps over given data, as many as `PATIENCE` allows; return their losses, all finite.

        Raises:
            NonFiniteError: names the step and the first equation whose value is not finite.
        """
        compiled, batch, plan = self.compiled, self.settings.batch, self.plan
        steps = min(steps, self.chunk, compiled.rates.room(plan, self.steps))
        rates = compiled.rates.at(self.settings.lr, plan, self.started, self.steps, steps)
        started = time.perf_counter()
        losses = compiled.engine.train(data, self.params, self.state, rates, batch, first, steps)
        seconds = max(time.perf_counter() - started, 1e-6)
        self.chunk = max(1, min(round(steps * PATIENCE / seconds), 4 * self.chunk, 1 << 16))
        self.steps += len(losses)
        if len(losses) < steps:
            raise self.explained(data, first + len(losses))
        return losses

    def explained(self, data: Mapping[str, Array], step: int) -> NonFiniteError:
        """Return the error that says where a loss stopped being a finite number."""
        batch = self.settings.batch
        number = step % self.batches
        part = {v.name: data[v.name] for v in self.program.of_role("data")}
        rows = slice(number * batch, number * batch + batch)
        part = {name: a[rows] if BATCH in self.program.values[name].sizes else a for name, a in part.items()}
        where = first_not_finite(self.program, part, self.params)
        rate = self.settings.lr * float(self.plan.factors(np.array([self.steps - self.started], np.float64))[0])
        return NonFiniteError(
            f"the loss is not finite at mini-batch {number + 1} of {self.batches}; {where}. "
            f"Parameters are those before this step. Lower lr (now {rate:g}) or scale the data."
        )

    def epoch(
        self,
        order: Array | None = None,
        check: Callable[[], None] | None = None,
        losses: list[float] | None = None,
    ) -> float:
        """Take one step on every mini-batch, in the given order of samples; return the mean loss over samples.

        Args:
            order: A permutation of the samples; as they are if None.
            check: Called between calls of compiled code.
            losses: Of the mini-batches that were done before; those done now are appended.
        """
        data = self.data if order is None else self.reordered(order)
        losses = [] if losses is None else losses
        while len(losses) < self.batches:
            losses += self.take(data, len(losses), self.batches - len(losses)).tolist()
            if check is not None:
                check()
        batch = self.settings.batch
        return float(np.average(losses, weights=[min(batch, self.rows - k * batch) for k in range(self.batches)]))

    @property
    def batches(self) -> int:
        """The number of mini-batches in an epoch."""
        return -(-self.rows // self.settings.batch)

    # ---- asking --------------------------------------------------------------------------------------------

    def loss_and_gradients(self, **arrays: Any) -> tuple[float, dict[str, Array]]:
        """Return the loss and the gradient by each parameter, over the bound data or over the given ones."""
        data = self.fitted({k: np.asarray(v) for k, v in arrays.items()})[0] if arrays else self.data
        return self.compiled.engine.gradients(data, self.params)

    def predict(self, *inputs: Any, **arrays: Any) -> Array:
        """Return predictions, one row a sample; inputs by position or by name.

        Raises:
            CodegenError: the model has no name for what it predicts.
        """
        if self.compiled.predicted is None:
            raise CodegenError(f"{self.record.title}: no name is compared with a target; give the prediction a name")
        wanted = self.inputs
        named = dict(zip((self.binder.spelled(v) for v in wanted), inputs, strict=False)) | arrays
        data, _ = self.fitted({k: np.asarray(v) for k, v in named.items()}, only=wanted)
        return self.compiled.engine.predict(data, self.params)

    @property
    def inputs(self) -> list[Var]:
        """The data that a prediction needs."""
        compared = targets(self.record)
        return [v for v in self.record.data if v not in compared]


@dataclass(frozen=True, slots=True)
class _Compiled:
    """A program, the engine that runs it, and the name that it predicts."""

    program: Program
    engine: Engine
    predicted: str | None
    rates: Rates
