"""Sums in a fixed order: a binary tree over the parts of a batch, whoever computes which of them.

Floating-point sums depend on their order. So that a training has the same bits on any number of processes, the parts
are always added up in the order of this tree.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from numpy.typing import NDArray

Node = tuple[int, int]
"""The parts from the first to before the second."""


def halves(node: Node) -> tuple[Node, Node]:
    """The two nodes whose sum an inner node is."""
    first, last = node
    middle = (first + last) // 2
    return (first, middle), (middle, last)


def covering(parts: range, whole: Node) -> list[Node]:
    """The largest nodes of the tree over ``whole`` that together are ``parts``."""
    first, last = whole
    if parts.start >= last or parts.stop <= first:
        return []
    if parts.start <= first and last <= parts.stop:
        return [whole]
    return [node for half in halves(whole) for node in covering(parts, half)]


def tree_sum(node: Node, leaf: Callable[[int], NDArray]) -> NDArray:
    """The sum of a node's parts; ``leaf(part)`` computes one, in their order. At most log₂ n + 1 arrays are alive."""
    if node[1] - node[0] == 1:
        return leaf(node[0])
    left, right = halves(node)
    total = tree_sum(left, leaf)
    total += tree_sum(right, leaf)
    return total


def joined(whole: Node, known: Mapping[Node, NDArray]) -> NDArray:
    """The sum of the whole tree from the sums of nodes that cover it."""
    if whole in known:
        return known[whole]
    left, right = halves(whole)
    return joined(left, known) + joined(right, known)
