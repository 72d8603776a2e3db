r"""Training: compile a record, bind arrays to its symbols, take steps. The loop over epochs stands in `epochs`."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from codegen.binding import Binder
from codegen.bound import Bound
from codegen.compiled import Compiled, run_recipe
from codegen.errors import CodegenError, NonFiniteError
from codegen.later import Origin
from codegen.program import Program
from codegen.recipe import Symbol
from codegen.schedules import Plan, resolve_schedule
from codegen.settings import Settings, whole_number
from codegen.start import draw_parameters, initial_states
from codegen.stepping import Call, Clock, Task, bound_step

if TYPE_CHECKING:
    from derive.derivation import Derivation

Array = npt.NDArray[Any]
Shapes = dict[str, tuple[int, ...]]
PATIENCE = 0.1  # seconds in one call of compiled code: Ctrl-C waits no longer


class Trainer:
    """A model being trained.

    Attributes:
        card: What the model says of itself: title, data, prediction.
        params: Name to array, live: what is written here is what the next step uses.
        state: The optimiser's memory, name to array.
        steps: How many steps were taken.
        rows: How many samples are bound.
        planned: How many steps the schedule is made for, from step `started`; None where nobody said.
        notes: What was assumed or converted, for the user.
    """

    def __init__(self, origin: Origin, settings: Settings) -> None:
        self.origin, self.card, self.settings = origin, origin.card, settings
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
        self.binder = Binder(self.card.symbols, settings.dtype)
        self.shapes: Shapes = {}
        self.bound: Compiled | None = None

    @property
    def record(self) -> Derivation:
        """The model's equations over a mini-batch; a page that was not derived yet is derived."""
        return self.origin.prepared().record

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
            DeriveError: a symbol has no array, shapes disagree, or an array is called as a parameter is.
        """
        self.data, notes = self.fitted({name: np.asarray(array) for name, array in arrays.items()}, bindings)
        shapes = self.shapes_of(self.data)
        if self.bound is None or shapes != self.shapes:
            self.build(shapes)
        if both := sorted(arrays.keys() & self.params.keys()):
            raise CodegenError(
                f"{both[0]}: the data hold an array of this name, and {self.card.title} trains {both[0]}; rename the "
                "array, or say what is trained, as in model.train('W')"
            )
        self.shuffle, self.bindings, self.position, self.mixed = shuffle, bindings, 0, (-1, {})
        self.rows = self.compiled.rows(self.data)
        self.notes = (*notes, *self.compiled.recipe.notes)
        return self

    def fitted(
        self,
        arrays: Mapping[str, Array],
        bindings: Mapping[str, str] | None = None,
        only: Sequence[Symbol] | None = None,
    ) -> tuple[dict[str, Array], tuple[str, ...]]:
        """Return arrays by their names in code, in the model's type, and what was done to make them fit."""
        return self.binder.fit(arrays, bindings, only)

    def shapes_of(self, data: Mapping[str, Array]) -> Shapes:
        """Return what the data say of the model's sizes: their shapes, of any number of samples where it is open."""
        free = {symbol.name for symbol in self.card.symbols if symbol.sampled and self.card.any_rows}
        return {name: (1, *a.shape[1:]) if name in free else a.shape for name, a in data.items()}

    # ---- compiling -----------------------------------------------------------------------------------------

    def build(self, shapes: Shapes) -> None:
        """Compile for data of these shapes, and draw the parameters."""
        settings = self.settings
        recipe = self.origin.recipe(shapes, settings)
        self.bound = run_recipe(recipe, settings)
        self.shapes, self.binder = shapes, Binder(recipe.symbols, settings.dtype)
        self.params = draw_parameters(self.bound.header, recipe.starts, settings.seed)
        self.state = initial_states(self.bound.header)
        self.steps = self.position = self.started = 0

    @property
    def compiled(self) -> Compiled:
        """The compiled model.

        Raises:
            CodegenError: no data were bound yet.
        """
        if self.bound is None:
            raise CodegenError(f"{self.card.title}: no data yet; call bind(x=…, y=…) first")
        return self.bound

    @property
    def program(self) -> Program:
        """The program that was compiled."""
        return self.compiled.recipe.program()

    @property
    def code(self) -> str:
        """The generated source."""
        return self.compiled.engine.source

    @property
    def threads(self) -> int:
        """How many threads take a step, by what was measured so far."""
        return self.compiled.engine.threads

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
        loss, clock, batches = float("nan"), self.clock.longs, self.batches
        while steps > 0:
            left = batches - clock[1] % batches  # in this epoch; the next has another order
            losses = self.take(self.ordered(), clock[1], min(steps, left) if self.shuffle else steps)
            clock[1] += len(losses)
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
        call = Call(steps, settings.batch, self.rows, not compiled.rates.fixed(plan))
        task = Task((self.data, self.params, self.state), self.clock, call, settings.dtype)
        return bound_step(compiled.engine, task, compiled.asked(settings, plan, self.started))

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
        return self.compiled.part(self.data, order)

    def take(self, data: Mapping[str, Array], first: int, steps: int) -> Array:
        """Take steps over given data, as many as `PATIENCE` allows; return their losses, all finite.

        Raises:
            NonFiniteError: names the step and the first equation whose value is not finite.
        """
        compiled, batch, plan, clock = self.compiled, self.settings.batch, self.plan, self.clock.longs
        steps = min(steps, self.chunk, compiled.rates.room(plan, clock[0]))
        rates = compiled.rates.at(self.settings.lr, plan, self.started, clock[0], steps)
        started = time.perf_counter()
        losses = compiled.engine.train(data, self.params, self.state, rates, batch, first, steps)
        seconds = max(time.perf_counter() - started, 1e-6)
        self.chunk = max(1, min(round(steps * PATIENCE / seconds), 4 * self.chunk, 1 << 16))
        clock[0] += len(losses)
        if len(losses) < steps:
            raise self.explained(data, first + len(losses))
        return losses

    def explained(self, data: Mapping[str, Array], step: int) -> NonFiniteError:
        """Return the error that says where a loss stopped being a finite number."""
        batch, number = self.settings.batch, step % self.batches
        part = self.compiled.part(data, slice(number * batch, number * batch + batch))
        where = self.compiled.first_not_finite(part, self.params)
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
        _ = self.compiled
        if not self.card.predicted:
            raise CodegenError(f"{self.card.title}: no name is compared with a target; give the prediction a name")
        wanted = self.inputs
        named = dict(zip((symbol.spelled for symbol in wanted), inputs, strict=False)) | arrays
        data, _ = self.fitted({k: np.asarray(v) for k, v in named.items()}, only=wanted)
        return self.compiled.engine.predict(data, self.params)

    @property
    def targets(self) -> list[Symbol]:
        """The data that predictions are compared with."""
        return [symbol for symbol in self.binder.symbols if symbol.target]

    @property
    def inputs(self) -> list[Symbol]:
        """The data that a prediction needs."""
        return [symbol for symbol in self.binder.symbols if not symbol.target]
