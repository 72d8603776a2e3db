r"""Second derivatives of a number by two numbers, \partial^2 f / \partial x \partial y, or by two vectors."""

from __future__ import annotations

from derive.backprop import derive_gradients
from derive.errors import ModelError
from derive.expr import Var
from derive.jacobian import as_network, derive_jacobian
from derive.model import Network, free_variables
from derive.verify.setting import Partial


def mixed_partial(network: Network, by: Var, then: Var) -> Partial | None:
    """Return the derivative of a network's loss by one free variable, then by another; None where it has none.

    Both are numbers, or both vectors: the rows are then the entries of the first.
    """
    if not {by, then} <= set(free_variables(network)) or len(by.shape) != len(then.shape) or len(by.shape) > 1:
        return None
    try:
        whole = as_network(derive_gradients(network, wanted=(by,)))
        gradient = whole.definitions[-1].name
        found = derive_jacobian(whole, gradient, then).equations[-1]
    except ModelError:
        return None
    return Partial(whole, gradient, then, found.value)
