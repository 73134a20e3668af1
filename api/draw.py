"""A model as a picture, at one of the stages it goes through."""

from __future__ import annotations

from typing import Literal

from netwright.compiler.graph.text import print_graph
from netwright.compiler.pipeline import optimize

from .build import entry_graphs
from .drawing.graphs import graph_picture
from .drawing.layers import LayerPicture
from .drawing.svg import to_svg
from .drawing.text import to_dot, to_text
from .drawing.unrolled import unrolled
from .errors import RequestError
from .model import Model

Stage = Literal["spec", "graph", "optimized"]
_WRITERS = {".svg": to_svg, ".dot": to_dot, ".txt": to_text}


def draw(
    model: Model,
    suffix: str = ".svg",
    *,
    unroll: int | None = None,
    stage: Stage = "spec",
    entry: str = "predict",
) -> str:
    """The text of a picture: `.svg`, `.dot` (Graphviz) or `.txt`.

    ``stage`` "spec" shows the layers, with ``unroll`` a copy for each step in time; "graph" and "optimized" show
    the operations of an entry, and as `.txt` the graph's own text form. Raises SpecError, RequestError.
    """
    if suffix not in _WRITERS:
        raise RequestError(f"a picture is written as {', '.join(_WRITERS)}, not as {suffix or 'nothing'!r}")
    if stage == "spec":
        layers = LayerPicture(model.load, model.network)
        try:
            picture = layers.rolled() if unroll is None else unrolled(layers, unroll)
        except ValueError as error:
            raise RequestError(f"{model.name}: {error}") from error
        return _WRITERS[suffix](picture)
    if unroll is not None:
        raise RequestError("--unroll draws layers: it is for --stage spec")
    graph = entry_graphs(model.network, [entry])[entry]
    if stage == "optimized":
        graph = optimize(graph)
    if suffix == ".txt":
        return print_graph(graph) + "\n"
    try:
        return _WRITERS[suffix](graph_picture(graph, model.name))
    except ValueError as error:
        raise RequestError(f"{model.name}: {error}") from error
