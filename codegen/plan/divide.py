"""Which loops a team of threads divides among itself: those that save more than it costs to wait for one another."""

from __future__ import annotations

import math

from codegen.plan.cost import Costs, Orders
from codegen.plan.fuse import Group, turns_round
from codegen.program import Contract, Map, Reduce

MEETING = 2000.0  # cycles: two threads wait 0.2 us for one another, and fetch what the other one wrote


def worth_dividing(group: Group, costs: Costs, threads: int) -> bool:
    """Tell whether a group's outermost loop is worth dividing; its rounds write to entries of their own."""
    head = group.head
    if threads < 2 or not head.out.labels or not isinstance(head, Contract | Map | Reduce):
        return False
    if isinstance(head, Map) and turns_round(head):
        return False
    orders = costs.as_they_lie
    rounds = _rounds(head, costs, orders)
    cycles = sum(costs.of(statement, orders) for statement in group.statements)
    return cycles * (1 - math.ceil(rounds / threads) / rounds) > MEETING


def _rounds(head: Contract | Map | Reduce, costs: Costs, orders: Orders) -> int:
    """Return how many rounds the outermost loop of a group has, a vector or a tile being one."""
    labels, lengths = head.out.labels, costs.lengths(head)
    if isinstance(head, Contract) and (strategy := costs.strategy(head, orders)).kind == "tile":
        tiles = costs.tiled(head, strategy.along)
        width = tiles.tiling.tile.vectors * costs.lanes
        return lengths[tiles.others[0]] if tiles.others else -(-lengths[strategy.along] // width)
    if isinstance(head, Map) and len(labels) == 1:
        return -(-lengths[labels[0]] // costs.lanes)
    return lengths[labels[0]]
