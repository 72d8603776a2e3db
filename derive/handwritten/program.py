"""The user's function as something to call: a plain one, torch.autograd.Function, or a JAX function with custom_vjp.

Neither library is imported but for an object that belongs to it.
"""

from __future__ import annotations

import ast
import contextlib
import inspect
import textwrap
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from importlib import import_module
from typing import Any

import numpy as np

from derive.errors import DeriveError


@dataclass(frozen=True, slots=True)
class Argument:
    """A parameter of a function; `default` is `inspect.Parameter.empty` where it must be given."""

    word: str
    default: Any = inspect.Parameter.empty

    @property
    def required(self) -> bool:
        """Whether the function cannot be called without it."""
        return self.default is inspect.Parameter.empty


@dataclass(frozen=True, slots=True)
class Returned:
    """What a call gave: gradients by word or in order, and the values of a forward function where it has one."""

    gradients: Any
    forward: tuple[Any, ...] = ()


@dataclass(frozen=True, slots=True)
class Program:
    """A function to be called.

    Attributes:
        label: What it is called.
        line: Where it stands in its file, 0 if unknown.
        arguments: Its parameters in order.
        call: Takes the arguments by word, and cotangents of the outputs of a forward function.
        differentiates: Whether it is a forward function with its own derivative, not a backward function.
        open: Whether it takes any keyword.
        words: The names that its return statement gives to what is returned, if it says so.
    """

    label: str
    line: int
    arguments: tuple[Argument, ...]
    call: Callable[[Mapping[str, Any], Sequence[Any]], Returned] = field(repr=False)
    differentiates: bool = False
    open: bool = False
    words: tuple[str, ...] = ()


def program(function: Any, args: Sequence[str] | None = None) -> Program:
    """Return what calls a function.

    Args:
        function: The user's.
        args: What its positional parameters mean, where it has no signature that says so.
    Raises:
        DeriveError: it is nothing that can be called so.
    """
    if inspect.isclass(function) and any(base.__module__ == "torch.autograd.function" for base in function.__mro__):
        return _torch_function(function, args)
    if (inner := _custom_vjp(function)) is not None:
        return _jax_function(function, inner, args)
    if not callable(function) or inspect.isclass(function):
        kind = "the class" if inspect.isclass(function) else f"a {type(function).__name__},"
        raise DeriveError(
            f"{kind} {getattr(function, '__name__', '')} is no backward function; give a function, a "
            "torch.autograd.Function or a JAX function with custom_vjp"
        )
    return _plain(function, args)


def _label(function: Any) -> str:
    return str(getattr(function, "__name__", None) or type(function).__name__)


def _line(function: Any) -> int:
    code = getattr(inspect.unwrap(function), "__code__", None)
    return int(code.co_firstlineno) if code is not None else 0


def _signature(function: Any, args: Sequence[str] | None) -> tuple[tuple[Argument, ...], bool]:
    """Return the parameters of a function, and whether it takes any keyword."""
    if args is not None:
        return tuple(Argument(word) for word in args), False
    try:
        parameters = inspect.signature(function).parameters.values()
    except (TypeError, ValueError):
        raise DeriveError(
            f"{_label(function)} does not say what its parameters are called; give them in order, args=('x', 'W', 'dy')"
        ) from None
    named = [p for p in parameters if p.kind not in (p.VAR_POSITIONAL, p.VAR_KEYWORD)]
    if not named and any(p.kind is p.VAR_POSITIONAL for p in parameters):
        raise DeriveError(f"{_label(function)} takes *args; say what they are in order, args=('x', 'W', 'dy')")
    return tuple(Argument(p.name, p.default) for p in named), any(p.kind is p.VAR_KEYWORD for p in parameters)


# ---------------------------------------------------------------- plain functions
def _plain(function: Any, args: Sequence[str] | None) -> Program:
    arguments, takes_any = _signature(function, args)
    kinds = {} if args is not None else {p.name: p.kind for p in inspect.signature(function).parameters.values()}
    convert, context = _arrays_for(function)

    def call(inputs: Mapping[str, Any], _: Sequence[Any]) -> Returned:
        positional = [a.word for a in arguments if kinds.get(a.word, inspect.Parameter.POSITIONAL_ONLY) in POSITIONAL]
        held = list(positional)
        while held and held[-1] not in inputs:  # trailing defaults stay as they are
            held.pop()
        missing = {a.word: a.default for a in arguments}
        with context(), np.errstate(all="ignore"):
            given = [convert(inputs[word]) if word in inputs else missing[word] for word in held]
            named = {word: convert(value) for word, value in inputs.items() if word not in positional}
            return Returned(function(*given, **named))

    return Program(_label(function), _line(function), arguments, call, open=takes_any, words=_returned_words(function))


POSITIONAL = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)


def _arrays_for(function: Any) -> tuple[Callable[[Any], Any], Callable[[], Any]]:
    """Return how arrays are handed to a function, by the library that its body names, and what to do it in."""
    inner = inspect.unwrap(function)
    inner = getattr(inner, "__func__", inner)
    names = getattr(getattr(inner, "__code__", None), "co_names", ())
    modules = {getattr(getattr(inner, "__globals__", {}).get(name), "__name__", "") for name in names}
    tops = {module.partition(".")[0] for module in modules}
    if "torch" in tops:
        return _converted(_torch_tensor), contextlib.nullcontext
    if "jax" in tops or (inner is not function and type(function).__module__.startswith("jax")):
        return _converted(import_module("jax.numpy").asarray), _double
    return lambda value: value, contextlib.nullcontext


