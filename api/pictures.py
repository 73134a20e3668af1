"""Draws a model at one of the stages of compilation."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import Literal

from netwright.compiler.graph.text import print_graph
from netwright.compiler.passes.base import Phase
from netwright.compiler.passes.dead_code import RemoveDeadCode
from netwright.compiler.passes.scans.unroll import UnrollScans
from netwright.compiler.pipeline import GRAPH
from netwright.specs.files import write_file
from netwright.specs.models.layers.recurrent import RecurrentLayer
from netwright.specs.specialize import DimError, specialize

from .build import entry_graphs
from .data.needs import time_dim
from .drawing.graphs import graph_picture
from .drawing.layers import LayerPicture
from .drawing.picture import Picture
from .drawing.png import to_png
from .drawing.svg import to_svg
from .drawing.text import to_dot, to_text
from .drawing.unrolled import unrolled
from .errors import RequestError
from .model import Model

Stage = Literal["spec", "graph", "optimized"]
_WRITERS = {".svg": to_svg, ".dot": to_dot, ".txt": to_text}
#: The file name extensions of pictures.
SUFFIXES = (*_WRITERS, ".png")


class Drawing:
    """A drawing of a model, which notebooks show: ``picture`` is what is drawn. One of operations also has a textual
    form of its own.
    """

    def __init__(self, picture: Callable[[], Picture], text: str | None = None):
        self._make, self._text = picture, text

    @cached_property
    def picture(self) -> Picture:
        """Boxes and arrows. Raises RequestError if there are too many to draw."""
        return self._make()

    def content(self, suffix: str) -> bytes:
        """The content of a file with this ending: `.svg`, `.png`, `.dot` (Graphviz) or `.txt`. Raises RequestError, for
        a PNG also without the extra png.
        """
        if suffix == ".png":
            return to_png(self.picture)
        if suffix not in _WRITERS:
            raise RequestError(
                f"a picture is written as {', '.join(SUFFIXES)}, not as {suffix or 'nothing'!r}"
            )
        if suffix == ".txt" and self._text is not None:
            return self._text.encode()
        return _WRITERS[suffix](self.picture).encode()

    def save(self, path: str | Path) -> None:
        """Writes a file, whose ending says as what. Raises RequestError and OSError."""
        write_file(path, self.content(Path(path).suffix))

    def _repr_svg_(self) -> str:
        return to_svg(self.picture)

    def __str__(self) -> str:
        return self.content(".txt").decode()


def draw(
    model: Model, *, unroll: int | None = None, stage: Stage = "spec", entry: str = "predict"
) -> Drawing:
    """Draws a model.

    The ``stage`` "spec" shows the layers; with ``unroll``, recurrences become one copy per step. "graph" and
    "optimized" show the operations of an entry, with ``unroll`` those of that many steps; their text is the graph's
    own. Raises SpecError, RequestError.
    """
    if stage == "spec":
        layers = LayerPicture(model.load, model.network)
        try:
            picture = layers.rolled() if unroll is None else unrolled(layers, unroll)
        except ValueError as error:
            raise RequestError(f"{model.name}: {error}") from error
        return Drawing(lambda: picture)
    if unroll is not None:
        model = _written_out(model, unroll)
    graph = entry_graphs(model.network, [entry])[entry]
    if stage == "optimized":
        graph = GRAPH.run(graph)
    elif unroll is not None:
        graph = Phase("unroll", (UnrollScans(), RemoveDeadCode())).run(graph)

    def operations() -> Picture:
        try:
            return graph_picture(graph, model.name)
        except ValueError as error:
            raise RequestError(f"{model.name}: {error}") from error

    return Drawing(operations, print_graph(graph) + "\n")


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
