"""Names in code: the page's names as identifiers that no language and no helper has taken."""

from __future__ import annotations

import keyword
import re
from collections.abc import Sequence

from codegen.rates import RATE
from derive.derivation import Derivation
from derive.expr import Var, variables
from derive.notation import unique_code_names

_C_WORDS = (
    "auto break case char const continue default do double else enum extern float for goto if inline int long "
    "register restrict return short signed sizeof static struct switch typedef union unsigned void volatile while "
    "bool true false class new delete this template private public protected operator virtual friend namespace "
    "and or not xor asm catch try throw typename using near far main"
)
_OURS = (
    "np params data state rates batch count steps first loss losses scratch gradients lr np sigmoid softplus relu "
    "silu gelu_tanh normal_density leaky_relu elu huber normal_cdf pick scatter add_rows inverse "
    "predict step train loss_and_gradients rows x_rows stdint stddef size_t ptrdiff_t order rng "
    "wide tile columns lanes part start stopped size place batches work workspace heaviside"
)
RESERVED = frozenset((*keyword.kwlist, *keyword.softkwlist, *_C_WORDS.split(), *_OURS.split()))


def model_names(derivation: Derivation) -> dict[Var, str]:
    """Return an identifier for every name of a record: data, parameters, what is computed, and rates."""
    found = dict.fromkeys([*derivation.data, *derivation.parameters, *(e.name for e in derivation.equations)])
    found |= dict.fromkeys(v for e in derivation.equations for v in variables(e.value))
    return python_names(list(found))


def file_name(title: str) -> str:
    """Return a title as the prefix of a file's names in C.

    >>> file_name("Cat detection, v2")
    'cat_detection_v2'
    """
    word = re.sub(r"[^a-z0-9]+", "_", title.lower()).strip("_")[:40].strip("_")
    return word if word and not word[0].isdigit() and word not in RESERVED else f"model_{word}".strip("_")


def python_names(names: Sequence[Var]) -> dict[Var, str]:
    r"""Return an identifier for every name, fit for Python and C.

    >>> list(python_names([Var(r"\\lambda"), Var("W^{[1]}", ("h", "n"))]).values())
    ['lambda_', 'W1']
    """
    spelled = unique_code_names([name.latex for name in names])
    taken: set[str] = set()
    result: dict[Var, str] = {}
    for name in names:
        word = "lr" if name.latex == RATE else fitting(spelled[name.latex])
        while word in taken:
            word += "_"
        taken.add(word)
        result[name] = word
    return result


def fitting(word: str) -> str:
    """Return a word, with an underscore behind it where it is taken."""
    return f"{word}_" if word in RESERVED or word.startswith("_") else word
