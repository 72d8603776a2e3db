r"""A claim whose right side has an index that its left side lacks: \frac{\partial L}{\partial x} = w_i e_i.

Where the equations write their sums out, no sum goes without saying, and one over that index is missing.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from derive.claims.own_model import Own
from derive.meaning.facts import Definition
from derive.meaning.indexed import free_letters, indices_of
from derive.meaning.kinds import is_loss_name
from derive.meaning.naming import names_of, plain
from derive.meaning.outline import Equation, walk
from derive.meaning.samples import WEIGHTS
from derive.meaning.terms import INDEX_LETTERS
from derive.read import syntax as ast
from derive.read.spelling import render
from derive.verify.judge import GOOD, Diagnosis, Verdict

Written = tuple[Equation, Callable[[ast.Node], str]]
OF_WEIGHTS = WEIGHTS | {letter.lower() for letter in WEIGHTS} | {"b", r"\theta"}


def judge_lost_index(own: Own, judge: Callable[[Equation], Verdict], written: Written) -> Verdict | None:
    """Return the verdict on a claim that holds once its right side is summed over what its left side lacks, or None.

    Args:
        own: The claim, and the equations that it speaks of.
        judge: Judges another claim about them.
        written: The claim as it is to be mended, and what gives a formula's LaTeX.
    """
    claim, definitions = own.claim, own.definitions
    lost = sorted((free_letters(claim.right) - free_letters(claim.left)) & INDEX_LETTERS)
    if not lost or not _are_written_out(definitions) or any(_counts_samples(letter, definitions) for letter in lost):
        return None
    verdict = judge(_summed(claim, lost))
    if verdict.verdict not in GOOD:
        return None
    letters = ", ".join(f"${letter}$" for letter in lost)
    mended, latex = _summed(written[0], lost), written[1]
    corrected = f"{latex(mended.left)} = {latex(mended.right)}"
    diagnosis = Diagnosis("missing sum", f"the sum over {letters} is missing", corrected)
    reason = f"the right side has the index {letters}, which the left side lacks"
    return Verdict("ill-typed", reason, verdict.assumptions, diagnosis=diagnosis)


def _summed(claim: Equation, letters: Sequence[str]) -> Equation:
    whole = claim.right
    for letter in letters:
        whole = ast.Big("sum", ast.Name(letter), None, None, whole)
    return replace(claim, right=whole)


def _are_written_out(definitions: Sequence[Definition]) -> bool:
    """Tell whether equations have sums, and none of them leaves one out."""
    sums = any(isinstance(part, ast.Big) for item in definitions for part in walk(item.equation.right))
    loose = any(
        (free_letters(item.equation.right) - free_letters(item.equation.left)) & INDEX_LETTERS for item in definitions
    )
    return sums and not loose


def _counts_samples(letter: str, definitions: Sequence[Definition]) -> bool:
    """Tell whether a loss is a sum over a letter that no weight has: a claim may be about the loss of one sample."""
    losses = [part for item in definitions if is_loss_name(item.key) for part in walk(item.equation.right)]
    over = {render(index) for part in losses if isinstance(part, ast.Big) for index in indices_of(part)}
    sides = [side for item in definitions for side in (item.equation.left, item.equation.right)]
    weights = {render(sub) for name in names_of(sides) if plain(name.base) in OF_WEIGHTS for sub in name.subs}
    return letter in over and letter not in weights
