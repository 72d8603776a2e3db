"""What the statements of a page are: definitions, functions, declarations, updates, claims; each in its section."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace
from itertools import pairwise

from derive.errors import UnreadError
from derive.markup.blocks import Broken, Formula, Heading, Page, Prose
from derive.meaning.conditions import Spoken, condition_on_indices, split_condition
from derive.meaning.limits import without_limits
from derive.meaning.standing import ASSUMED, reads_differentials
from derive.notation import bare_letter
from derive.read import syntax as ast
from derive.read.latex import Statement, defined_functions, read_parts, standing_letters
from derive.read.spelling import render

EQUALS = ("=", ":=", r"\equiv", r"\triangleq")
walk = ast.walk
_LABEL = re.compile(r"^([ \t]*)(?:[-*+]|\d+\.)\s+\*\*(.+?)\*\*", re.MULTILINE)
_NEAR = 12  # lines between a formula and the next that goes on with its chain
_TAGGED = re.compile(r"\s*\\tag\*?\s*\{[^{}]*\b(?:if|when|where|assuming|provided|only)\b")
_PLACEHOLDER = re.compile(r"const", re.IGNORECASE)  # `some_constant` stands for another number each time


@dataclass(frozen=True, slots=True)
class Place:
    """Where a statement stands: headings from the top, the item of a list, line and column, the words around."""

    headings: tuple[str, ...]
    section: int
    label: str
    line: int
    column: int
    before: str = ""
    after: str = ""


@dataclass(frozen=True, slots=True)
class Equation:
    """`left = right` as written; the links of a chain come one by one, and share the chain's place.

    `own` is where a further link stands itself: one that goes on with the chain of the equation right before it.
    `only` is the condition on two indices under which it is said, `limit` the right side as written, with limits.
    """

    left: ast.Node
    right: ast.Node
    latex: str
    place: Place
    own: Place | None = None
    only: ast.Relation | None = None
    limit: ast.Node | None = None

    @property
    def shown(self) -> tuple[str, str]:
        """Both sides as they are spelled to users."""
        return render(self.left), render(self.limit or self.right)

    @property
    def stands(self) -> Place:
        """Where it stands itself, also as a link of a chain."""
        return self.own or self.place


@dataclass(frozen=True, slots=True)
class Unread:
    """A statement that was not understood."""

    latex: str
    reason: str
    place: Place


@dataclass(slots=True)
class Outline:
    """Everything that the page states, in order."""

    equations: list[Equation] = field(default_factory=list)
    unread: list[Unread] = field(default_factory=list)
    declared: dict[str, tuple[str, ...]] = field(default_factory=dict)
    declared_in: dict[str, int] = field(default_factory=dict)  # the section in which each was declared last
    domains: dict[str, str] = field(default_factory=dict)
    words: dict[str, str] = field(default_factory=dict)
    prose: dict[int, str] = field(default_factory=dict)
    headings: dict[int, tuple[str, ...]] = field(default_factory=dict)
    updates: list[Equation] = field(default_factory=list)
    stretched: bool = False  # whether a vector beside a matrix is one beside each of its columns, or rows
    assumed: dict[str, None] = field(default_factory=dict)  # what macros were taken to mean, in order


def outline(page: Page) -> Outline:
    """Read every formula of a page; nothing is judged yet."""
    functions = {name for formula in page.formulas() for name in defined_functions(formula.latex)}
    quantities = {letter for formula in page.formulas() for letter in standing_letters(formula.latex)}
    changes = bool(quantities) and reads_differentials([formula.latex for formula in page.formulas()])
    found = Outline(assumed={ASSUMED: None} if changes else {})
    spoken, before = Spoken(), 0
    for formula, place in _placed(page, found):
        spoken.hears(place.before, place.section)
        first = len(found.equations)
        standing = standing_letters(formula.latex) if changes else quantities
        for part in read_parts(formula.latex, functions, standing):
            if isinstance(part, Statement):
                found.assumed.update(dict.fromkeys(part.assumed))
                only = condition_on_indices(part.node)
                if only is None:
                    take(part, formula, place, found)
                elif len(found.equations) > first:
                    _restrict(found, first, only)
                elif not spoken.takes(only, place.before, place.after):
                    _restrict(found, before, only)
            elif _states_something(part.latex):
                found.unread.append(Unread(part.latex, part.reason, _at(place, formula, part.column)))
        if spoken.condition is not None:
            _restrict(found, first, spoken.condition)
        before = first if len(found.equations) > first else before
    return found


def _restrict(found: Outline, first: int, only: ast.Relation) -> None:
    """Say of derivatives from some equation on that they are meant under a condition on their indices."""
    for at, item in enumerate(found.equations[first:], first):
        letters = {sub for part in walk(item.left) if isinstance(part, ast.Name) for sub in part.subs}
        wanted = letters & {*only.links}
        if item.only is None and derivatives_in(item.left) and wanted and (only.signs[0] == "=" or len(wanted) == 2):
            found.equations[at] = replace(item, only=only)


def _states_something(latex: str) -> bool:
    """Tell whether a formula holds an equation; a lone symbol or fragment claims nothing."""
    bare = re.sub(r"_\{[^{}]*\}|\\(?:leq|geq|neq|le|ge|ne)\b", "", latex)
    return (
        not _PLACEHOLDER.search(latex)
        and re.search(r"(?<![<>:!])=|\\equiv|\\triangleq", bare) is not None
        and not re.search(r"=\s*\?", bare)
    )


def _placed(page: Page, found: Outline) -> Iterator[tuple[Formula, Place]]:
    """Yield formulas with their places; collect the prose of each section on the way."""
    headings: list[Heading] = []
    section = 0
    labels: list[tuple[int, str]] = []
    blocks = page.blocks
    found.headings[0] = ()
    for k, block in enumerate(blocks):
        if isinstance(block, Heading):
            headings = [h for h in headings if h.level < block.level] + [block]
            section, labels = section + 1, []
            found.headings[section] = tuple(h.text.strip().rstrip(":") for h in headings)
        elif isinstance(block, Prose):
            labels = _open_labels(block, labels)
            found.prose[section] = found.prose.get(section, "") + " " + block.text
        else:
            place = Place(
                found.headings[section], section, labels[0][1] if labels else "", block.line, block.column,
                _words(blocks[k - 1] if k else None), _words(blocks[k + 1] if k + 1 < len(blocks) else None),
            )  # fmt: skip
            if isinstance(block, Broken):
                found.unread.append(Unread(block.text, block.reason, place))
            else:
                yield block, place


def _open_labels(block: Prose, labels: list[tuple[int, str]]) -> list[tuple[int, str]]:
    """Return the labels of the list items that a place stands in, outermost first, after some prose."""
    for match in _LABEL.finditer(block.text):
        indent = len(match[1]) if match.start() else block.column - 1
        labels = [*(pair for pair in labels if pair[0] < indent), (indent, match[2].strip().rstrip(":"))]
    return labels


def _words(block: object) -> str:
    return block.text if isinstance(block, Prose) else ""


def take(statement: Statement, formula: Formula, place: Place, found: Outline) -> None:
    """Note what a statement of a formula says: a definition or a claim, a declaration, an update."""
    at = _at(place, formula, statement.column)
    node = _continued(statement, at, found)
    if node is None:
        return
    if isinstance(node, ast.Relation) and _TAGGED.match(formula.latex[statement.column - 1 + len(statement.latex) :]):
        found.unread.append(Unread(statement.latex, "it holds under a condition in words, which is not read", at))
        return
    said = node
    try:
        node = _limits_taken(node, found)
    except UnreadError as error:
        found.unread.append(Unread(statement.latex, str(error), at))
        return
    if isinstance(node, ast.Name):
        _take_mention(node, place.after, found)
    if not isinstance(node, ast.Relation):
        return
    if node.signs == (r"\in",):
        _take_declaration(node, at, found)
    elif r"\leftarrow" in node.signs or is_update(node):
        found.updates.append(Equation(node.links[0], node.links[1], statement.latex, at))
    elif all(sign in EQUALS for sign in node.signs) and not _is_placeholder(node):
        found.equations += _with_limits(_linked(statement, node, formula, at, found), node, said)


def _limits_taken(node: ast.Node, found: Outline) -> ast.Node:
    """Return a statement with each side's limits taken; raises UnreadError where one is not understood."""
    if not isinstance(node, ast.Relation) or not any(isinstance(part, ast.Limit) for part in walk(node)):
        return node
    defined = {equation.left for equation in found.equations if isinstance(equation.left, ast.Name)}
    return replace(node, links=tuple(without_limits(side, defined) for side in node.links))


