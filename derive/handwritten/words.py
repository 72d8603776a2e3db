r"""What a word in the user's code stands for: a value of the model, its cotangent, a size, or several packed together.

`W1` is $W^{[1]}$; `dW1`, `grad_W1`, `W1_grad`, `W1_bar`, `dL_dW1` are its cotangent. A word that is spelled otherwise
but means one thing only, such as `w_1`, is understood as well.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, TypeAlias

from derive.errors import DeriveError
from derive.expr import Var, variables
from derive.model import free_variables, outputs
from derive.notation import code_name, unique_code_names
from derive.verify.setting import Setting

UPSTREAM = ("grad_output", "grad_out", "grad_outputs", "dout", "upstream", "cotangent", "ct", "grad", "g")
LOSS_WORDS = ("loss", "cost")

Given: TypeAlias = Any  # a word of the model, LaTeX or as in code; a tuple, list or dict of such


@dataclass(frozen=True, slots=True)
class Meaning:
    """What a word stands for; `kind` is `value` or `cotangent` (of a variable), `size`, `tuple` or `dict`."""

    kind: str
    of: Any


class Words:
    """The words of one model."""

    def __init__(self, setting: Setting, names: Mapping[str, Given] | None = None) -> None:
        self.setting = setting
        self.names = dict(names or {})
        network = setting.network
        used = (v for item in network.definitions for v in (*variables(item.value), item.name))
        self.variables = tuple(dict.fromkeys([*free_variables(network), *used]))
        self.code = unique_code_names([name.latex for name in self.variables])

    @cached_property
    def ends(self) -> tuple[Var, ...]:
        """What is differentiated: the loss, or the outputs."""
        return (self.setting.end,) if self.setting.end is not None else outputs(self.setting.network)

    @cached_property
    def exact(self) -> dict[str, Meaning]:
        """The words as they are spelled by us, and the usual ones for what comes from above."""
        found: dict[str, Meaning] = {}
        for name in self.variables:
            found.setdefault(self.code[name.latex], Meaning("value", name))
            found.setdefault(name.latex, Meaning("value", name))
        for symbol in sorted({s for v in self.variables for n in v.shape for s in n.free_symbols}, key=str):
            found.setdefault(str(symbol), Meaning("size", symbol))
        for name in self.variables:
            for word in self._cotangent_words(name):
                found.setdefault(word, Meaning("cotangent", name))
        for alias, name in self.setting.cotangents.items():
            if name in self.variables:
                found.setdefault(code_name(alias.latex), Meaning("cotangent", name))
                found.setdefault(alias.latex, Meaning("cotangent", name))
        if len(self.ends) == 1:
            taken = {_loosely(word) for word in self.code.values()}
            for word in (word for word in UPSTREAM if _loosely(word) not in taken):
                found.setdefault(word, Meaning("cotangent", self.ends[0]))
        return found

    def _cotangent_words(self, name: Var) -> Iterator[str]:
        word = self.code[name.latex]
        yield from (f"d{word}", f"grad_{word}", f"{word}_grad", f"{word}_bar", f"d_{word}")
        ends = [self.code[end.latex] for end in self.ends if end != name]
        for end in [*ends, "L", *LOSS_WORDS]:
            yield from (f"d{end}_d{word}", f"d{end}d{word}")

    @cached_property
    def loose(self) -> dict[str, Meaning]:
        """The same without case and underscores, where that leaves one meaning."""
        found: dict[str, set[Meaning]] = {}
        for word, meaning in self.exact.items():
            found.setdefault(_loosely(word), set()).add(meaning)
        return {word: next(iter(meanings)) for word, meanings in found.items() if len(meanings) == 1}

    def argument(self, word: str, loosely: bool = True) -> Meaning | None:
        """Return what the parameter of a function stands for, or None."""
        if word in self.names:
            return self._given(self.names[word], word)
        return self._known(word, loosely)

    def _known(self, word: str, loosely: bool = True) -> Meaning | None:
        for spelled in (word, word.rstrip("_")):
            if spelled in self.exact:
                return self.exact[spelled]
        return self.loose.get(_loosely(word)) if loosely else None

    def _given(self, given: Given, word: str) -> Meaning:
        if isinstance(given, Mapping):
            return Meaning("dict", tuple((key, self._given(part, word)) for key, part in given.items()))
        if isinstance(given, Sequence) and not isinstance(given, str):
            return Meaning("tuple", tuple(self._given(part, word) for part in given))
        found = self._known(given.latex if isinstance(given, Var) else str(given))
        if found is None:
            raise DeriveError(f"names: {word} is said to be {given}, which is no name of the model; {self.described()}")
        return found

    def output(self, word: str) -> Meaning | None:
        """Return what is returned under a word: a cotangent, or the value of the loss."""
        if word in self.names:
            meaning = self._given(self.names[word], word)
        else:
            found = self._known(word)
            if found is None and word in LOSS_WORDS and self.setting.end is not None:
                found = Meaning("value", self.setting.end)
            if found is None:
                return None
            meaning = found
        if meaning.kind == "value" and meaning.of != self.setting.end:
            return Meaning("cotangent", meaning.of)
        return meaning if meaning.kind in ("value", "cotangent") else None

    def described(self) -> str:
        """Return the words that there are, for an error message."""
        values = ", ".join(self.code[name.latex] for name in self.variables)
        above = ", ".join(f"d{self.code[end.latex]}" for end in self.ends)
        return f"there are {values}, and d in front for a cotangent, such as {above}"


def _loosely(word: str) -> str:
    return word.replace("_", "").casefold()


def sizes_in(setting: Setting, names: Iterable[Var]) -> set[Any]:
    """Return the symbols in the shapes of names."""
    return {symbol for name in names for length in name.shape for symbol in length.free_symbols}
