"""NumPy inside mathematics: `np.sum(dZ, axis=1)`, `np.dot(W, x)`, `X @ W.T`; read as the tree of what it computes."""

from __future__ import annotations

from derive.read.nesting import Bracket, Cursor, fail, is_bracket, split, text
from derive.read.scripts import Reader
from derive.read.syntax import Call, Keyword, Name, Node, Product, Relation, Transpose
from derive.read.vocabulary import KEYWORDS

# A product with two arguments, as a sign between them.
_PRODUCTS = {"dot": "@", "matmul": "@", "multiply": r"\odot"}
_TURNS = frozenset(("transpose",))
_FUNCTIONS = {
    "sum": "sum", "mean": "mean", "exp": "exp", "log": "log", "tanh": "tanh", "sin": "sin", "cos": "cos",
    "sinh": "sinh", "cosh": "cosh", "sqrt": "sqrt", "sign": "sign", "max": "max", "min": "min", "diag": "diag",
    "trace": "tr", "maximum": "max",
}  # fmt: skip
POSTFIX = frozenset((".T", ".dot", ".sum", ".mean"))


def read_code(cursor: Cursor, reader: Reader) -> Node:
    """Read a call such as `np.sum(Z, axis=1)`, the cursor on its name.

    Raises:
        UnreadError: A word of NumPy whose meaning depends on more than is written, or is not known here.
    """
    token = cursor.take()
    word = text(token).removeprefix("np.")
    bracket = _arguments(cursor, word)
    args = reader.arguments(bracket)
    plain = not any(isinstance(arg, Keyword) for arg in args)
    if word in _PRODUCTS and len(args) == 2 and plain:
        return Product(_PRODUCTS[word], *args)
    if word in _TURNS and len(args) == 1:
        return Transpose(args[0])
    if word not in _FUNCTIONS or isinstance(args[0], Keyword | Relation):
        fail(f"{text(token)} is not read", token.start)
    return Call(Name(_FUNCTIONS[word]), args)


def read_postfix(node: Node, cursor: Cursor, reader: Reader) -> Node:
    """Read `.T`, `.dot(y)`, `.sum(axis=0)` behind an expression, the cursor on the dot."""
    token = cursor.take()
    word = text(token).removeprefix(".")
    if word == "T":
        return Transpose(node)
    bracket = _arguments(cursor, word)
    args = reader.arguments(bracket) if bracket.items else ()
    args = tuple(keyword(arg) or arg for arg in args)
    if word == "dot" and len(args) == 1:
        return Product("@", node, args[0])
    if word == "dot" or not all(isinstance(arg, Keyword) for arg in args):
        fail(f"{text(token)} with such arguments", token.start)
    return Call(Name(word), (node, *args))


def keyword(node: Node) -> Keyword | None:
    """Read `axis = 1` among arguments."""
    if not isinstance(node, Relation) or node.signs != ("=",) or not isinstance(node.links[0], Name):
        return None
    name = node.links[0]
    return Keyword(name.base, node.links[1]) if name.base in KEYWORDS and name == Name(name.base) else None


def _arguments(cursor: Cursor, word: str) -> Bracket:
    if not is_bracket(cursor.item, "("):
        fail(f"{word} without its arguments", cursor.start)
    item = cursor.take()
    assert isinstance(item, Bracket)
    if any(not piece for piece in split(item.items, {","})[0]) and item.items:
        fail("a comma with nothing beside it", item.start)
    return item
