"""What a formula says, before anybody knows what its names mean.

A formula on a page becomes a tree of these records: no shapes, no kinds, no rewriting, products in the
order and with the sign in which they were written. Giving them a meaning is the work of `infer.py`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, fields, replace
from typing import Any, TypeAlias

from derive.errors import UnreadError


@dataclass(frozen=True, slots=True)
class Number:
    r"""A literal: `2`, `0.5`; also `\infty` and `\pi`, by their LaTeX."""

    text: str


@dataclass(frozen=True, slots=True)
class Name:
    r"""A symbol with all that belongs to its spelling.

    `base` is the letter with accent and font (`W`, `\hat{y}`, `\mathbf{x}`, `\text{MSE}`), `sup` a mark in
    the superscript that is no power (`l-1` in `a^{[l-1]}`), `style` how it is written (`[]`, `()` or, for a
    word or a star, ``), `subs` the subscripts in order (`w_{jk}` has two), `primes` how often it is primed.
    """

    base: str
    sup: Node | None = None
    style: str = ""
    subs: tuple[Node, ...] = ()
    primes: int = 0


@dataclass(frozen=True, slots=True)
class Neg:
    """Minus `arg`."""

    arg: Node


@dataclass(frozen=True, slots=True)
class Sum:
    """`left` plus (`sign` "+") or minus ("-") `right`."""

    sign: str
    left: Node
    right: Node


@dataclass(frozen=True, slots=True)
class Product:
    r"""`left` times `right`; `sign` as written: "" (juxtaposed), `\cdot`, `\times`, `*`, `\circ`, `\odot`…

    `@` is the matrix product of Python, also where the page writes `np.dot(a, b)`.
    """

    sign: str
    left: Node
    right: Node


@dataclass(frozen=True, slots=True)
class Quotient:
    r"""`\frac{top}{bottom}` or `top / bottom`."""

    top: Node
    bottom: Node


@dataclass(frozen=True, slots=True)
class Power:
    r"""`base` to the `exponent`; `entrywise` as in `X^{\circ 2}`."""

    base: Node
    exponent: Node
    entrywise: bool = False


@dataclass(frozen=True, slots=True)
class Transpose:
    r"""`arg^T`, `arg^\top`."""

    arg: Node


@dataclass(frozen=True, slots=True)
class Call:
    r"""A function applied: `\sigma'(z)` (the primes stand in `function`), `\log y`, `\text{softmax}(z_j)`."""

    function: Name
    args: tuple[Node, ...]

    def __post_init__(self) -> None:
        if not isinstance(self.function, Name):  # a page gave the name of a function a value
            raise UnreadError("what stands before arguments is the name of a number as well")


@dataclass(frozen=True, slots=True)
class Derivative:
    r"""`\frac{\partial of}{\partial wrt}`, `\nabla_{wrt} of`; `wrt` None for a bare `\nabla of`."""

    of: Node
    wrt: Node | None
    sign: str = r"\partial"  # or "d", or r"\nabla"


@dataclass(frozen=True, slots=True)
class Differential:
    r"""`d arg`: `dW^{[1]}`, `\mathrm{d}x`, `d(A X)`, `\mathbf{dx}`; not the `d x` below a fraction.

    Some pages mean an increment by it (`df = tr(…)`), some the gradient of the loss (`dW = dZ a^T`), and where `d`
    is a quantity it is a product: the tree says what is written.
    """

    arg: Node


@dataclass(frozen=True, slots=True)
class Evaluated:
    r"""`arg |_{where}`: `arg` at a point; `where` is a relation `x = 0`, a list of them, or the point alone."""

    arg: Node
    where: Node


@dataclass(frozen=True, slots=True)
class Big:
    r"""`\sum_{index=lower}^{upper} body`; `kind` "sum" or "prod"; bounds None where not written."""

    kind: str
    index: Node | None
    lower: Node | None
    upper: Node | None
    body: Node


@dataclass(frozen=True, slots=True)
class Limit:
    r"""`\lim_{name \to at} body`."""

    name: Node
    at: Node
    body: Node


@dataclass(frozen=True, slots=True)
class Norm:
    r"""`\|arg\|_p`; `p` as written, "" where not."""

    arg: Node
    p: str = ""


@dataclass(frozen=True, slots=True)
class Abs:
    """`|arg|`."""

    arg: Node


@dataclass(frozen=True, slots=True)
class Entry:
    r"""An entry of what has no name: `\text{softmax}(o)_j`, `(W x)_{i}`; that of a name stands in its `subs`."""

    arg: Node
    subs: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Cases:
    r"""A `cases` environment: pairs of value and condition (None for "otherwise")."""

    rows: tuple[tuple[Node, Node | None], ...]


@dataclass(frozen=True, slots=True)
class Matrix:
    """A matrix written out, row by row."""

    rows: tuple[tuple[Node, ...], ...]


@dataclass(frozen=True, slots=True)
class Group:
    """A comma-separated list in brackets, `(a, b)`."""

    items: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Given:
    r"""What stands between the brackets of `P(a, b | c)`: `left` before the bar, `right` behind it.

    `sign` is `\mid` for one bar, `\|` for two, as in `KL(p \| q)`. It is always the only argument of a `Call`.
    """

    left: tuple[Node, ...]
    right: tuple[Node, ...]
    sign: str = r"\mid"


@dataclass(frozen=True, slots=True)
class Keyword:
    """An argument with its name, `axis = 1` in `sum(Z, axis = 1)`."""

    name: str
    value: Node


@dataclass(frozen=True, slots=True)
class Dots:
    r"""`\ldots`, `\cdots`, `\vdots`, `...`: what the reader is to go on with by himself; any of them is the same."""


@dataclass(frozen=True, slots=True)
class Implied:
    r"""What is not written.

    `what` is "left side" before a formula that begins with its relation, `= x + 1`, which goes on with the chain of
    the formula before; "function" where a gradient names none, `\nabla_W = \delta x^T`.
    """

    what: str


@dataclass(frozen=True, slots=True)
class Where:
    r"""A statement that is said under a condition: `a_i = 0 \text{ if } i = j`, `\ldots \text{ for all } i`.

    `word` is how the page begins the condition (`if`, `for all`), `condition` what follows; None where the word says
    it all. Without the condition the body may be false.
    """

    body: Node
    word: str
    condition: Node | None


@dataclass(frozen=True, slots=True)
class Relation:
    r"""A chain `a = b = c`: `links[0] signs[0] links[1] …`; signs `=`, `:=`, `\leftarrow`, `<`, `\in`, `\approx`…"""

    links: tuple[Node, ...]
    signs: tuple[str, ...]


Node: TypeAlias = (
    Number
    | Name
    | Neg
    | Sum
    | Product
    | Quotient
    | Power
    | Transpose
    | Call
    | Derivative
    | Differential
    | Evaluated
    | Big
    | Limit
    | Norm
    | Abs
    | Entry
    | Cases
    | Matrix
    | Group
    | Given
    | Keyword
    | Dots
    | Implied
    | Where
    | Relation
)
NODES = (
    Number, Name, Neg, Sum, Product, Quotient, Power, Transpose, Call, Derivative, Differential, Evaluated, Big, Limit,
    Norm, Abs, Entry, Cases, Matrix, Group, Given, Keyword, Dots, Implied, Where, Relation,
)  # fmt: skip


_SLOTS: dict[type, tuple[str, ...]] = {kind: tuple(slot.name for slot in fields(kind)) for kind in NODES}


def children(node: Node) -> list[Node]:
    """Return the trees directly below a node, scripts and functions included, in reading order."""
    found: list[Node] = []
    for slot in _SLOTS[type(node)]:
        _collect(getattr(node, slot), found)
    return found


def _collect(part: Any, found: list[Node]) -> None:
    """Add a tree, or those in a tuple: the rows of a matrix are tuples in a tuple."""
    if type(part) in _SLOTS:
        found.append(part)
    elif type(part) is tuple:
        for item in part:
            _collect(item, found)


def walk(node: Node) -> Iterator[Node]:
    """Yield a tree's nodes, outermost first."""
    waiting = [node]
    while waiting:
        part = waiting.pop()
        yield part
        waiting += reversed(children(part))


def map_children(node: Node, change: Callable[[Node], Node]) -> Node:
    """Return a node with each tree directly below it replaced by what `change` makes of it."""
    changed: dict[str, Any] = {}
    for slot in _SLOTS[type(node)]:
        part = getattr(node, slot)
        if (new := _mapped(part, change)) is not part:
            changed[slot] = new
    return replace(node, **changed) if changed else node


def unprimed(call: Call) -> Name:
    """Return the function that a call is of, or of whose derivative it is: f of f(x) and of f'(x)."""
    return replace(call.function, primes=0)


def with_parts(node: Node, parts: Mapping[Node, Node]) -> Node:
    """Return a tree with others in the place of some of its parts; what is put there is not looked into."""
    return parts[node] if node in parts else map_children(node, lambda part: with_parts(part, parts))


def _mapped(part: Any, change: Callable[[Node], Node]) -> Any:
    if type(part) in _SLOTS:
        return change(part)
    if type(part) is tuple and part:
        new = tuple(_mapped(item, change) for item in part)
        return new if any(a is not b for a, b in zip(new, part, strict=True)) else part
    return part