def _linked(statement: Statement, node: ast.Relation, formula: Formula, at: Place, found: Outline) -> list[Equation]:
    """Return the equations of a chain, each further link with its own place and under the chain's condition."""
    equations = list(pairs(node))
    before = found.equations[-1].only if found.equations and _goes_on(statement.node) else None
    only = _only(statement.node) or before
    columns = statement.columns[-len(equations) :]
    linked: list[Equation] = []
    for k, (left, right) in enumerate(equations):
        further = k > 0 or _goes_on(statement.node)
        own = _at(at, formula, columns[k]) if further and len(columns) == len(equations) else at if further else None
        linked.append(Equation(left, right, statement.latex, at, own, only))
    return linked


def _with_limits(equations: list[Equation], node: ast.Relation, said: ast.Node) -> list[Equation]:
    """Return the equations of a chain with the right sides that had limits as they were written."""
    if said is node or not isinstance(said, ast.Relation):
        return equations
    written = said.links[len(said.links) - len(equations) :]
    return [
        equation if equation.right == link else replace(equation, limit=link)
        for equation, link in zip(equations, written, strict=True)
    ]


def _goes_on(node: ast.Node) -> bool:
    """Tell whether a statement begins with its relation, so that it is a further link of the chain before."""
    relation = node.body if isinstance(node, ast.Where) else node
    return isinstance(relation, ast.Relation) and isinstance(relation.links[0], ast.Implied)


