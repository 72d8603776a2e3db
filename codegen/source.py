"""The training function as source that a person can read, for `derive compile`."""

from __future__ import annotations

from collections.abc import Mapping

from codegen.errors import CodegenError
from codegen.names import file_name, model_names
from codegen.prediction import predicted
from codegen.record import batch_form, decay_note, lowered
from codegen.settings import Settings
from codegen.sizes import resolve_sizes
from codegen.targets.c import emit_c
from codegen.targets.numpy import emit_numpy
from derive.derivation import Derivation

EMITTERS = {"c": emit_c, "numpy": emit_numpy}


def training_source(
    derivation: Derivation,
    target: str = "c",
    sizes: Mapping[str, int] | None = None,
    dtype: str = "float32",
    name: str | None = None,
    optimizer: str = "sgd",
    weight_decay: float = 0.0,
) -> str:
    """Return the source of loss, gradients and update over a mini-batch.

    Args:
        derivation: Of one sample, or of a mini-batch.
        target: `c` or `numpy`.
        sizes: Sizes by name; what is not given is 16, and the source says so.
        dtype: `float32` or `float64`.
        name: Prefix of the names in C; made of the title if None.
        optimizer: `sgd`, `momentum` or `adam`.
        weight_decay: Decoupled decay of what is not only added.
    Raises:
        CodegenError: the target or a size is unknown, or the model has no form for mini-batches.
    """
    if target not in EMITTERS:
        raise CodegenError(f"target: met {target}; expected one of {', '.join(EMITTERS)}")
    Settings(dtype=dtype, optimizer=optimizer, weight_decay=weight_decay)  # refuses what is out of range
    record = batch_form(derivation)
    resolved = resolve_sizes(record, sizes)
    program = lowered(record, resolved, dtype, optimizer, weight_decay)
    output = predicted(record)
    assumed = ", ".join(f"{size} = {resolved.named()[size]}" for size in resolved.assumed)
    notes = [f"Assumed, since nothing fixes them: {assumed}."] if assumed else []
    if record.samples is None:
        notes.append("The equations are those of one sample; loss and gradients are means over the samples.")
    notes += [f"{note[0].upper()}{note[1:]}." for note in decay_note(record, resolved, dtype, weight_decay)]
    return EMITTERS[target](
        program, file_name(name or record.title), output and model_names(record)[output], "\n".join(notes)
    )