def _converted(change: Callable[[Any], Any]) -> Callable[[Any], Any]:
    def convert(value: Any) -> Any:
        if isinstance(value, tuple):
            return tuple(map(convert, value))
        if isinstance(value, dict):
            return {key: convert(part) for key, part in value.items()}
        return change(value) if isinstance(value, np.ndarray) else value

    return convert


def _returned_words(function: Any) -> tuple[str, ...]:
    """Return the names in a function's return statement, where it has one kind of it: `return dx, dW, db`."""
    try:
        tree = ast.parse(textwrap.dedent(inspect.getsource(inspect.unwrap(function))))
    except (OSError, TypeError, SyntaxError, ValueError):
        return ()
    body = next((node for node in tree.body if isinstance(node, ast.FunctionDef)), None)
    found = {_spelled(node.value) for node in _own_nodes(body) if isinstance(node, ast.Return)} if body else set()
    return next(iter(found)) if len(found) == 1 else ()


def _own_nodes(node: ast.AST) -> list[ast.AST]:
    """Return the nodes of a function without those of functions inside it."""
    inner = [child for child in ast.iter_child_nodes(node) if not isinstance(child, ast.FunctionDef | ast.Lambda)]
    return [*inner, *(part for child in inner for part in _own_nodes(child))]


def _spelled(value: ast.expr | None) -> tuple[str, ...]:
    parts = value.elts if isinstance(value, ast.Tuple | ast.List) else [value]
    return tuple(part.id for part in parts if isinstance(part, ast.Name)) if all(
        isinstance(part, ast.Name) for part in parts
    ) else ()  # fmt: skip


# ---------------------------------------------------------------- PyTorch
def _torch_tensor(array: Any) -> Any:
    return import_module("torch").from_numpy(np.array(array))


def _torch_function(function: Any, args: Sequence[str] | None) -> Program:
    """Return what calls a torch.autograd.Function forward, and its backward through PyTorch's own machinery."""
    torch: Any = import_module("torch")
    arguments, _ = _signature(function.forward, args)
    own_setup = function.setup_context is not torch.autograd.Function.setup_context
    if args is None and not own_setup:
        arguments = arguments[1:]  # ctx

    def call(inputs: Mapping[str, Any], above: Sequence[Any]) -> Returned:
        given = {a.word: inputs.get(a.word, a.default) for a in arguments}
        tensors = {w: _torch_tensor(value) if isinstance(value, np.ndarray) else value for w, value in given.items()}
        moving = {w: t.requires_grad_() for w, t in tensors.items() if torch.is_tensor(t) and t.is_floating_point()}
        result = function.apply(*tensors.values())
        results = result if isinstance(result, tuple) else (result,)
        weights = [_torch_tensor(w).to(r.dtype).reshape(r.shape) for w, r in zip(above, results, strict=False)]
        found = torch.autograd.grad(results[: len(weights)], list(moving.values()), weights, allow_unused=True)
        return Returned(dict(zip(moving, found, strict=True)), results)

    return Program(_label(function), _line(function.forward), arguments, call, differentiates=True)


# ---------------------------------------------------------------- JAX
def _custom_vjp(function: Any) -> Any:
    """Return the custom_vjp under a function's wrappers, or None."""
    inner = function
    while inner is not None:
        if type(inner).__name__ == "custom_vjp" and type(inner).__module__.startswith("jax"):
            return inner
        inner = getattr(inner, "__wrapped__", None)
    return None


def _double() -> Any:
    """Return the context in which JAX computes in float64."""
    jax = import_module("jax")
    return jax.enable_x64(True) if hasattr(jax, "enable_x64") else import_module("jax.experimental").enable_x64()


def _jax_function(function: Any, inner: Any, args: Sequence[str] | None) -> Program:
    """Return what calls a JAX function and its vjp."""
    jax, jnp = import_module("jax"), import_module("jax.numpy")
    arguments, _ = _signature(inner, args)

    def call(inputs: Mapping[str, Any], above: Sequence[Any]) -> Returned:
        given = {a.word: inputs.get(a.word, a.default) for a in arguments}
        with _double():
            arrays = {w: jnp.asarray(v) for w, v in given.items() if isinstance(v, np.ndarray)}
            moving = {w: v for w, v in arrays.items() if jnp.issubdtype(v.dtype, jnp.floating)}

            def of(*values: Any) -> Any:
                return function(*{**given, **arrays, **dict(zip(moving, values, strict=True))}.values())

            result, pullback = jax.vjp(of, *moving.values())
            results = result if isinstance(result, tuple) else (result,)
            weights = tuple(
                jnp.asarray(w, r.dtype).reshape(r.shape) for w, r in zip(above, results, strict=False)
            )
            found = pullback(weights if isinstance(result, tuple) else weights[0])
            return Returned(dict(zip(moving, map(np.asarray, found), strict=True)), tuple(map(np.asarray, results)))

    return Program(_label(inner), _line(function), arguments, call, differentiates=True)
