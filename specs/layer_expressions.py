"""The equation of an expression layer as a tree, its names checked."""

from __future__ import annotations

from .diagnostics import Diagnostics
from .expression_parser import ExpressionError, Writing, parse_expression
from .expressions import Call, Expression, Name, Previous, walk
from .layers import ExpressionLayer
from .source import Path, SourceTree
from .suggest import closest, did_you_mean


def compile_expression(
    spec: ExpressionLayer, tree: SourceTree, path: Path, diagnostics: Diagnostics
) -> Expression | None:
    """The tree of the equation of a layer that stands at `path`; None when something is wrong, and `diagnostics`
    says what.
    """
    node = tree.node((*path, "value"))
    assert node is not None
    try:
        expression = parse_expression(Writing.of(node))
    except ExpressionError as error:
        diagnostics.error(error.code, error.message, error.span, help=error.help)
        return None
    known = [*spec.names, *spec.params]
    reported: set[str] = set()
    for one in walk(expression):
        match one:
            case Name(id=name) if name not in known and name not in reported:
                reported.add(name)
                help = did_you_mean(closest(name, known)) or f"there are {', '.join(known)}"
                diagnostics.error("NW0503", f"unknown name {name}", one.span, help=help)
            case Previous():
                reported.add("prev")
                diagnostics.error("NW0508", "prev is for cells: a layer has no step before", one.span)
            case Call(function="split"):
                reported.add("split")
                help = "a layer {type: split} has a port for each part"
                diagnostics.error("NW0505", "split gives several values", one.span, help=help)
    return None if reported else expression
