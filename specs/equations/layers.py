"""Parses the equations of layers to trees and checks their names."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ..diagnostics.diagnostic import Diagnostics
from ..diagnostics.fixes import respelled
from ..diagnostics.suggest import closest, did_you_mean
from ..models.layers.expression import ExpressionLayer
from ..models.layers.expression_pool import ExpressionPool
from ..source.tree import Path, SourceNode, SourceTree
from .expressions import Binary, Call, Expression, Name, Previous, walk
from .parser import ExpressionError, Writing, parse_expression

EQUATIONS = {ExpressionLayer: "value", ExpressionPool: "expression"}
"""The layer types with an equation, and the key that holds it."""

_SPLIT = "a layer {type: split} has a port for each part"
_CELLS = "a pool's equation goes cell by cell, and sums up with sum, mean, max, min or softmax"


def equation_key(spec: object) -> str | None:
    """The key that holds a layer's equation, if it has one."""
    return next((key for kind, key in EQUATIONS.items() if isinstance(spec, kind)), None)


def compile_expression(
    spec: ExpressionLayer | ExpressionPool,
    tree: SourceTree,
    path: Path,
    overlay: Mapping[str, Path],
    diagnostics: Diagnostics,
) -> Expression | None:
    """Parses the equation of the layer at `path`; if it has errors, reports them to `diagnostics` and returns None.

    `overlay` gives the places of keys that are written elsewhere.
    """
    key = equation_key(spec)
    assert key is not None
    node = tree.node(overlay.get(key, (*path, key)))
    assert node is not None
    if isinstance(spec, ExpressionPool):
        hint = "x stands for the cells of a window"
        return compile_equation(node, ["x"], diagnostics, hint=hint, pool=True)
    return compile_equation(node, [*spec.names, *spec.params], diagnostics)


def compile_equation(
    node: SourceNode,
    known: Sequence[str] | None,
    diagnostics: Diagnostics,
    *,
    hint: str | None = None,
    what: str = "a layer",
    pool: bool = False,
) -> Expression | None:
    """Parses the equation at a node and checks that it reads ``known`` names (None: any); if it has errors, reports
    them and returns None.

    ``hint`` is what to do about an unknown {name} that is not misspelt. ``pool``: it goes over the cells of windows.
    """
    try:
        expression = parse_expression(Writing.of(node))
    except ExpressionError as error:
        diagnostics.error(error.code, error.message, error.span, help=error.help, fixes=error.fixes)
        return None
    reported: set[str] = set()
    for part in walk(expression):
        match part:
            case Name(id=name) if known is not None and name not in known and name not in reported:
                reported.add(name)
                meant = closest(name, known)
                help = did_you_mean(meant) or f"there are {', '.join(known)}"
                if hint and (pool or not meant):
                    help = hint.format(name=name)
                fixes = respelled(name, meant, part.span, safe=False)
                diagnostics.error("NW0503", f"unknown name {name}", part.span, help=help, fixes=fixes)
            case Previous():
                reported.add("prev")
                diagnostics.error("NW0508", f"prev is for cells: {what} has no step before", part.span)
            case Call(function="split" | "concat" | "transpose" as name) if pool or name == "split":
                reported.add(name)
                message = f"{name} is not for pools" if pool else "split gives several values"
                help = _CELLS if pool else _SPLIT
                diagnostics.error("NW0505", message, part.span, help=help)
            case Call(options=options) if pool and not all(value in (None, -1) for _, value in options):
                reported.add("axis")
                message = "a window's cells have no axes"
                diagnostics.error("NW0505", message, part.span, help=f"leave axis out: {_CELLS}")
            case Binary(operator="@") if pool:
                reported.add("@")
                diagnostics.error("NW0505", "@ is not for pools", part.span, help=_CELLS)
    return None if reported else expression