def _at(place: Place, formula: Formula, column: int) -> Place:
    line, column = formula.place(column)
    return replace(place, line=line, column=column)


def _continued(statement: Statement, at: Place, found: Outline) -> ast.Node | None:
    """Return what a statement says: with the left side of the chain before it, without a condition that only counts.

    What holds only where something else does is noted as unread, and so is a chain without its beginning.
    """
    node = statement.node
    reason = ""
    if isinstance(node, ast.Where):
        if counts(node) or _only(statement.node) is not None:
            node = node.body
        elif isinstance(node.body, ast.Relation):
            reason = f"it holds only {node.word} something does, and conditions are not used here"
    if isinstance(node, ast.Relation):
        node = split_condition(node)[0]
    if isinstance(node, ast.Relation) and isinstance(node.links[0], ast.Implied):
        before = found.equations[-1] if found.equations else None
        near = before is not None and before.place.section == at.section and at.line - before.place.line <= _NEAR
        if before is None or not near:
            reason = "the formula begins with its relation, and no equation stands right before it"
        else:
            node = replace(node, links=(before.left, *node.links[1:]))
    if _only(statement.node) is not None and not (isinstance(node, ast.Relation) and derivatives_in(node.links[0])):
        reason = "it holds only under a condition, and says of no derivative what it is"
    if reason and _states_something(statement.latex):
        found.unread.append(Unread(statement.latex, reason, at))
    return None if reason else node


def _only(node: ast.Node) -> ast.Relation | None:
    """Return the condition on two indices that a statement ends in."""
    if isinstance(node, ast.Where):
        return condition_on_indices(node.condition)
    return split_condition(node)[1] if isinstance(node, ast.Relation) else None


def counts(node: ast.Where) -> bool:
    r"""Tell whether a condition only says what an index runs over: `\text{for } i = 1, \ldots, n`, `for all i`."""
    if node.word.split(" ")[0].lower() != "for":
        return False
    condition = node.condition
    if isinstance(condition, ast.Group):
        return all(counts(replace(node, condition=item)) for item in condition.items)
    if isinstance(condition, ast.Relation):
        ends = condition.links[-1]
        listed = isinstance(ends, ast.Group) or any(isinstance(part, ast.Dots) for part in walk(ends))
        return condition.signs == (r"\in",) or (condition.signs == ("=",) and listed)
    return condition is None or isinstance(condition, ast.Name)


def pairs(node: ast.Relation) -> Iterator[tuple[ast.Node, ast.Node]]:
    """Yield the equations of a chain: a = b = c says a = b, then b = c; a call stays the left side.

    So does a name, up to the next name.
    """
    links = node.links
    if len(links) > 2 and isinstance(links[0], ast.Name) and _is_of_names(links[1]):
        links = links[1:]  # y = f(x) = … defines f; y only says what its value is called
    first = links[0]
    for left, right in pairwise(links):
        if isinstance(left, ast.Name) or (isinstance(left, ast.Call) and isinstance(first, ast.Name)):
            first = left
        yield _of_an_entry(first, right), right


