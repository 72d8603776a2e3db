r"""One spelling for each thing: marks of layers without brackets, other fonts of a letter, x_i beside X.

Pages write `z^l` for a layer, `\mathbf{z}` for a vector and `z_i` for its entry, `X` for samples and `x_i` for one.
Trees are rewritten so that each thing has one name; what two things could mean stays as it is.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import replace

from derive.meaning.indexed import indices_of
from derive.meaning.outline import Equation, names_in, walk
from derive.meaning.terms import INDEX_LETTERS, is_running
from derive.read import syntax as ast
from derive.read.spelling import render

LAYERS = frozenset(["l", r"\ell", "L"])
IDENTITY = "I"
MARKED = ("[]", "()")  # the brackets around the mark of a layer
_FONT = re.compile(r"\\(?:mathbf|boldsymbol|bm|mathrm|mathcal|mathsf|textbf|text|vec|mathit|pmb|bf|cal)\s*\{([^{}]*)\}")


def with_layer_marks(node: ast.Node) -> ast.Node:
    """Return a tree in which z^l, z^{l+1} and z^L are names with a mark, not powers."""
    if isinstance(node, ast.Power) and _is_layer(node.exponent):
        base = with_layer_marks(node.base)
        turned = isinstance(base, ast.Transpose)
        name = base.arg if isinstance(base, ast.Transpose) else base
        if isinstance(name, ast.Name) and name.sup is None:
            marked = replace(name, sup=node.exponent, style="()")
            return ast.Transpose(marked) if turned else marked
    return ast.map_children(node, with_layer_marks)


def with_marks_of_variables(nodes: Iterable[ast.Node]) -> Callable[[ast.Node], ast.Node]:
    r"""Return what writes \nabla_a C as the gradient by a^L, where no a has any other mark, or none."""
    names = {part for node in nodes for part in walk(_without_variables(node)) if isinstance(part, ast.Name)}
    used = {replace(name, subs=(), primes=0) for name in names}

    def change(node: ast.Node) -> ast.Node:
        node = ast.map_children(node, change)
        if not isinstance(node, ast.Derivative) or not isinstance(node.wrt, ast.Name) or node.wrt in used:
            return node
        marked = [name for name in used if name.base == node.wrt.base]
        return replace(node, wrt=marked[0]) if len(marked) == 1 and node.wrt == ast.Name(node.wrt.base) else node

    return change


def _without_variables(node: ast.Node) -> ast.Node:
    """Return a formula with what is differentiated in the place of derivatives."""
    node = node.of if isinstance(node, ast.Derivative) else node
    return ast.map_children(node, _without_variables)


def with_number_marks(known: Iterable[ast.Node]) -> Callable[[ast.Node], ast.Node]:
    r"""Return what writes z^1 as the z of layer 1, where equations define z^1 and a^1; δ^1 beside them as well."""
    powers = [node for node in known if isinstance(node, ast.Power) and isinstance(node.base, ast.Name)]
    marked = {(power.base.base, power.exponent) for power in powers
              if isinstance(power.base, ast.Name) and isinstance(power.exponent, ast.Number)}  # fmt: skip
    marks = {mark for _, mark in marked} if len(marked) > 1 else set()

    def change(node: ast.Node) -> ast.Node:
        node = ast.map_children(node, change)
        if not (isinstance(node, ast.Power) and isinstance(node.base, ast.Name) and node.exponent in marks):
            return node
        name = node.base
        told = (name.base, node.exponent) in marked or plain(name.base) == r"\delta"
        return replace(name, sup=node.exponent, style="()") if told and name.sup is None else node

    return change


def with_one_activation(nodes: Iterable[ast.Node]) -> Callable[[ast.Node], ast.Node]:
    r"""Return what writes \sigma^l as \sigma where both are applied: the mark is the layer's, not the function's."""
    calls = (part for node in nodes for part in walk(node) if isinstance(part, ast.Call))
    functions = {ast.unprimed(call) for call in calls}
    marked = {name for name in functions if name.sup is not None and _is_layer(name.sup)}
    bare = {name: replace(name, sup=None, style="") for name in marked}
    same = {name: plain_name for name, plain_name in bare.items() if plain_name in functions}

    def change(node: ast.Node) -> ast.Node:
        node = ast.map_children(node, change)
        if isinstance(node, ast.Call) and (name := same.get(ast.unprimed(node))) is not None:
            return replace(node, function=replace(name, primes=node.function.primes))
        return node

    return change


def with_summed_letter(equation: Equation) -> Equation:
    r"""Return an equation with \sum x_i y_i as \sum_i: the one letter in the sum that is not on the left side, too."""
    taken = _running(equation.left)

    def change(node: ast.Node) -> ast.Node:
        node = ast.map_children(node, change)
        if not (isinstance(node, ast.Big) and node.kind == "sum" and node.index is None):
            return node
        inside = [part.index for part in walk(node.body) if isinstance(part, ast.Big) and part.index is not None]
        letters = _running(node.body).difference(inside, taken)
        return replace(node, index=letters.pop()) if len(letters) == 1 else node

    return replace(equation, right=change(equation.right))


def _running(node: ast.Node) -> set[ast.Node]:
    """Return the letters that run as indices of names in a formula, below them or as the mark of a sample, x^{(i)}."""
    names = names_in(node)
    marks = [name.sup for name in names if name.sup is not None and name.style == "()"]
    return {mark for mark in (*marks, *(sub for name in names for sub in name.subs)) if is_running(mark)}


def with_letters_of_arguments(nodes: Iterable[ast.Node]) -> Callable[[ast.Node], ast.Node]:
    """Return what writes g(z_k) as g_k(z_k) where the layers have functions g_j and g_k of their own."""
    calls = (part for node in nodes for part in walk(node) if isinstance(part, ast.Call))
    own = {ast.unprimed(call) for call in calls
           if call.function.subs and _letters(call) == call.function.subs}  # fmt: skip

    def change(node: ast.Node) -> ast.Node:
        node = ast.map_children(node, change)
        if not isinstance(node, ast.Call) or node.function.subs:
            return node
        lettered = replace(node.function, subs=_letters(node))
        return replace(node, function=lettered) if replace(lettered, primes=0) in own else node

    return change


def _letters(call: ast.Call) -> tuple[ast.Node, ...]:
    """Return the letter of what a function is applied to: k of g(z_k)."""
    name = call.args[0] if len(call.args) == 1 else None
    return name.subs if isinstance(name, ast.Name) and all(map(is_running, name.subs)) else ()


def _is_layer(mark: ast.Node) -> bool:
    letter = mark.left if isinstance(mark, ast.Sum) and isinstance(mark.right, ast.Number) else mark
    return isinstance(letter, ast.Name) and letter == ast.Name(letter.base) and letter.base in LAYERS


def with_one_sign(node: ast.Node) -> ast.Node:
    r"""Return a tree in which every derivative by a variable is written with ∂."""
    node = ast.map_children(node, with_one_sign)
    return replace(node, sign=r"\partial") if isinstance(node, ast.Derivative) and node.wrt is not None else node


def with_plain_identity(known: Iterable[ast.Node], sizes: Collection[str]) -> Callable[[ast.Node], ast.Node]:
    r"""Return what writes \mathbf{I} and I_n as I, where nothing else is said of these and n is a size."""
    taken = {plain(name.base) for name in known if isinstance(name, ast.Name)}

    def change(node: ast.Node) -> ast.Node:
        if isinstance(node, ast.Name) and plain(node.base) == IDENTITY and node.sup is None and not node.primes:
            return ast.Name(IDENTITY) if all(render(sub) in sizes for sub in node.subs) else node
        return ast.map_children(node, change)

    return change if IDENTITY not in taken else lambda node: node


# ---------------------------------------------------------------- letters
def plain(base: str) -> str:
    r"""Return a letter without its font; accents stay.

    >>> plain(r"\mathbf{x}"), plain(r"\hat{\mathbf{y}}"), plain(r"\boldsymbol{\beta}")
    ('x', '\\hat{y}', '\\beta')
    """
    bare = _FONT.sub(r"\1", base)
    return bare if bare == base else plain(bare)


def same_letters(known: Iterable[ast.Name]) -> Callable[[ast.Node], ast.Node]:
    """Return what gives a name the spelling of the known name that is meant.

    That is one with the same letter in another font, where there is one alone; or, for a name with an index, the
    capital whose entries or rows it names.
    """
    names = list(known)
    exact = {_mark_free(name) for name in names}
    fonts = _by(names, plain)
    cases = _by(names, lambda base: plain(base).lower())
    stacks = _by([name for name in names if any(map(is_running, name.subs))], lambda base: plain(base).lower())

    def change(node: ast.Node) -> ast.Node:
        if isinstance(node, ast.Call):
            return replace(node, args=tuple(change(arg) for arg in node.args))
        if isinstance(node, ast.Name) and _mark_free(node) not in exact:
            found = fonts.get((plain(node.base), _scripts(node)), set())
            if not found and node.subs and all(isinstance(sub, ast.Number) for sub in node.subs):  # x_1 beside x
                found = fonts.get((plain(node.base), _scripts(replace(node, subs=()))), set())
            if not found:  # x_i beside X, or X beside x_i
                other = cases if any(map(is_running, node.subs)) else stacks
                found = other.get((plain(node.base).lower(), _scripts(node)), set())
            return replace(node, base=next(iter(found))) if len(found) == 1 else node
        if isinstance(node, ast.Big):  # its index is no name of a quantity
            upper = change(node.upper) if node.upper is not None else None
            return replace(node, body=change(node.body), upper=upper)
        return node if isinstance(node, ast.Name) else ast.map_children(node, change)

    return change


def in_one_font(left: ast.Node, right: ast.Node) -> ast.Node:
    r"""Return a right side with the fonts of the left: \mathbf{A} is A where the right has no A of its own."""
    names, own = names_in(left), {*names_in(right)}
    spelled: dict[ast.Node, ast.Node] = {}
    for name in own.difference(names):
        meant = {one for one in names if one not in own and _in_plain(one) == _in_plain(name)}
        if len(meant) == 1:
            spelled[name] = meant.pop()
    return ast.with_parts(right, spelled) if len({*spelled.values()}) == len(spelled) else right


def _in_plain(name: ast.Name) -> ast.Name:
    return replace(name, base=plain(name.base))


def _scripts(name: ast.Name) -> tuple[object, ...]:
    """Return what tells names of one letter apart: the mark, and subscripts that do not run."""
    return name.sup, tuple(sub for sub in name.subs if not is_running(sub))


def _mark_free(name: ast.Name) -> tuple[object, ...]:
    return (name.base, *_scripts(name))


def _by(names: Collection[ast.Name], key: Callable[[str], str]) -> dict[tuple[object, ...], set[str]]:
    found: dict[tuple[object, ...], set[str]] = {}
    for name in names:
        found.setdefault((key(name.base), _scripts(name)), set()).add(name.base)
    return found


def names_of(nodes: Iterable[ast.Node]) -> Iterator[ast.Name]:
    """Yield all names in some trees."""
    for node in nodes:
        yield from (part for part in walk(node) if isinstance(part, ast.Name))


def renamed(node: ast.Node, names: Mapping[ast.Name, ast.Name]) -> ast.Node:
    """Return a tree with other names; subscripts and marks stay as they are."""
    if isinstance(node, ast.Name):
        return names.get(node, node)
    return ast.map_children(node, lambda part: renamed(part, names))


# ---------------------------------------------------------------- indices
def with_samples_below(letters: Collection[str]) -> Callable[[ast.Node], ast.Node]:
    """Return what writes the sample x^{(i)} as x_i, for letters that count samples."""

    def change(node: ast.Node) -> ast.Node:
        node = ast.map_children(node, change)
        if isinstance(node, ast.Name) and isinstance(node.sup, ast.Name) and node.sup.base in letters:
            return replace(node, sup=None, style="", subs=(node.sup, *node.subs))
        return node

    return change


def sample_letters(nodes: Iterable[ast.Node]) -> set[str]:
    """Return the letters in brackets above names that a sum runs over."""
    nodes = list(nodes)
    above = {name.sup.base for name in names_of(nodes) if isinstance(name.sup, ast.Name) and name.style == "()"}
    parts = (part for node in nodes for part in walk(node))
    bound = {part.index.base for part in parts if isinstance(part, ast.Big) and isinstance(part.index, ast.Name)}
    return above & bound


def with_running_limit(node: ast.Node) -> ast.Node:
    r"""Return a tree in which `\sum_{i=1}^n \sum_{i=c}^C t_{ic}`, where i runs twice, is the sum over i and c."""

    def change(node: ast.Node, outside: frozenset[ast.Node]) -> ast.Node:
        inside = outside
        if isinstance(node, ast.Big):
            lower = node.lower
            again = node.index in outside and isinstance(lower, ast.Name) and any(
                lower in name.subs for name in names_of([node.body])
            )  # fmt: skip
            node = replace(node, index=lower, lower=ast.Number("1")) if again else node
            inside = outside | {node.index} if node.index is not None else outside
        return ast.map_children(node, lambda part: change(part, inside))

    return change(node, frozenset())


def with_usual_indices(nodes: Iterable[ast.Node], told: Collection[ast.Node] = ()) -> Callable[[ast.Node], ast.Node]:
    """Return what renames indices that letters of quantities are used for: y_c beside a sum over c becomes y_i.

    What is differentiated by, v_{ab}, is an entry where it is not told as a name of its own.
    """
    nodes = list(nodes)
    parts = [part for node in nodes for part in walk(node)]
    found = [index for part in parts if isinstance(part, ast.Big) for index in indices_of(part)]
    bound = [index for index in found if isinstance(index, ast.Name)]
    entries = [part.wrt for part in parts if isinstance(part, ast.Derivative) and isinstance(part.wrt, ast.Name)]
    bound += [sub for name in entries if name not in told for sub in name.subs if isinstance(sub, ast.Name)
              and len(name.subs) > 1]  # fmt: skip
    strange = sorted({name.base for name in bound if len(name.base) == 1 and name.base.isalpha()
                      and name.base not in INDEX_LETTERS})  # fmt: skip
    used = {sub.base for name in names_of(nodes) for sub in (*name.subs, name.sup, name) if isinstance(sub, ast.Name)}
    spare = spare_letters(used)
    renamed = {ast.Name(letter): ast.Name(new) for letter, new in zip(strange, spare, strict=False)}

    def change(node: ast.Node) -> ast.Node:
        node = ast.map_children(node, change)
        if isinstance(node, ast.Name) and node.subs:
            return replace(node, subs=tuple(renamed.get(sub, sub) if isinstance(sub, ast.Name) else sub
                                            for sub in node.subs))  # fmt: skip
        if isinstance(node, ast.Big) and isinstance(node.index, ast.Name):
            return replace(node, index=renamed.get(node.index, node.index))
        return node

    return change


def spare_letters(used: Collection[str]) -> Iterator[str]:
    """Yield the letters that an index may still have; l and k may count layers."""
    yield from sorted(INDEX_LETTERS - {*used, "l", "k"})


def apart_by_letters(known: Iterable[ast.Name], used: Iterable[ast.Name] = ()) -> Callable[[ast.Node], ast.Node]:
    """Return what tells w_{ij} from w_{jk} where both are given: letters that say which array is meant.

    Then z_j and z_k are the entries of two arrays, each called by its letters.
    """
    letters: dict[object, set[tuple[ast.Node, ...]]] = {}
    for name in known:
        if name.subs and all(map(is_running, name.subs)):
            letters.setdefault((name.base, name.sup), set()).add(name.subs)
    apart = {key for key, found in letters.items() if len(found) > 1}
    layers: set[ast.Node] = {subs[0] for found in letters.values() for subs in found if len(subs) == 1}
    lettered = [name for name in used if apart and name.subs and all(map(is_running, name.subs))]
    layers |= {sub for name in lettered if len(name.subs) > 1 and layers & {*name.subs} for sub in name.subs}
    for name in lettered:  # z_j beside z_k, where b_j and b_k are told; w_{ij} beside w_{jk}
        if layers & {*name.subs}:
            letters.setdefault((name.base, name.sup), set()).add(name.subs)
    apart = {key for key, found in letters.items() if len(found) > 1}

    def change(node: ast.Node) -> ast.Node:
        node = ast.map_children(node, change)
        if not (isinstance(node, ast.Name) and node.subs and all(map(is_running, node.subs))):
            return node
        if (node.base, node.sup) in apart or (apart and node.base == r"\delta"):
            word = "".join(sub.base for sub in node.subs if isinstance(sub, ast.Name))
            return replace(node, sup=ast.Name(word), style="()")
        return node

    return change


# ---------------------------------------------------------------- what is written as more than a letter
def as_names(trees: Iterable[ast.Node]) -> Callable[[ast.Node], ast.Node]:
    r"""Return what makes names of quantities that are written otherwise: \log\sigma, \sigma^2."""
    named: dict[ast.Node, ast.Node] = {tree: ast.Name(render(tree)) for tree in trees if not isinstance(tree, ast.Name)}
    return lambda node: ast.with_parts(node, named)


def squares(lefts: Iterable[ast.Node]) -> Iterator[ast.Node]:
    r"""Yield the squares that equations define: \sigma^2 = …, where nothing says what \sigma is."""
    lefts = list(lefts)
    for left in lefts:
        if isinstance(left, ast.Power) and isinstance(left.base, ast.Name) and left.base not in lefts:
            yield left
