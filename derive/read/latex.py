r"""A formula in LaTeX, read into statements: chains of relations, each with its condition.

`clauses.py` has cut it; what is between two relation signs is read by `factors.py`. Nothing is guessed: what is not
understood raises `UnreadError` with the column in the source.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache

from derive.errors import UnreadError
from derive.read import vocabulary as words
from derive.read.aims import without_aims
from derive.read.calculus import is_composition
from derive.read.clauses import Clause, clauses, listed, trimmed
from derive.read.factors import FactorReader
from derive.read.names import plain_name
from derive.read.nesting import Bracket, Cursor, Item, fail, is_bracket, nest, split, text
from derive.read.scripts import read_scripts
from derive.read.syntax import Group, Implied, Name, Node, Relation, Where
from derive.read.tokens import Token, scan

MAX_DEPTH = 200
_AFTER = words.RELATIONS | words.OPERATORS | {"", "}", ")", "]", ",", ".", ";", r"\\", "&"}
EQUALITIES = ("=", ":=", r"\equiv", r"\approx", r"\propto", r"\leq", r"\geq", "<", ">")


@dataclass(frozen=True, slots=True)
class Statement:
    """One statement of a formula: its tree, where it begins (from 1) and how it is written.

    `assumed` says of each macro that nobody defined what it was taken to mean; `columns` where each link of a chain
    begins.
    """

    node: Node
    column: int
    latex: str
    assumed: tuple[str, ...] = ()
    columns: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Refused:
    """A statement that is not understood: why, at which column, where it begins and how it is written."""

    reason: str
    at: int
    column: int
    latex: str


LONG = 4000  # characters of a formula that is not kept to be asked for again


def read_statements(
    source: str, functions: Collection[str] = frozenset(), quantities: Collection[str] = frozenset()
) -> list[Statement]:
    r"""Read all statements of a formula, in order.

    Args:
        source: LaTeX without its dollar signs.
        functions: Spellings that the page uses as functions, such as `f` or `\xi`.
        quantities: Letters that stand for a quantity: where `d` is one, `dx` may be a product and is not read.
    Raises:
        UnreadError: A part that is not understood or has two readings; the column counts from 1.

    >>> [statement.latex for statement in read_statements(r"a = 1; \; b &= 2 \\ c &= a b")]
    ['a = 1', 'b &= 2', 'c &= a b']
    """
    parts = read_parts(source, functions, quantities)
    refused = next((part for part in parts if isinstance(part, Refused)), None)
    if refused is not None:
        raise UnreadError(refused.reason, refused.at)
    return [part for part in parts if isinstance(part, Statement)]


def read_parts(
    source: str, functions: Collection[str] = frozenset(), quantities: Collection[str] = frozenset()
) -> list[Statement | Refused]:
    r"""Read the statements of a formula, each by itself: one that is not understood leaves the others.

    >>> [type(part).__name__ for part in read_parts(r"a &= b \\ c &= \foo")]
    ['Statement', 'Refused']
    """
    read = _read_parts if len(source) < LONG else _read_parts.__wrapped__
    return list(read(source, frozenset(functions), frozenset(quantities)))


@lru_cache(maxsize=1 << 12)  # a page's formulas are read again for every claim that is judged with them
def _read_parts(
    source: str, functions: frozenset[str], quantities: frozenset[str]
) -> tuple[Statement | Refused, ...]:  # fmt: skip
    try:
        tokens = scan(without_aims(source), functions)
        found = clauses(nest(tokens))
    except UnreadError as error:
        return (Refused(str(error), error.column or 1, 1, source),)
    except RecursionError:
        return (Refused("the formula is nested too deeply; split it", 1, 1, source),)
    if not found:
        return (Refused("the formula is empty", 1, 1, source),)
    said = [token for token in tokens if token.assumed]
    parts = (_part(clause, source, said, FactorReader(functions, quantities)) for clause in found)
    return tuple(part for some in parts for part in some)


def read_formula(
    source: str, functions: Collection[str] = frozenset(), quantities: Collection[str] = frozenset()
) -> Node:
    r"""Read a formula that is one statement.

    Raises:
        UnreadError: It is not understood, or it holds no statement or several.

    >>> read_formula(r"\tfrac{a}{2}") == read_formula(r"\frac a2")
    True
    """
    statements = read_statements(source, functions, quantities)
    if len(statements) != 1:
        raise UnreadError(f"{len(statements)} statements where one is expected", 1)
    return statements[0].node


def defined_functions(source: str) -> set[str]:
    r"""Find the names that a formula shows to be functions.

    These are `f(x, y) = …`, `f(x)` alone on its own, and `g'_k(z)` anywhere. The arguments must be plain
    names, but behind a prime. A formula that cannot be scanned shows nothing.

    >>> defined_functions(r"y = f(x) = x + 1")
    {'f'}
    """
    try:
        items = nest(scan(without_aims(source)))
        pieces = [clause.items for clause in clauses(items)]
    except UnreadError:
        return set()
    links = [link for piece in pieces for link in split(piece, ("=", ":=", r"\equiv", r"\triangleq"))[0][:-1]]
    if len(pieces) == 1 and not split(pieces[0], words.RELATIONS)[1]:
        links = pieces
    return {name for link in links if (name := _defined(link))} | _primed(items)


def letters_always_applied(sources: Iterable[str]) -> set[str]:
    r"""Find which letters stand nowhere in some formulas but before a round bracket, of one thing alone.

    They are f, g and h, and others that stand before a name alone at least once, R(z): no product has such brackets.

    >>> sorted(letters_always_applied([r"y = f_1(A x)", r"h = f(B y) + g(h - 1)", "R(z) + c (a + b)"]))
    ['R', 'f', 'g']
    """
    found: dict[str, bool] = {}
    shown = set(words.USUAL_FUNCTIONS)
    for source in sources:
        try:
            stack: list[Sequence[Item]] = [nest(scan(source))]
        except UnreadError:
            return set()
        while stack:
            row = stack.pop()
            stack += [item.items for item in row if isinstance(item, Bracket)]
            for at, item in enumerate(row):
                if isinstance(item, Token) and item.kind == "name" and item.text in words.APPLIED:
                    bracket = _bracket_behind(item, row, at)
                    found[item.text] = found.get(item.text, True) and bracket is not None
                    shown |= {item.text} if bracket is not None and _holds_names(bracket) else set()
    return {letter for letter, applied in found.items() if applied and letter in shown}


def _bracket_behind(token: Token, row: Sequence[Item], at: int) -> Bracket | None:
    """Return the round bracket, of one thing alone, that stands behind a letter and its scripts."""
    cursor = Cursor(row, at + 1)
    try:
        read_scripts(cursor, FactorReader(frozenset()))
    except UnreadError:
        return None
    item = cursor.item
    called = token.run in ("", token.text) and isinstance(item, Bracket) and item.kind == "("
    return item if called and isinstance(item, Bracket) and not split(item.items, {","})[1] else None


def standing_letters(source: str) -> set[str]:
    r"""Find whether `d` stands for a quantity in a formula: alone, as in `\mathbb{R}^d`, and not in `\frac{d}{dx}`.

    >>> standing_letters(r"x \in \mathbb{R}^{n \times d}"), standing_letters(r"\frac{d}{dx} f")
    ({'d'}, set())
    """
    try:
        tokens = scan(source)
    except UnreadError:
        return set()
    texts = ["", "", *(token.text for token in tokens), "", ""]
    for at, word in enumerate(texts):
        ends = texts[at + 1] in _AFTER if word == "d" else False
        if ends and not (texts[at - 1] == "{" and texts[at - 2] == r"\frac"):
            return {"d"}
    return set()


def _primed(items: Sequence[Item]) -> set[str]:
    """Collect the letters that are primed and applied, `g` of `g'_k(z)`, and f, g, h before a name in brackets."""
    found: set[str] = set()
    stack = [items]
    while stack:
        row = stack.pop()
        stack += [item.items for item in row if isinstance(item, Bracket)]
        for at, item in enumerate(row):
            behind = row[at + 1] if at + 1 < len(row) else None
            if is_bracket(item, "{") and is_bracket(behind, "(") and (first := _letter(item)) and _usual(first, behind):
                found.add(first.text)  # {h_\theta}(x), in braces
            if not (isinstance(item, Token) and item.kind == "name" and item.text not in words.FUNCTION_WORDS):
                continue
            cursor = Cursor(row, at + 1)
            try:
                scripts = read_scripts(cursor, FactorReader(frozenset()))
            except UnreadError:
                continue
            if is_bracket(cursor.item, "(") and (scripts.primes or _usual(item, cursor.item)):
                found.add(item.text)
    return found


def _letter(item: Item | None) -> Token | None:
    """Return the letter that begins a name in braces."""
    while isinstance(item, Bracket) and item.kind == "{" and item.items:
        item = item.items[0]
    return item if isinstance(item, Token) and item.kind == "name" else None


def _usual(token: Token, bracket: Item | None) -> bool:
    """Say whether `h(x)` is a call for all who read it: the brackets of a product would be idle."""
    usual = token.text in words.USUAL_FUNCTIONS and token.run == token.text
    return usual and isinstance(bracket, Bracket) and _holds_names(bracket)


def _holds_names(bracket: Bracket) -> bool:
    try:
        return all(plain_name(piece, FactorReader(frozenset())) for piece in split(bracket.items, {","})[0])
    except UnreadError:
        return False


def _defined(link: Sequence[Item]) -> str | None:
    link = [item for item in link if text(item) != "&"]
    if len(link) < 2 or not is_bracket(link[-1], "("):
        return None
    assert isinstance(link[-1], Bracket)
    reader = FactorReader(frozenset())
    arguments = split(link[-1].items, {","})[0]
    try:
        listed = all(plain_name(piece, reader) for piece in arguments)
        name = plain_name(link[:-1], reader)
    except UnreadError:
        return None
    if not listed or (name == Name(words.UPRIGHT_D) and len(arguments) == 1):  # a differential
        return None
    runs = {item.run if isinstance(item, Token) else "" for item in link[:-1]}
    if len(link) > 2 and len(runs) == 1 and runs != {""}:
        return runs.pop()
    return name.base if name else None


def _part(clause: Clause, source: str, said: Sequence[Token], reader: FactorReader) -> list[Statement | Refused]:
    items = trimmed(clause.items, "&")
    start, end = clause.items[0].start, (items or clause.items)[-1].end
    latex = source[start:end]
    try:
        node = _read(items, clause, start, reader)
    except UnreadError as error:
        return _without_unread_links(items, clause, source, said, reader) or [
            Refused(str(error), error.column or start + 1, start + 1, latex)
        ]
    except RecursionError:
        return [Refused("the formula is nested too deeply; split it", start + 1, start + 1, latex)]
    assumed = dict.fromkeys(token.assumed for token in said if start <= token.start < end)
    return [Statement(node, start + 1, latex, tuple(assumed), _columns(items, start, source))]


def _columns(items: Sequence[Item], start: int, source: str) -> tuple[int, ...]:
    """Give where the links of a chain begin: with their signs, but where a sign ends the row before."""
    columns = [start + 1]
    links, signs = split(items, words.RELATIONS)
    for sign, link in zip(signs, links[1:], strict=True):
        cut = link and r"\\" in source[sign.end : link[0].start]
        columns.append((link[0] if cut else sign).start + 1)
    return tuple(columns)


def _without_unread_links(
    items: Sequence[Item], clause: Clause, source: str, said: Sequence[Token], reader: FactorReader
) -> list[Statement | Refused]:
    """Read a chain `a = b = c` of which b is not understood: it says a = c nonetheless. Nothing for anything else."""
    links, signs = split(items, words.RELATIONS)
    if len(links) < 3 or {sign.text for sign in signs} != {"="} or not links[0]:
        return []
    found: list[Statement | Refused] = []
    kept: list[Item] = list(links[0])
    for sign, link in zip(signs, links[1:], strict=True):
        refused = _tried(Clause([*links[0], sign, *link]), source, reader)
        if refused and refused[0].at <= links[0][-1].end:
            return []
        found += refused
        kept += [] if refused else [sign, *link]
    if not found or len(kept) == len(links[0]):
        return []
    return [*_part(Clause(kept, clause.word, clause.condition), source, said, reader), *found]


def _tried(clause: Clause, source: str, reader: FactorReader) -> list[Refused]:
    """Give the refusal of an equation whose right side stands anywhere behind; nothing where it is understood."""
    try:
        _read(clause.items, clause, clause.items[0].start, reader)
    except UnreadError as error:
        link = split(clause.items, {"="})[0][-1]
        start = link[0].start if link else clause.items[-1].start
        latex = "= " + source[start : clause.items[-1].end]
        return [Refused(str(error), error.column or start + 1, start + 1, latex)]
    return []


def _read(items: Sequence[Item], clause: Clause, start: int, reader: FactorReader) -> Node:
    node = _related(items, start, reader)
    if clause.word and isinstance(node, Where):
        fail("two conditions on one statement", start)
    if clause.word:
        given = trimmed(clause.condition, "&", r"\quad")
        pieces = [_related(piece, piece[0].start, reader) for piece in listed(given)] if given else []
        condition = Group(tuple(pieces)) if len(pieces) > 1 else next(iter(pieces), None)
        node = Where(node, clause.word, condition)
    _check_depth(node, start)
    if is_composition(node, reader.functions):
        fail(r"a composition of functions", start)
    return node


def _related(items: Sequence[Item], start: int, reader: FactorReader) -> Node:
    r"""Read a chain of relations; one that begins with its sign goes on with the formula before."""
    if not items or text(items[0]) not in EQUALITIES or len(items) == 1:
        pieces, signs = split(items, {":"})
        if len(signs) == 1 and all(pieces) and split(pieces[0], EQUALITIES)[1] and split(pieces[1], EQUALITIES)[1]:
            return Where(reader.relation(pieces[1], start), "if", reader.relation(pieces[0], start))
        return reader.relation(items, start)
    rest = reader.relation(items[1:], items[0].end)
    links, signs_ = (rest.links, rest.signs) if isinstance(rest, Relation) else ((rest,), ())
    return Relation((Implied("left side"), *links), (text(items[0]), *signs_))


def _check_depth(node: Node, start: int) -> None:
    """Refuse a tree that later, recursive code could not walk; a sum of 300 terms is 300 deep."""
    level: list[object] = [node]
    for _ in range(MAX_DEPTH):
        level = [child for part in level for child in _children(part)]
        if not level:
            return
    fail(f"a formula nested more than {MAX_DEPTH} deep", start)


def _children(part: object) -> list[object]:
    if isinstance(part, tuple):
        return list(part)
    return [getattr(part, slot) for slot in getattr(part, "__slots__", ()) if not isinstance(getattr(part, slot), str)]
