"""Draws a model at one of the stages of compilation."""

from __future__ import annotations

from dataclasses import replace
from typing import Literal

from netwright.compiler.graph.text import print_graph
from netwright.compiler.passes.base import Phase
from netwright.compiler.passes.dead_code import RemoveDeadCode
from netwright.compiler.passes.unroll import UnrollScans
from netwright.compiler.pipeline import GRAPH
from netwright.specs.models.layers.recurrent import RecurrentLayer
from netwright.specs.specialize import DimError, specialize

from .build import entry_graphs
from .data.needs import time_dim
from .drawing.graphs import graph_picture
from .drawing.layers import LayerPicture
from .drawing.svg import to_svg
from .drawing.text import to_dot, to_text
from .drawing.unrolled import unrolled
from .errors import RequestError
from .model import Model

Stage = Literal["spec", "graph", "optimized"]
_WRITERS = {".svg": to_svg, ".dot": to_dot, ".txt": to_text}
#: The file name extensions of pictures.
SUFFIXES = tuple(_WRITERS)


def draw(
    model: Model,
    suffix: str = ".svg",
    *,
    unroll: int | None = None,
    stage: Stage = "spec",
    entry: str = "predict",
) -> str:
    """A model as the text of a picture: `.svg`, `.dot` (Graphviz) or `.txt`.

    The ``stage`` "spec" shows the layers; with ``unroll``, recurrences become one copy per step. "graph" and
    "optimized" show the operations of an entry, with ``unroll`` those of that many steps; their `.txt` is the graph's
    own textual form. Raises SpecError, RequestError.
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
        model = _written_out(model, unroll)
    graph = entry_graphs(model.network, [entry])[entry]
    if stage == "optimized":
        graph = GRAPH.run(graph)
    elif unroll is not None:
        graph = Phase("unroll", (UnrollScans(), RemoveDeadCode())).run(graph)
    if suffix == ".txt":
        return print_graph(graph) + "\n"
    try:
        return _WRITERS[suffix](graph_picture(graph, model.name))
    except ValueError as error:
        raise RequestError(f"{model.name}: {error}") from error


def _written_out(model: Model, steps: int) -> Model:
    """The model for sequences of ``steps`` steps with its recurrences unrolled. If the spec fixes the number of steps,
    each loop is unrolled by ``steps``.
    """
    layers = model.spec.layers
    if not any(isinstance(layer, RecurrentLayer) for layer in layers):
        raise RequestError(f"{model.name}: there is no recurrent layer to unroll")
    time = time_dim(model.network)
    try:
        load = specialize(model.load, {} if time is None else {time: steps})
    except DimError as error:
        raise RequestError(f"{model.name}: {error}") from error
    assert load.model is not None
    update = {"unroll": steps if time is None else "full"}
    layers = tuple(
        layer.model_copy(update=update) if isinstance(layer, RecurrentLayer) else layer
        for layer in load.model.layers
    )
    spec = load.model.model_copy(update={"layers": layers})
    return Model(replace(load, model=spec, partial=spec))
