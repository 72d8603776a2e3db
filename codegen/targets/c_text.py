"""What the texts of the C target's mathematics are made with: one text for both types, and polynomials."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from string import Template


def by_type(text: str, **words: tuple[str, str]) -> dict[str, str]:
    """Return a text for float and one for double; each `$word` stands for a pair of texts.

    >>> by_type("x < $far", far=("9.0f", "19.0"))
    {'float32': 'x < 9.0f', 'float64': 'x < 19.0'}
    """
    return {
        dtype: Template(text).substitute({name: pair[k] for name, pair in words.items()})
        for k, dtype in enumerate(("float32", "float64"))
    }


def polynomial(name: str, x: str, coefficients: Sequence[float], known: int = 1) -> str:
    """Return the lines that declare a polynomial, the constant first, and the powers of x beyond the known ones.

    Estrin's scheme: halves side by side, joined by x^2, x^4, x^8; a chain as long as the logarithm of the degree.

    >>> print(polynomial("p", "z", [1.0, 0.5, 0.25]).strip())
    const REAL z2 = z * z;
        const REAL p = 1.0_r + z * 0.5_r + z2 * 0.25_r;
    """
    powers = []
    k = 2
    while k < len(coefficients):
        half = f"{x}{k // 2}" if k > 2 else x
        if k > known:
            powers.append(f"    const REAL {x}{k} = {half} * {half};\n")
        k *= 2
    text = f"const REAL {name} = {_estrin(x, coefficients)};"
    lines = textwrap.wrap(text, 112, break_long_words=False, break_on_hyphens=False)
    return "".join(powers) + "    " + "\n        ".join(lines)


def _estrin(x: str, coefficients: Sequence[float]) -> str:
    if len(coefficients) == 1:
        return f"{coefficients[0]!r}_r"
    k = 1
    while 2 * k < len(coefficients):
        k *= 2
    power, high = f"{x}{k}" if k > 1 else x, _estrin(x, coefficients[k:])
    return f"{_estrin(x, coefficients[:k])} + {power} * {high if len(coefficients) == k + 1 else f'({high})'}"
