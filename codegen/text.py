r"""The text of a program, for people and for tests: written by `show`, read back by `read_program`.

    program cat detection
    dtype float32
    size n = 3
    data X[batch,n] as 1,0  # X
    temp t1[batch,t,j]  # L
    (1) L = \ldots
    stable (1) log-sum-exp
    t1[b,t,j] = X[b,0+2*t+j]  # (1) L

An index that is computed starts with its offset, `0+2*t+j-…`; one that is looked up with `@`. What the sheet calls a
value or an equation stands at the end of a line. Nothing here is run as code.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from fractions import Fraction

from codegen.errors import CodegenError
from codegen.program import (
    BATCH,
    Affine,
    Body,
    Call,
    Contract,
    Index,
    Lookup,
    Map,
    Number,
    Pick,
    Position,
    Program,
    Reduce,
    Ref,
    Samples,
    Scatter,
    Size,
    Statement,
    Value,
    Whole,
)

POSITION = "position"


def show(program: Program) -> str:
    """Write a program as text."""
    lines = [f"program {_words(program.title)}", f"dtype {program.dtype}", f"outputs {' '.join(program.outputs)}"]
    lines += [f"gradient {name} by {of}" for of, name in program.gradients.items()]
    lines += [f"size {name} = {length}" for name, length in program.sizes.items()]
    lines += [_show_value(value) for value in program.values.values()]
    lines += [f"({eq}) {_words(text)}" for eq, text in program.formulas.items()]
    lines += [f"stable ({eq}) {'; '.join(names)}" for eq, names in program.stable.items()]
    for head, statements in (("computed", program.statements), ("updated", program.updates)):
        lines += [head, *(f"{show_statement(s)}  # ({s.eq}) {_called(program, s)}".rstrip() for s in statements)]
    return "\n".join(lines) + "\n"


def _called(program: Program, statement: Statement) -> str:
    return " ".join(program.values[statement.out.name].latex.splitlines())


def _show_value(value: Value) -> str:
    order = f" as {','.join(map(str, value.sheet)) or '-'}" if value.sheet != _usual_order(value) else ""
    return f"{value.role} {value.name}[{','.join(map(str, value.sizes))}]{order}  # {_words(value.latex)}"


def _usual_order(value: Value) -> tuple[int, ...]:
    return () if value.role == "temp" else tuple(range(len(value.sizes)))


def _words(text: str) -> str:
    """Return a text on one line; quoted where it would not be read back as it is."""
    plain = text == text.strip() and text.isprintable() and not text.startswith('"') and "  # " not in text
    return text if plain else json.dumps(text)


def show_statement(statement: Statement) -> str:
    """Write one statement: `Z1[b,h] = contract n: X[b,n] W1[h,n]`."""
    if isinstance(statement, Scatter):
        return f"{show_body(statement.out)} += {show_body(statement.body)}"
    left = f"{show_body(statement.out)} = "
    if isinstance(statement, Contract):
        over = [label for label in statement.a.labels if label not in statement.out.labels]
        return f"{left}contract {','.join(over)}: {show_body(statement.a)} {show_body(statement.b)}"
    if isinstance(statement, Whole):
        return f"{left}whole {statement.op}: {' '.join(map(show_body, statement.args))}"
    if isinstance(statement, Map):
        return left + show_body(statement.body)
    return f"{left}{statement.op} {','.join(statement.over)}: {show_body(statement.body)}"


def show_body(body: Body) -> str:
    """Write a body with its operations as calls.

    >>> show_body(Call("exp", (Pick("X", ("c", Affine(-1, ((2, "t"), (1, "j"))), Lookup(Ref("i", ("b",))))),)))
    'exp(X[c,-1+2*t+j,@i[b]])'
    """
    if isinstance(body, Ref):
        return f"{body.name}[{','.join(body.labels)}]" if body.labels else body.name
    if isinstance(body, Pick):
        return f"{body.name}[{','.join(map(_show_index, body.index))}]"
    if isinstance(body, Call):
        return f"{body.op}({', '.join(map(show_body, body.args))})"
    if isinstance(body, Position):
        return f"{POSITION}({body.label})"
    return BATCH if isinstance(body, Samples) else str(body.value)


def _show_index(index: Index) -> str:
    if isinstance(index, Lookup):
        return f"@{show_body(index.ref)}"
    if isinstance(index, str):
        return index
    steps = (f"{'+' if c >= 0 else '-'}{'' if abs(c) == 1 else f'{abs(c)}*'}{label}" for c, label in index.terms)
    return f"{index.offset}{''.join(steps)}"


# ---------------------------------------------------------------- reading
_WORD = r"[A-Za-z]\w*"
_TOKENS = re.compile(r"\s*(-?[0-9][0-9.]*(?:e[+-]?[0-9]+)?(?:/[0-9]+)?|[A-Za-z_]\w*|\S)")
_VALUE = re.compile(rf"({_WORD}) (\w+)\[([\w,]*)\](?: as ([-0-9,]+))?")


def read_program(text: str) -> Program:
    """Return the program of a text that `show` wrote.

    Raises:
        CodegenError: a line is none of a program; the message shows it.
    """
    title, dtype, outputs = "", "", tuple[str, ...]()
    gradients, sizes, values, formulas = dict[str, str](), dict[str, int](), dict[str, Value](), dict[str, str]()
    stable: dict[str, tuple[str, ...]] = {}
    parts: dict[str, list[Statement]] = {"computed": [], "updated": []}
    now: list[Statement] | None = None
    for line in text.splitlines():
        word, _, rest = line.partition(" ")
        if line in parts:
            now = parts[line]
        elif now is not None:
            now.append(_read_statement(line))
        elif word == "program":
            title = _read_words(rest)
        elif word == "dtype":
            dtype = rest
        elif word == "outputs":
            outputs = tuple(rest.split())
        elif word == "gradient" and (found := re.fullmatch(r"(\w+) by (\w+)", rest)):
            gradients[found[2]] = found[1]
        elif word == "size" and (found := re.fullmatch(r"(\w+) = (\d+)", rest)):
            sizes[found[1]] = int(found[2])
        elif word == "stable" and (found := re.fullmatch(r"\((.*?)\) (.*)", rest)):
            stable[found[1]] = tuple(found[2].split("; "))
        elif word[:1] == "(" and word[-1:] == ")":
            formulas[word[1:-1]] = _read_words(rest)
        else:
            value = _read_value(line)
            values[value.name] = value
    statements, updates = (tuple(parts[head]) for head in ("computed", "updated"))
    return Program(title, dtype, values, statements, updates, formulas, sizes, outputs, gradients, stable)


def _read_words(text: str) -> str:
    return str(json.loads(text)) if text.startswith('"') else text


def _read_value(line: str) -> Value:
    head, _, latex = line.partition("  # ")
    found = _VALUE.fullmatch(head)
    if found is None:
        raise CodegenError(f"met {line}; expected a line of a program, as `show` writes it")
    role, name, lengths, order = found.groups()
    sizes: tuple[Size, ...] = tuple(int(n) if n.isdigit() else n for n in lengths.split(",") if n)
    value = Value(name, _read_words(latex), sizes, role)
    sheet = _usual_order(value) if order is None else tuple(int(k) for k in order.split(",") if k != "-")
    return Value(name, value.latex, sizes, role, sheet)


def _read_statement(line: str) -> Statement:
    """Return the statement in a line `left = right  # (eq) name`."""
    found = re.fullmatch(r"(.*?)  # \(([^)]*)\).*", line)
    if found is None:
        raise CodegenError(f"met {line}; expected a statement and the number of its equation")
    text, eq = found.groups()
    left, sign, right = text.partition(" += ") if " += " in text else text.partition(" = ")
    out = _Reader(left).whole()
    if sign == " += " and isinstance(out, Ref | Pick):
        index = out.index if isinstance(out, Pick) else out.labels
        return Scatter(Pick(out.name, index), _Reader(right).whole(), eq)
    if not isinstance(out, Ref):
        raise CodegenError(f"met {line}; expected a value on the left side")
    special = re.match(rf"({_WORD}) ([\w,]*): ", right)
    if special is None:
        return Map(out, _Reader(right).whole(), eq)
    head, over, rest = special[1], special[2], _Reader(right[special.end() :])
    if head in ("contract", "whole"):
        refs = tuple(part for part in rest.bodies() if isinstance(part, Ref))
        return Whole(out, over, refs, eq) if head == "whole" else Contract(out, refs[0], refs[1], eq)
    return Reduce(out, head, tuple(label for label in over.split(",") if label), rest.whole(), eq)


class _Reader:
    """Reads bodies from left to right, token by token."""

    def __init__(self, text: str) -> None:
        self.text, self.tokens, self.at = text, _TOKENS.findall(text), 0

    def next(self, expected: str = "") -> str:
        """Return the next token."""
        token = self.tokens[self.at] if self.at < len(self.tokens) else ""
        if not token or (expected and token != expected):
            raise CodegenError(f"met {token or 'the end'} in {self.text}; expected {expected or 'more'}")
        self.at += 1
        return str(token)

    def peek(self) -> str:
        """Return the next token without taking it; "" at the end."""
        return self.tokens[self.at] if self.at < len(self.tokens) else ""

    def bodies(self) -> list[Body]:
        """Return all bodies that stand side by side."""
        found = []
        while self.peek():
            found.append(self.body())
        return found

    def whole(self) -> Body:
        """Return the only body."""
        found = self.bodies()
        if len(found) != 1:
            raise CodegenError(f"met {self.text}; expected one value")
        return found[0]

    def listed(self, end: str, item: Callable[[], object]) -> list[object]:
        """Return items between commas up to a closing bracket."""
        found: list[object] = []
        while self.peek() != end:
            found.append(item())
            if self.peek() != end:
                self.next(",")
        self.next(end)
        return found

    def body(self) -> Body:
        """Return one body."""
        word = self.next()
        if re.fullmatch(r"-?[0-9].*", word):
            return Number(Fraction(word) if re.fullmatch(r"-?\d+(/\d+)?", word) else float(word))
        if word == BATCH:
            return Samples()
        if self.peek() == "(":
            self.next("(")
            args = tuple(self.listed(")", self.body))
            if word == POSITION and isinstance(args[0], Ref):
                return Position(args[0].name)
            return Call(word, tuple(arg for arg in args if isinstance(arg, _BODIES)))
        if self.peek() != "[":
            return Ref(word, ())
        self.next("[")
        index = tuple(part for part in self.listed("]", self.index) if isinstance(part, str | Affine | Lookup))
        labels = tuple(part for part in index if isinstance(part, str))
        return Ref(word, labels) if len(labels) == len(index) else Pick(word, index)

    def index(self) -> Index:
        """Return the index along one axis."""
        word = self.next()
        if word == "@":
            ref = self.body()
            if not isinstance(ref, Ref):
                raise CodegenError(f"met {self.text}; expected a value behind @")
            return Lookup(ref)
        if not re.fullmatch(r"-?[0-9]+", word):
            return word
        terms: list[tuple[int, str]] = []
        while (sign := self.peek()) in ("+", "-") or re.fullmatch(r"-[0-9]+", sign):
            terms.append(self.term(self.next()))
        return Affine(int(word), tuple(terms))

    def term(self, sign: str) -> tuple[int, str]:
        """Return a coefficient and its label behind a sign, `2*t`; a minus may stick to its number."""
        number = 1 if sign == "+" else -1
        word = sign[1:] or self.next()
        if word.isdigit():
            self.next("*")
            return number * int(word), self.next()
        return number, word


_BODIES = (Ref, Pick, Position, Number, Samples, Call)
