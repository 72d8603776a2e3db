"""Sizes: which number each symbolic size of a model stands for, from data, from the user, or by default."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import sympy

from codegen.errors import CodegenError
from codegen.names import fitting
from derive.derivation import Derivation
from derive.expr import Var, variables
from derive.notation import code_name, unique_code_names
from derive.shapes import ROW, Shape

DEFAULT = 16
"""What a size is taken to be that nothing fixes: the width of a hidden layer."""


@dataclass(frozen=True, slots=True)
class Sizes:
    """Numbers for the sizes of a model, and which of them were nobody's choice, by their names in code."""

    numbers: Mapping[sympy.Symbol, int]
    assumed: tuple[str, ...] = ()

    def named(self) -> dict[str, int]:
        """Return the numbers by the sizes' names in code."""
        return {name: self.numbers[symbol] for symbol, name in self.names().items()}

    def names(self) -> dict[sympy.Symbol, str]:
        """Return an identifier for each size."""
        words = unique_code_names([str(symbol) for symbol in self.numbers])
        return {symbol: fitting(words[str(symbol)]) for symbol in self.numbers}


def size_symbols(derivation: Derivation) -> list[sympy.Symbol]:
    """Return the symbolic sizes in order of appearance, without the number of samples."""
    names = dict.fromkeys([*derivation.data, *derivation.parameters])
    names |= dict.fromkeys(v for e in derivation.equations for v in [e.name, *variables(e.value)])
    found = dict.fromkeys(s for name in names for length in name.shape for s in _symbols(length))
    return [symbol for symbol in found if symbol not in (ROW, derivation.samples)]


def _symbols(length: sympy.Expr) -> list[sympy.Symbol]:
    return sorted(length.free_symbols, key=str)


def resolve_sizes(
    derivation: Derivation,
    given: Mapping[str, int] | None = None,
    shapes: Mapping[Var, Sequence[int]] | None = None,
    assume: bool = True,
) -> Sizes:
    """Fix every size of a model.

    Args:
        derivation: The model.
        given: Sizes by name, `{"h": 32}`.
        shapes: Shapes of some variables as the sheet has them, one number an axis; a row's first axis left out.
        assume: Whether what nothing fixes becomes `DEFAULT`.
    Raises:
        CodegenError: two arrays disagree on a size, or a given name is no size of the model.
    """
    symbols = size_symbols(derivation)
    numbers = _given(symbols, given or {})
    for name, lengths in (shapes or {}).items():
        for symbol, number in _match(name, lengths):
            met = numbers.setdefault(symbol, number)
            if met != number:
                raise CodegenError(
                    f"{name.latex}: the array has {symbol} = {number}, but {symbol} is {met} elsewhere; "
                    f"give arrays that agree or change sizes={{'{symbol}': …}}"
                )
    open_ones = [symbol for symbol in symbols if symbol not in numbers] if assume else []
    numbers |= dict.fromkeys(open_ones, DEFAULT)
    ordered = {symbol: numbers[symbol] for symbol in symbols if symbol in numbers}
    words = Sizes(ordered).names()
    return Sizes(ordered, tuple(words[symbol] for symbol in open_ones))


def _given(symbols: Sequence[sympy.Symbol], given: Mapping[str, int]) -> dict[sympy.Symbol, int]:
    by_name = {code_name(str(symbol)): symbol for symbol in symbols} | {str(symbol): symbol for symbol in symbols}
    for name, number in given.items():
        if str(name) not in by_name:
            known = ", ".join(map(str, symbols)) or "none"
            raise CodegenError(f"sizes: the model has no size {name}; its sizes are {known}")
        if number < 1:
            raise CodegenError(f"sizes: {name} is {number}; expected at least 1")
    return {by_name[str(name)]: int(number) for name, number in given.items()}


def _match(name: Var, lengths: Sequence[int]) -> Iterable[tuple[sympy.Symbol, int]]:
    """Pair the symbols of a shape with numbers; a plain number of the shape must agree."""
    shape: Shape = tuple(length for length in name.shape if length != ROW)
    if len(shape) != len(lengths):
        raise CodegenError(f"{name.latex}: the array has {len(lengths)} axes; expected {len(shape)}: {shape}")
    for length, number in zip(shape, lengths, strict=True):
        if length.is_Symbol:
            yield length, number
        elif length.is_Integer and int(length) != number:
            raise CodegenError(f"{name.latex}: an axis has {number} entries; expected {length}")


def as_number(expr: Any, numbers: Mapping[sympy.Symbol, int]) -> int | None:
    """Return a size as a number, or None where a symbol in it is not fixed."""
    value = (sympy.Integer(0) + expr).subs(numbers)
    return int(value) if value.is_Integer else None
