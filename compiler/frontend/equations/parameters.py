"""Parameters that equations declare: those of cells and of expression layers."""

from __future__ import annotations

from collections.abc import Sequence

from netwright.specs.models.initializers import InitializerSpec
from netwright.specs.source.tree import Span

from ...ops.views.layout import show
from ..problem import Label, Problem
from ..scope import Scope
from ..tensor import Tensor


def declared_parameter(
    scope: Scope,
    name: str,
    shape: tuple[int, ...],
    init: Sequence[InitializerSpec],
    place: Span,
    labels: Sequence[Label] = (),
) -> Tensor:
    """The parameter of a layer. Raises Problem at ``place`` if the last axis cannot be divided equally among the
    initializers."""
    if len(init) > 1 and (not shape or shape[-1] % len(init)):
        own = name.rpartition(".")[2]
        message = f"{own} starts from {len(init)} equal slices of its last axis, and is {show(shape)}"
        help = f"one initializer for all of {own}, or a last size that {len(init)} divides"
        raise Problem("NW0212", message, place, labels=labels, help=help)
    return scope.parameter(name, shape, *init)
