"""Trains in child processes that are killed, goes on from their checkpoints, and prints whether the bits are the same.

A script of its own: forking is safe here, where nothing has threads. One import serves every child. Usage:
`python killed_training.py TARGET FOLDER SEED`; prints one line of JSON.
"""

from __future__ import annotations

import json
import os
import random
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from oracles import CASES

import codegen
from codegen import checkpoint, train
from derive.backprop import derive_gradients

EPOCHS = 6
train.PATIENCE = 1e-9  # one step in a call
checkpoint.SHARE = 0  # and a checkpoint after every one, however long it takes to write
RECORD = derive_gradients(next(case.network for case in CASES if case.name == "cat"))


def data(rows: int, seed: int) -> dict[str, Any]:
    x = np.random.default_rng(seed).normal(size=(rows, 2))
    return {"x": x, "y": ((x**2).sum(axis=1) < 1.4).astype(np.int64)}


def trained(target: str, **files: Any) -> dict[str, bytes]:
    trainer = codegen.compile(
        RECORD, target, 8, "float32", "adam", 0.05, {"h": 8}, 3, lr_schedule="cosine:warmup=9", weight_decay=0.1
    )
    history = codegen.fit(
        trainer, data(200, 0), data(50, 1), EPOCHS, patience=EPOCHS, checkpoint_seconds=0, **files
    )  # fmt: skip
    result = {name: array.tobytes() for name, array in trainer.params.items()}
    result |= {f"best {name}": array.tobytes() for name, array in history.best_params.items()}
    result |= {f"state {name}": array.tobytes() for name, array in trainer.state.items()}
    epochs = [(e.number, e.loss, e.metric, e.held_out_loss) for e in history.epochs]
    return result | {"history": repr((epochs, history.best, trainer.steps, trainer.started)).encode()}


def in_child(work: Callable[[], None], seconds: float | None = None) -> bool:
    """Run in a child, killed after so many seconds; return whether it ended by itself."""
    child = os.fork()
    if child == 0:
        work()
        os._exit(0)
    if seconds is not None:
        time.sleep(seconds)
        os.kill(child, signal.SIGKILL)
    _, status = os.waitpid(child, 0)
    if os.WIFEXITED(status) and os.WEXITSTATUS(status) != 0:
        raise SystemExit("a child failed")
    return os.WIFEXITED(status)


def die_at(call: str, number: int, after: bool) -> None:
    """Let a call of the system kill this process the so manieth time, before or after it did its work."""
    real, calls = getattr(os, call), iter(range(1, 10**9))

    def deadly(*args: Any, **kwargs: Any) -> Any:
        mine = next(calls)
        if mine == number and not after:
            os.kill(os.getpid(), signal.SIGKILL)
        result = real(*args, **kwargs)
        if mine == number:
            os.kill(os.getpid(), signal.SIGKILL)
        return result

    setattr(os, call, deadly)


def main(target: str, folder: Path, seed: int) -> None:
    point, out = folder / "point.npz", folder / "out"
    expected = trained(target)

    def going_on(prepare: Callable[[], None] | None = None) -> Callable[[], None]:
        def work() -> None:
            if prepare is not None:
                prepare()
            result = trained(target, checkpoint=point, resume=point if point.exists() else None)
            out.write_text("".join(f"{name} {value.hex()}\n" for name, value in sorted(result.items())))

        return work

    rng, kills, ended = random.Random(seed), 0, False
    moments = [("fsync", 31, False), ("replace", 17, False), ("replace", 20, True), ("fsync", 41, True)]
    for moment in moments:  # in the midst of writing
        kills += not in_child(going_on(lambda moment=moment: die_at(*moment)))
    while not ended and kills < len(moments) + 5:  # at random moments
        ended = in_child(going_on(), rng.uniform(0.03, 0.2))
        kills += not ended
    in_child(going_on())
    same = out.read_text() == "".join(f"{name} {value.hex()}\n" for name, value in sorted(expected.items()))
    left = sorted(path.name for path in folder.iterdir())
    print(json.dumps({"same": same, "kills": kills, "left": left}))


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]), int(sys.argv[3]))