def _of_an_entry(left: ast.Node, right: ast.Node) -> ast.Node:
    r"""Return f(z_i) for the entry f(z)_i of a function whose formula speaks of z_i; any other side as it is."""
    if not (isinstance(left, ast.Entry) and isinstance(left.arg, ast.Call) and len(left.arg.args) == 1):
        return left
    (arg,) = left.arg.args
    own = [name for name in names_in(right) if name.subs == left.subs and isinstance(arg, ast.Name)
           and bare_letter(name.base) == bare_letter(arg.base) and name.sup == arg.sup]  # fmt: skip
    return replace(left.arg, args=(own[0],)) if own else left


def _is_of_names(node: ast.Node) -> bool:
    return isinstance(node, ast.Call) and all(isinstance(arg, ast.Name) for arg in node.args)


def is_update(node: ast.Relation) -> bool:
    """Tell whether an equation gives a name a new value in terms of the old one, such as x = x - s."""
    left = node.links[0]
    return len(node.links) == 2 and isinstance(left, ast.Name) and any(part == left for part in walk(node.links[1]))


def names_in(node: ast.Node, bound: frozenset[ast.Node] = frozenset()) -> list[ast.Name]:
    """Return the names in a tree that stand for values: no functions, no scripts, no summation indices."""
    if isinstance(node, ast.Name):
        return [] if node in bound else [node]
    if isinstance(node, ast.Big):
        inner = bound | ({node.index} if node.index is not None else frozenset())
        return names_in(node.body, inner) + (names_in(node.upper, bound) if node.upper is not None else [])
    parts = node.args if isinstance(node, ast.Call) else ast.children(node)
    return [name for part in parts for name in names_in(part, bound)]


def derivatives_in(node: ast.Node) -> list[ast.Derivative]:
    """Return the derivatives in a formula."""
    return [part for part in walk(node) if isinstance(part, ast.Derivative)]


def sides_in(equations: Iterable[Equation]) -> list[ast.Node]:
    """Return the formulas of equations: the left and the right side of each."""
    return [side for equation in equations for side in (equation.left, equation.right)]


def with_sides(equation: Equation, change: Callable[[ast.Node], ast.Node]) -> Equation:
    """Return an equation with each side replaced by what `change` makes of it."""
    return replace(equation, left=change(equation.left), right=change(equation.right))


def _is_placeholder(node: ast.Node) -> bool:
    return any(
        isinstance(part, ast.Name) and len(part.base) > 4 and _PLACEHOLDER.search(part.base) for part in walk(node)
    )


def _take_mention(name: ast.Name, after: str, found: Outline) -> None:
    """Note what the words after a symbol say of it: `$x$: Input vector`, `$W$ is the weight matrix`."""
    clause = re.match(r"\s*(?::|is\b|are\b|denotes\b|be\b|,?\s*the\b|=)([^.\n;]{0,80})", after)
    if clause:
        found.words.setdefault(render(name), clause[1].lower())


def _take_declaration(node: ast.Relation, at: Place, found: Outline) -> None:
    r"""Note the sizes in $W, V \in \mathbb{R}^{h \times n}$."""
    left, right = node.links
    names = left.items if isinstance(left, ast.Group) else (left,)
    sizes = _sizes(right)
    if sizes is not None:
        for name in names:
            if isinstance(name, ast.Name):
                found.declared[render(name)] = sizes
                found.declared_in[render(name)] = at.section


def _sizes(space: ast.Node) -> tuple[str, ...] | None:
    if isinstance(space, ast.Name) and space.base == r"\mathbb{R}":
        return ()
    if not isinstance(space, ast.Power) or space.base != ast.Name(r"\mathbb{R}"):
        return None
    factors: list[ast.Node] = [space.exponent]
    while isinstance(factors[0], ast.Product) and factors[0].sign == r"\times":
        factors[:1] = [factors[0].left, factors[0].right]
    words = tuple(map(_size, factors))
    return words if all(words) else None


def _size(node: ast.Node) -> str:
    """Return a size as a word: n, 10, m*d; "" for what is none."""
    if isinstance(node, ast.Product) and node.sign in ("", r"\cdot"):
        left, right = _size(node.left), _size(node.right)
        return f"{left}*{right}" if left and right else ""
    return render(node) if isinstance(node, ast.Name | ast.Number) else ""
