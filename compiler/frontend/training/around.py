"""What is around a training step, as graphs: the order of samples, and the learning rate. Programs that train by
themselves have them compiled; their results are those of ``specs.random`` and of the step itself."""

from __future__ import annotations

from netwright.specs.dims import dim
from netwright.specs.manifest import BATCHES, EPOCH, ORDER, RATE, RATE_SCALE, SAMPLES, UPDATES, DimInfo
from netwright.specs.models.data import SplitData
from netwright.specs.models.train import TrainSpec
from netwright.specs.random import BALANCE, SHUFFLE, SHUFFLE_BATCHES, SPLIT, key_for

from ...graph.graph import Graph
from ...graph.types import TensorType
from ...ops.indexing.permutation import PermutationAttributes
from ..tensor import Tensor
from .schedules import learning_rate


def around_dims() -> list[DimInfo]:
    """The dims of these graphs."""
    return [DimInfo(name=SAMPLES)]


def around_graphs(train: TrainSpec, classes: int = 0) -> dict[str, Graph]:
    """`order` gives the order of the samples in an epoch, counted from 0, when it is shuffled; `batches` that of
    the batches, where samples are grouped by length; `rate` the learning rate
    after so many updates, of which a plateau's ``scale`` is a factor; `split_NAME` the order in which a split takes
    samples out of another set, for epoch 0; `balance_NUMBER` the order of a class's samples, of so many ``classes`` as
    are balanced."""
    graphs = {ORDER: order_graph(train.seed, SHUFFLE), RATE: _rate_graph(train)}
    if train.group_by_length:
        graphs[BATCHES] = order_graph(train.seed, SHUFFLE_BATCHES)
    for name, source in train.data.items():
        if isinstance(source, SplitData):
            graphs[split_entry(name)] = order_graph(source.seed, SPLIT)
    for number in range(classes):
        graphs[balance_entry(number)] = order_graph(train.seed, f"{BALANCE}.{number}")
    return graphs


def balance_entry(number: int) -> str:
    """The entry that draws the order of a class's samples."""
    return f"balance_{number}"


def split_entry(name: str) -> str:
    """The entry that draws the order for a split."""
    return f"split_{name}"


def order_graph(seed: int, path: str) -> Graph:
    """A graph whose output `order` is ``specs.random.permutation`` of this seed and path."""
    graph = Graph(ORDER)
    epoch = graph.input(EPOCH, TensorType("int64", ()), "input")
    attrs = PermutationAttributes(key_for(seed, path), dim(SAMPLES))
    node = graph.add("permutation", [epoch], attrs)
    graph.set_output(ORDER, node.values[0])
    return graph


def _rate_graph(train: TrainSpec) -> Graph:
    graph = Graph(RATE)
    updates = Tensor(graph, graph.input(UPDATES, TensorType("int64", ()), "input"))

    def scale(_: str, type: TensorType) -> Tensor:
        return Tensor(graph, graph.input(RATE_SCALE, type, "input"))

    graph.set_output(RATE, learning_rate(train.optimizer.learning_rate, updates, scale).value)
    return graph
