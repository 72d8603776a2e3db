r"""LaTeX source to tokens: spelling is normalised, spacing and sizing dropped, every token keeps its place.

`\dfrac` becomes `\frac`, `\operatorname{softmax}` the word `softmax`, `σ` the command `\sigma`; a run of
letters is cut into the symbols it stands for. What brackets and scripts mean is the work of others.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass

from derive.errors import UnreadError
from derive.read import vocabulary as words
from derive.read.assumed import WITH_ARGUMENTS, meaning_of, sentence
from derive.read.characters import SUBSCRIPTS, SUPERSCRIPTS, in_latex

MAX_SOURCE = 20_000
_AHEAD = 300  # characters in which the comma of an argument list is looked for


@dataclass(frozen=True, slots=True)
class Token:
    r"""One sign of a formula.

    `kind` is "name", "number", "sign", "prose" (words that are no name), "gap" (`\quad`) or "unread" (what is not
    known; `text` is then the message); `start` and `end` count from 0 in the source; `run` is the unbroken run of
    letters that a name was cut from; `assumed` says what a macro that nobody defined was taken to mean.
    """

    kind: str
    text: str
    start: int
    end: int
    run: str = ""
    assumed: str = ""


_LAYOUT = r"(?:align(?:ed|at|edat)?|flalign|equation|gather(?:ed)?|split|multline|eqnarray|displaymath|math)"
_MATRIX = r"(?:cases|[dr]cases|[pbB]?matrix|smallmatrix|array)"
_LEFT_CASES = rf"\\left\s*\\(?:\{{|lbrace)\s*\\begin\s*\{{(?:array|{_LAYOUT}|matrix)\}}"
_RIGHT_CASES = rf"\\end\s*\{{(?:array|{_LAYOUT}|matrix)\}}\s*\\right\s*\."
_SIZES = "tiny|scriptsize|footnotesize|small|normalsize|large|Large|LARGE|huge|Huge"
_PATTERNS = {
    "braced": rf"(?:({_LEFT_CASES})|{_RIGHT_CASES})(?:\s*\{{[lcr|@\s]*\}})?",
    "wide": r"~(?:\s*~)+",
    "skip": rf"""\s+ | ~ | %[^\n]* | \\[,;:!>\s/]
        | \\(?:displaystyle|textstyle|scriptstyle|limits|nolimits|nonumber|notag|enspace)(?![A-Za-z])
        | \\(?:{_SIZES}|boldmath|unboldmath|allowbreak|mathstrut|strut|hfill|hline)(?![A-Za-z])
        | \\(?:tag\*?|label|hspace\*?|vspace\*?|color|textcolor|phantom|hphantom|vphantom)\s*\{{[^{{}}]*\}}
        | \\(?:setcounter|setlength)\s*\{{[^{{}}]*\}}\s*\{{[^{{}}]*\}} | \\math(?:bin|rel|ord|op)(?=\s*\{{)
        | \\(?:begin|end)\s*\{{\s*{_LAYOUT}\*?\s*\}}(?:\s*\{{\d+\}})?""",
    "bar": r"\\(left|right)\s*(\||\\\||\\[vV]ert(?![A-Za-z]))",
    "fence": r"\\(left|right)\s*\.",
    "size": r"\\(?:[bB]igg?[lrm]?|left|right)(?![A-Za-z])",
    "gap": r"\\q?quad(?![A-Za-z])",
    "environment": rf"\\(begin|end)\s*\{{\s*({_MATRIX})\s*\}}(?:\s*\{{[lcr|@\s]*\}})?",
    "row": r"\\\\(?:\s*\[\s*-?[\d.]+\s*(?:em|ex|pt|mm|cm|in)\s*\])? | \\(?:cr|newline)(?![A-Za-z])",
    "text": rf"\\(?:{'|'.join(words.TEXT)})\*?(?![A-Za-z])\s*(?:\{{((?:[^{{}}]|\{{[^{{}}]*\}})*)\}}|([A-Za-z]))",
    "switch": r"\\(bf|cal|rm|it|sf|tt|bfseries|rmfamily)(?![A-Za-z]|\s*\{)",
    "font": rf"\\({'|'.join(words.FONTS)})(?![A-Za-z])\s*(?:\{{\s*([A-Za-z]+|\d+)\s*\}}|([A-Za-z]|\d))",
    "command": r"\\[A-Za-z]+ | \\[{}|]",
    "code": r"(?:np|numpy|jnp|torch)\.[a-z]+(?=\s*\() | \.(?:T(?![A-Za-z])|(?:dot|sum|mean)(?=\s*\())",
    "keyword": rf"(?:{'|'.join(sorted(words.KEYWORDS))})(?=\s*=)",
    "scientific": r"\d+(?:\.\d+)?[eE][-+]?\d",
    "number": r"\d+(?:\.\d+)? | \.\d+",
    "word": r"[A-Za-z](?=\\_[A-Za-z0-9](?![A-Za-z0-9\\])) | [A-Za-z][A-Za-z0-9]*(?:\\_[A-Za-z0-9]+)*",
    "escaped": r"\\[_*]",
    "mark": r":=|<=|>=|\|\||\.{2,}|[-+*/=<>^_&(){}\[\]|,;:.'@]",
    "unicode": rf"[{SUPERSCRIPTS}]+ | [{SUBSCRIPTS}]+ | [^\x00-\x7f]",
}
_SCANNER = re.compile("|".join(f"(?P<{name}>{pattern})" for name, pattern in _PATTERNS.items()), re.VERBOSE)
_GROUPS = {name: _SCANNER.groupindex[name] for name in _PATTERNS}
_TEXT_NAME = re.compile(r"[A-Za-z][A-Za-z0-9]*(?:(?:\\_|[-_])[A-Za-z0-9]+)*")
_LETTERS = re.compile(r"[A-Za-z]\d*")


def scan(source: str, functions: Collection[str] = ()) -> list[Token]:
    r"""Cut a formula into tokens; a command or a character that is not known becomes a token of kind "unread".

    Args:
        source: LaTeX, without its dollar signs.
        functions: Spellings of functions; a run of letters that is one of them is not cut.
    Raises:
        UnreadError: A formula over 20,000 characters.

    >>> [token.text for token in scan(r"\dfrac{Wx}{2}\,σ")]
    ['\\frac', '{', 'W', 'x', '}', '{', '2', '}', '\\sigma']
    """
    if len(source) > MAX_SOURCE:
        raise UnreadError(f"the formula has {len(source)} characters, more than {MAX_SOURCE}; split it", 1)
    return list(_Scanner(source, functions).tokens())


class _Scanner:
    """One pass over a source.

    `single` counts how many arguments without braces TeX would take from here; `fonts` holds the font that a switch
    such as `\\bf` has set, for each open brace.
    """

    def __init__(self, source: str, functions: Collection[str], assume: bool = True) -> None:
        self.source = source
        self.functions = functions
        self.assume = assume
        self.single = 0
        self.fonts = [""]

    def tokens(self) -> Iterator[Token]:
        at = 0
        while at < len(self.source):
            match = _SCANNER.match(self.source, at)
            if match is None:
                yield _unread(f"{self.source[at]!r} at column {at + 1} is not read", at, at + 1)
                at += 1
                continue
            kind = str(match.lastgroup)  # the outermost group closes last
            at = match.end()
            if kind in ("skip", "size"):
                continue
            try:
                if self.single and kind in ("number", "word", "scientific", "keyword"):
                    self.single -= 1
                    at = match.start() + 1
                    yield self.one_character(match)
                    continue
                found = getattr(self, kind)(match)
            except UnreadError as error:
                found, at = [_unread(str(error), match.start(), match.end())], match.end()
            self.single = words.BARE_ARGUMENTS.get(found[0].text, 0) if found else 0
            yield from found

    def one_character(self, match: re.Match[str]) -> Token:
        r"""`x^Ty` raises to T alone, `\frac12` is a half."""
        run = match[0]
        if run.isalpha() and run.islower() and is_word(run):
            raise UnreadError(f"{run!r} at column {match.start() + 1} needs braces around it", match.start() + 1)
        kind = "number" if run[0].isdigit() else "name"
        if run[0] == ".":
            raise UnreadError(f"{run!r} at column {match.start() + 1} needs braces around it", match.start() + 1)
        return Token(kind, run[0], match.start(), match.start() + 1, run[0])

    def bar(self, match: re.Match[str]) -> list[Token]:
        inner = _SCANNER.groupindex["bar"]
        side, double = match[inner + 1][0], "V" if match[inner + 2] in (r"\|", r"\Vert") else "v"
        return [Token("sign", rf"\{side}{double}ert", match.start(), match.end())]

    def fence(self, match: re.Match[str]) -> list[Token]:
        r"""Keep `\left.` and `\right.`: they say how far an evaluation bar reaches."""
        return [Token("sign", rf"\{match[_GROUPS['fence'] + 1]}.", match.start(), match.end())]

    def gap(self, match: re.Match[str]) -> list[Token]:
        return [Token("gap", r"\quad", match.start(), match.end())]

    def wide(self, match: re.Match[str]) -> list[Token]:
        return self.gap(match)

    def braced(self, match: re.Match[str]) -> list[Token]:
        r"""Read an array between `\left\{` and `\right.` as cases."""
        side = "begin" if match[_GROUPS["braced"] + 1] else "end"
        return [Token("sign", f"{side} cases", match.start(), match.end())]

    def environment(self, match: re.Match[str]) -> list[Token]:
        inner = _GROUPS["environment"]
        name = {"array": "matrix", "dcases": "cases", "rcases": "cases"}.get(match[inner + 2], match[inner + 2])
        return [Token("sign", f"{match[inner + 1]} {name}", match.start(), match.end())]

    def row(self, match: re.Match[str]) -> list[Token]:
        self.fonts[-1] = ""
        return [Token("sign", r"\\", match.start(), match.end())]

    def text(self, match: re.Match[str]) -> list[Token]:
        r"""Read `\text{if $x > 0$}` as words and the formula between the dollar signs."""
        inner = _GROUPS["text"]
        group = inner + 1 if match[inner + 1] is not None else inner + 2
        start, found = match.start(group), list[Token]()
        for at, piece in enumerate(match[group].split("$")):
            if at % 2:
                found += _moved(_Scanner(piece, self.functions).tokens(), start)
            elif piece.strip() or "$" not in match[group]:
                found.append(self.word_token(piece.strip(), match))
            start += len(piece) + 1
        return found

    def word_token(self, content: str, match: re.Match[str]) -> Token:
        if content in words.FUNCTION_WORDS:
            return Token("name", content, match.start(), match.end(), content)
        if content.isdecimal() and content.isascii():
            return Token("number", content, match.start(), match.end())
        if content in (r"\top", "+", "-", "="):
            return Token("sign", content, match.start(), match.end())
        if not _TEXT_NAME.fullmatch(content) or content.lower() in words.STOP_WORDS:
            return Token("prose", content, match.start(), match.end())
        return Token("name", rf"\text{{{content}}}", match.start(), match.end(), content)

    def switch(self, match: re.Match[str]) -> list[Token]:
        r"""Set the font up to the closing brace: `{\bf W x}` is two bold letters."""
        self.fonts[-1] = words.SWITCHES[match[_GROUPS["switch"] + 1]]
        return []

    def font(self, match: re.Match[str]) -> list[Token]:
        inner = _GROUPS["font"]
        command = {"bf": "mathbf", "cal": "mathcal"}.get(match[inner + 1], match[inner + 1])
        return self.styled(command, match[inner + 2] or match[inner + 3], match)

    def styled(self, command: str, letters: str, match: re.Match[str]) -> list[Token]:
        r"""`\mathbf{Ax}` is a product of two bold letters, `\mathbf{loss}` a word."""
        if letters in words.FUNCTION_WORDS:
            return [Token("name", letters, match.start(), match.end(), letters)]
        if not letters.isascii() or not (letters.isalpha() or letters.isdecimal()):
            column = match.start() + 1
            raise UnreadError(f"{letters!r} at column {column} is one name or several in a font", column)
        if len(letters) == 2 and letters.isalpha():
            return [Token("name", rf"\{command}{{{c}}}", match.start(), match.end(), match[0]) for c in letters]
        alone = all(rf"\{command}{{{letter}}}" in self.source for letter in letters)
        if len(letters) > 2 and letters.isupper() and alone:
            return [Token("name", rf"\{command}{{{c}}}", match.start(), match.end(), match[0]) for c in letters]
        if len(letters) > 2 and letters.isalpha() and not is_word(letters):
            column = match.start() + 1
            raise UnreadError(f"{match[0]!r} at column {column} may be one name or a product", column)
        return [Token("name", rf"\{command}{{{letters}}}", match.start(), match.end())]

    def command(self, match: re.Match[str]) -> list[Token]:
        return self.known(match[0], match.start(), match.end())

    def code(self, match: re.Match[str]) -> list[Token]:
        """Keep a word of NumPy, `np.sum` or the method `.dot`, as one sign."""
        text = re.sub(r"^[a-z]+\.", "np.", match[0])
        return [Token("sign", text, match.start(), match.end())]

    def keyword(self, match: re.Match[str]) -> list[Token]:
        return [Token("name", match[0], match.start(), match.end(), match[0])]

    def scientific(self, match: re.Match[str]) -> list[Token]:
        column = match.start() + 1
        raise UnreadError(f"{match[0]!r} at column {column} may be a power of ten or a product with e", column)

    def number(self, match: re.Match[str]) -> list[Token]:
        return [Token("number", match[0], match.start(), match.end())]

    def word(self, match: re.Match[str]) -> list[Token]:
        if match[0].isupper() and len(match[0]) > 1 and _lists(self.source, match.end()):  # CE(y, p): one function
            return [Token("name", match[0], match.start(), match.end(), match[0])]
        if not self.fonts[-1]:
            return cut_run(match[0], match.start(), self.functions)
        if self.fonts[-1] == "rm":
            return [self.word_token(match[0], match)]
        return self.styled(self.fonts[-1], match[0], match)

    def escaped(self, match: re.Match[str]) -> list[Token]:
        r"""Read `\_` and `\*`, which Markdown asks for, as `_` and `*`."""
        return [Token("sign", match[0][1], match.start(), match.end())]

    def mark(self, match: re.Match[str]) -> list[Token]:
        self.scope(match[0])
        return [Token("sign", words.SAME.get(match[0], match[0]), match.start(), match.end())]

    def scope(self, sign: str) -> None:
        """Follow the braces, and forget a font where its cell or its braces end."""
        if sign == "{":
            self.fonts.append(self.fonts[-1])
        elif sign == "}" and len(self.fonts) > 1:
            self.fonts.pop()
        elif sign == "&":
            self.fonts[-1] = ""

    def unicode(self, match: re.Match[str]) -> list[Token]:
        latex = in_latex(match[0])
        if latex is None:
            column = match.start() + 1
            raise UnreadError(f"the character {match[0]!r} at column {column} is not read", column)
        return self.stand_for(latex, match.start(), match.end())

    def stand_for(self, latex: str, start: int, end: int, said: str = "") -> list[Token]:
        """Give the tokens of what a character or a macro stands for, all at its place."""
        found = _Scanner(latex, (), assume=False).tokens()
        return [Token(token.kind, token.text, start, end, token.run, said) for token in found]

    def known(self, text: str, start: int, end: int) -> list[Token]:
        """Read a command, or what most papers mean by it."""
        text = words.SAME.get(text, text)
        if text in words.FUNCTION_COMMANDS:
            return [Token("name", text[1:], start, end, text[1:])]
        if text in words.LETTERS:
            return [Token("name", text, start, end)]
        if text == r"\infty":
            return [Token("number", text, start, end)]
        if text in words.SIGNS:
            return [Token("sign", text, start, end)]
        if self.assume and text in WITH_ARGUMENTS:
            return [Token("sign", text, start, end, "", sentence(text, WITH_ARGUMENTS[text]))]
        meaning = meaning_of(text) if self.assume else None
        if meaning is None:
            raise UnreadError(f"{text} at column {start + 1} is not a command that is read", start + 1)
        return self.stand_for(meaning, start, end, sentence(text, meaning))


def _lists(source: str, at: int) -> bool:
    """Say whether a bracket with a comma or a bar in it follows: no factor looks so."""
    opening = re.compile(r"\s*(?:\\left\s*|\\[bB]igg?l?\s*)?\(").match(source, at)
    depth = 0
    for match in re.compile(r"[()\[\]{},|]|\\mid|\\[{}|]").finditer(source, at, at + _AHEAD) if opening else ():
        depth += {"(": 1, "[": 1, "{": 1, r"\{": 1, ")": -1, "]": -1, "}": -1, r"\}": -1}.get(match[0], 0)
        if depth <= 0:
            return False
        if depth == 1 and match[0] in (",", "|", r"\|", r"\mid"):
            return True
    return False


def _unread(message: str, start: int, end: int) -> Token:
    return Token("unread", message, start, end)


def _moved(tokens: Iterator[Token], by: int) -> Iterator[Token]:
    for token in tokens:
        yield Token(token.kind, token.text, token.start + by, token.end + by, token.run, token.assumed)


def is_word(run: str) -> bool:
    """Say whether a run of letters is one word: four or more, a vowel, lower case after the first."""
    return len(run) >= 4 and run[1:].islower() and any(letter in "aeiou" for letter in run.lower())


def cut_run(run: str, start: int, functions: Collection[str]) -> list[Token]:
    r"""Cut `Wx` into W and x, and leave `some\_constant`, `distance`, `n4`, `tanh` whole.

    Raises:
        UnreadError: A run such as `ylog`, which ends with a function's name.
    """
    whole = r"\_" in run or run in functions or run in words.FUNCTION_WORDS or run in words.SHORT_WORDS
    whole = whole or is_word(run.rstrip("0123456789"))
    if not whole and len(run) > 4 and re.search(r"[a-z]{4}", run) and re.search(r"[aeiou]", run):
        raise UnreadError(f"{run!r} at column {start + 1} may be a word or a product; put spaces", start + 1)
    if not whole or (run.isalpha() and run not in functions and run not in words.FUNCTION_WORDS):
        for word in sorted(words.FUNCTION_WORDS):
            if len(run) > len(word) > 2 and run.endswith(word) and not is_word(run.removesuffix(word)):
                raise UnreadError(f"{run!r} at column {start + 1} ends like {word}; put a space", start + 1)
    if whole:
        return [Token("name", run, start, start + len(run), run)]
    return [
        Token("name", piece[0], start + piece.start(), start + piece.end(), run) for piece in _LETTERS.finditer(run)
    ]
