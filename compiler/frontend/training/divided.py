"""Training by parts of batches, in one process or in several: the entries `counts`, `gradients` and `update`, which
together do what `train_step` does.

`counts` says of how many elements a part's losses are means. With the sums of these over the whole batch, `gradients`
computes a part of the gradient, and of new statistics, such that adding up the parts gives those of the batch.
`update` computes new parameters from the sums.
"""

from __future__ import annotations

from collections.abc import Mapping

from netwright.specs.manifest import BATCH, GRADIENT
from netwright.specs.models.train import TrainSpec

from ...graph.graph import Graph
from ...graph.types import TensorType
from ...pipeline import eliminate_dead
from ..tensor import Tensor, dim_value
from .objective import Objective, Sums
from .update import updated

#: How many samples the whole batch has.
ROWS = f"{BATCH}rows"


def count_graph(objective: Objective) -> Graph:
    """The graph of the entry `counts`, given the objective of an expanded network: `loss.count` of each loss."""
    sums = objective.build()
    graph = objective.graph
    for stem in objective.stems:
        graph.set_output(f"{stem}.count", sums[f"{stem}.count"].value)
    return eliminate_dead(graph)


def whole_counts(objective: Objective) -> Sums:
    """Inputs for the counts of each loss in the whole batch, under the names of the part's own counts."""
    type = TensorType(objective.expander.dtype, ())
    names = [f"{stem}.count" for stem in objective.stems]
    return {name: _input(objective.graph, f"{BATCH}{name}", type) for name in names}


def set_statistics(graph: Graph, statistics: Mapping[str, Tensor]) -> None:
    """Sets a part's share of new statistics: they are means over parts, weighted by their samples."""
    if not statistics:
        return
    dtype = next(iter(statistics.values())).dtype
    whole = _input(graph, ROWS, TensorType(dtype, ()))
    first = next(iter(graph.inputs.values()))
    share = dim_value(graph, graph.type(first).shape[0], dtype) / whole
    for name, value in statistics.items():
        graph.set_output(f"{GRADIENT}{name}", (value * share).value)


def update_graph(
    train: TrainSpec, count: str, parameters: Mapping[str, TensorType], statistics: Mapping[str, TensorType]
) -> Graph:
    """The graph of the entry `update`. ``count`` names the number of elements that the (first) loss is a mean of,
    ``parameters`` are those that are trained, ``statistics`` those that training changes.
    """
    graph = Graph("update")
    dtype = next(iter(parameters.values())).dtype
    for name, type in parameters.items():
        graph.input(name, type, "parameter")
    slopes = {name: _input(graph, f"{GRADIENT}{name}", type, "gradient") for name, type in parameters.items()}
    whole = _input(graph, f"{BATCH}{count}", TensorType(dtype, ()))

    def state(name: str, type: TensorType) -> Tensor:
        value = graph.inputs.get(name)
        return Tensor(graph, graph.input(name, type, "state") if value is None else value)

    for name, value in updated(graph, train, slopes, whole, state).items():
        graph.set_output(name, value.value)
    for name, type in statistics.items():
        graph.set_output(name, _input(graph, f"{GRADIENT}{name}", type, "gradient").value)
    return graph


def _input(graph: Graph, name: str, type: TensorType, role: str = "input") -> Tensor:
    return Tensor(graph, graph.input(name, type, role))
