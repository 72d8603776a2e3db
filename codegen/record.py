"""What training needs to know of a record: its form over mini-batches, and what one sample looks like."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from codegen.decay import only_added
from codegen.errors import CodegenError
from codegen.lower import lower
from codegen.names import model_names
from codegen.optimizers import with_optimizer
from codegen.passes.pipeline import optimise
from codegen.prediction import predicted
from codegen.program import Program
from codegen.samples import over_samples
from codegen.sizes import Sizes, as_number
from derive.backprop import derive_gradients
from derive.batch import batched
from derive.derivation import Derivation
from derive.errors import ModelError, ShapeError
from derive.expr import Apply, Var, variables, walk
from derive.model import Definition, Network
from derive.notation import batch_name, code_name
from derive.ops import table
from derive.shapes import ROW


def batch_form(derivation: Derivation) -> Derivation:
    """Return the record over a mini-batch: itself, the one that it carries, or derived now.

    Where a value of one sample is a matrix no such form exists: it is the record of one sample, and its program is
    done for each (see `lowered`).

    Raises:
        CodegenError: it ends in no loss.
    """
    if derivation.loss is None:
        raise CodegenError(f"{derivation.title}: there is no loss to train by; add one, such as L = ...")
    if derivation.samples is not None:
        return derivation
    if derivation.batch is not None:
        return derivation.batch
    forward = [Definition(e.name, e.value) for e in derivation.equations if e.role in ("definition", "loss")]
    network = Network(derivation.title, tuple(forward), derivation.loss, derivation.parameters)
    try:
        return derive_gradients(batched(network))
    except (ModelError, ShapeError):
        return derivation


def sample_shape(record: Derivation, name: Var) -> tuple[Any, ...]:
    """Return the shape of one sample's value."""
    return tuple(length for length in name.shape if length not in (ROW, record.samples))


def has_samples(record: Derivation, name: Var) -> bool:
    """Tell whether one of the data has one entry a sample: all do in the record of one."""
    return record.samples is None or record.samples in name.shape


def lowered(record: Derivation, sizes: Sizes, dtype: str, optimizer: str = "sgd", weight_decay: float = 0.0) -> Program:
    """Return the program of a record of mini-batches, optimised."""
    decayed = decaying(record, sizes, dtype) if weight_decay else ()
    return rows_of(with_optimizer(record, optimizer, weight_decay, decayed), sizes, dtype)


def rows_of(record: Derivation, sizes: Sizes, dtype: str, outputs: Sequence[Var] = ()) -> Program:
    """Return the program of a record over the samples of a mini-batch, optimised; what `batch_form` gave is lowered.

    Args:
        record: Of a mini-batch, or of one sample.
        sizes: Numbers for its sizes.
        dtype: `float32` or `float64`.
        outputs: What must be computed; the loss, all gradients and the prediction if empty.
    """
    program = lower(record, sizes, dtype, outputs)
    output = None if outputs else predicted(record)  # a stable form of the loss need not read it
    kept = [model_names(record)[output]] if output is not None else []
    return optimise(over_samples(program, sizes) if record.samples is None else program, kept)


def decaying(record: Derivation, sizes: Sizes, dtype: str) -> tuple[Var, ...]:
    """Return the parameters that weight decay takes hold of: all that are not only added."""
    names = model_names(record)
    exempt = only_added(lower(record, sizes, dtype))
    return tuple(v for v in record.parameters if names[v] not in exempt)


def decay_note(record: Derivation, sizes: Sizes, dtype: str, strength: float) -> list[str]:
    """Say which parameters decay, and which do not."""
    if not strength:
        return []
    names, decayed = model_names(record), decaying(record, sizes, dtype)
    held = ", ".join(names[v] for v in decayed) or "no parameter"
    kept = ", ".join(names[v] for v in record.parameters if v not in decayed)
    return [f"weight decay {strength:g} on {held}" + (f"; not on {kept}, only added" if kept else "")]


def places(record: Derivation) -> set[Var]:
    """Return the names that rows are looked up by."""
    nodes = (node for equation in record.equations for node in walk(equation.value))
    hot = (node for node in nodes if isinstance(node, Apply) and node.op.name == table.ONE_HOT)
    return {v for node in hot for v in variables(node)}


def known_shape(record: Derivation, name: Var, sizes: Sizes | None) -> tuple[int | None, ...]:
    """Return one sample's shape, None where nothing fixes a length."""
    numbers = {} if sizes is None else sizes.numbers
    return tuple(as_number(length, numbers) for length in sample_shape(record, name))


def page_spelling(source: Derivation, record: Derivation, name: Var) -> str:
    """Return a name of the record as the user's page spells it: x for X."""
    spellings = {batch_name(v.latex): v.latex for v in source.data}
    spellings |= {rf"\mathbf{{{batch}}}": latex for batch, latex in spellings.items()}
    return name.latex if source is record else spellings.get(name.latex, name.latex)


def sheet_shape(record: Derivation, name: Var, shape: tuple[int, ...]) -> tuple[int, ...]:
    """Return the shape of an array of data, one row a sample, with its axes as on the sheet."""
    if not has_samples(record, name):
        return shape
    rest = iter(shape[1:])
    return tuple(shape[0] if length == record.samples else next(rest) for length in name.shape if length != ROW)


def spelled_alike(name: Var, word: str) -> bool:
    r"""Tell whether a word means a name: as LaTeX, as it is in code, or for one sample, \hat{y} for \hat{Y}.

    >>> spelled_alike(Var(r"\hat{Y}"), "y_hat")
    False
    >>> spelled_alike(Var(r"\hat{Y}"), r"\hat{y}")
    True
    """
    return word in (name.latex, code_name(name.latex)) or batch_name(word) == name.latex
