"""Names that are imported once they are asked for, so that a package starts without all that it offers (PEP 562)."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from importlib import import_module
from typing import Any


def homes_of(table: Mapping[str, str]) -> dict[str, str]:
    """Return the module of each name, from modules with their names in one text.

    >>> homes_of({"math": "pi tau"})
    {'pi': 'math', 'tau': 'math'}
    """
    return {name: module for module, names in table.items() for name in names.split()}


def load(module: str, name: str) -> Any:
    """Import a module now, and return what has that name in it."""
    return getattr(import_module(module), name)


def on_demand(package: str, homes: Mapping[str, str]) -> Callable[[str], Any]:
    """Return the `__getattr__` of a package.

    Args:
        package: Its name.
        homes: The module of each name.
    """

    def find(name: str) -> Any:
        if name not in homes:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        value = load(homes[name], name)
        setattr(sys.modules[package], name, value)
        return value

    return find
