"""Parses the equations of layers to trees and checks their names."""

from __future__ import annotations

from collections.abc import Mapping

from ..diagnostics.diagnostic import Diagnostics
from ..diagnostics.fixes import respelled
from ..diagnostics.suggest import closest, did_you_mean
from ..models.layers.expression import ExpressionLayer
from ..models.layers.expression_pool import ExpressionPool
from ..source.tree import Path, SourceTree
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
    try:
        expression = parse_expression(Writing.of(node))
    except ExpressionError as error:
        diagnostics.error(error.code, error.message, error.span, help=error.help, fixes=error.fixes)
        return None
    pool = isinstance(spec, ExpressionPool)
    known = ["x"] if pool else [*spec.names, *spec.params]
    reported: set[str] = set()
    for part in walk(expression):
        match part:
            case Name(id=name) if name not in known and name not in reported:
                reported.add(name)
                meant = closest(name, known)
                help = did_you_mean(meant) or f"there are {', '.join(known)}"
                if pool:
                    help = "x stands for the cells of a window"
                fixes = respelled(name, meant, part.span, safe=False)
                diagnostics.error("NW0503", f"unknown name {name}", part.span, help=help, fixes=fixes)
            case Previous():
                reported.add("prev")
                diagnostics.error("NW0508", "prev is for cells: a layer has no step before", part.span)
            case Call(function="split" | "concat" | "transpose" as name) if pool or name == "split":
                reported.add(name)
                message = f"{name} is not for pools" if pool else "split gives several values"
                diagnostics.error("NW0505", message, part.span, help=_CELLS if pool else _SPLIT)
            case Call(options=options) if pool and not all(value in (None, -1) for _, value in options):
                reported.add("axis")
                message = "a window's cells have no axes"
                diagnostics.error("NW0505", message, part.span, help=f"leave axis out: {_CELLS}")
            case Binary(operator="@") if pool:
                reported.add("@")
                diagnostics.error("NW0505", "@ is not for pools", part.span, help=_CELLS)
    return None if reported else expression
