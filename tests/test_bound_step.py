"""A bound step does what `run` does, bit for bit, and counts as it does."""

from __future__ import annotations

import numpy as np
import pytest
from training_helpers import both, disc, record

import codegen
from codegen.errors import CodegenError
from codegen.rates import BLOCK


def pair(target: str, rows: int = 70, **settings: object) -> tuple[codegen.Trainer, codegen.Trainer]:
    """Two trainers that are alike; the last of their three mini-batches is a short one."""
    x, y = disc(rows)
    one, other = (codegen.compile(record("cat"), target, batch=32, **settings).bind(x=x, y=y) for _ in range(2))  # type: ignore[arg-type]
    return one, other


def bits(trainer: codegen.Trainer) -> dict[str, bytes]:
    return {name: array.tobytes() for name, array in {**trainer.params, **trainer.state}.items()}


@both
@pytest.mark.parametrize("steps", [1, 3, 4])
@pytest.mark.parametrize("optimizer", ["sgd", "momentum", "adam"])
def test_a_bound_step_takes_the_steps_of_run(target: str, steps: int, optimizer: str) -> None:
    bound, plain = pair(target, optimizer=optimizer, lr=0.1)
    step = bound.bind_step(steps)
    for k in range(5):
        step()
        losses = [plain.run(1) for _ in range(steps)]
        assert step.outputs[0].tolist() == losses
        assert bound.steps == bound.position == (k + 1) * steps
    assert bits(bound) == bits(plain)
    assert bound.run(2) == plain.run(2), "and run goes on where the bound steps stopped"
    step()
    plain.run(steps)
    assert bits(bound) == bits(plain), "and the other way round"


@both
def test_rates_that_change_come_from_the_schedule_however_long_it_is(target: str) -> None:
    words = {"optimizer": "adam", "lr_schedule": f"cosine:warmup=9,steps={2 * BLOCK}", "lr": 0.01}
    bound, plain = pair(target, **words)
    step = bound.bind_step(100)
    for _ in range(3 * BLOCK // 200 if target == "c" else 2):
        step()
    plain.run(bound.steps)
    assert bits(bound) == bits(plain)
    bound.steps = plain.steps = 5  # as a checkpoint does
    step()
    plain.run(100)
    assert bits(bound) == bits(plain)


@both
def test_the_learning_rate_is_written_in_place(target: str) -> None:
    bound, plain = pair(target, lr=0.1)
    step = bound.bind_step(2)
    (rate,) = step.inputs
    assert rate.tolist() == [np.float32(0.1)] * 2
    rate[...] = 0.0
    before = bits(bound)
    step()
    assert bits(bound) == before and bound.steps == 2
    rate[...] = 0.3
    step()
    faster = codegen.compile(record("cat"), target, batch=32, lr=0.3).bind(**dict(zip("xy", disc(70), strict=True)))
    faster.position = 2
    faster.run(2)
    assert bits(bound) == bits(faster) != bits(plain)


@both
@pytest.mark.parametrize("bad", [0, 1, 2])
def test_a_loss_that_is_not_finite_leaves_the_step_untaken(target: str, bad: int) -> None:
    bound, plain = pair(target, lr=0.1)
    step = bound.bind_step(3)
    bound.data["X"][32 * bad] = np.nan
    step()
    assert np.isfinite(step.outputs[0]).tolist() == [k < bad for k in range(3)]
    assert bound.steps == bound.position == bad
    if bad:
        plain.run(bad)
    assert bits(bound) == bits(plain)
    step()
    assert bound.steps == bad and not np.isfinite(step.outputs[0]).any(), "the same mini-batch is tried again"


def test_a_step_is_not_bound_without_data_or_to_an_order_that_changes() -> None:
    x, y = disc(8)
    trainer = codegen.compile(record("cat"), "numpy")
    with pytest.raises(CodegenError, match="bind"):
        trainer.bind_step()
    with pytest.raises(CodegenError, match="without shuffle"):
        trainer.bind(x=x, y=y, shuffle=True).bind_step()
    with pytest.raises(CodegenError, match="steps: met 0"):
        trainer.bind(x=x, y=y).bind_step(0)
