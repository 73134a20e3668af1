"""The programs that vary the samples of an executable that trains. It learns the type of its data when it runs, so that
there is an entry for each type of whose numbers others are computed."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from netwright.compiler.codegen.files.trainer_tables import Part, VariationTable
from netwright.compiler.codegen.targets.machines import describe
from netwright.compiler.codegen.targets.target import Target
from netwright.compiler.frontend.network import Network
from netwright.compiler.frontend.training.variations import computes, variation_dims, variation_graph
from netwright.compiler.graph.graph import Graph
from netwright.compiler.loop.typing import VerifyError
from netwright.specs.manifest import VARY
from netwright.specs.models.train import TrainSpec

from ..build import lowering_of

#: The types that files may have beside the model's: whole numbers stay whole in them, and floats as narrow as they are.
_STORED = ("float32", "int8", "uint8", "int16", "uint16", "int32", "uint32")


class NotVaried(Exception):
    """No code for any size of an input varies its samples."""


def can_vary(network: Network, train: TrainSpec, name: str) -> bool:
    """Whether there are kernels for the changes of an input."""
    return all(graph is not None for graph in _graphs(network, train, name).values())


def variation_table(
    network: Network, train: TrainSpec, position: int, lengths: str | None, target: Target
) -> VariationTable:
    """The program for the input at a ``position`` of `augment`, lowered for a target; ``lengths`` names the array that
    holds those of its sequences. Raises NotVaried if it can't be shown to stay within its samples.
    """
    name = list(train.augment)[position]
    graphs = {f"{VARY}_{dtype}": graph for dtype, graph in _graphs(network, train, name).items() if graph}
    dims = variation_dims(network.inputs[name].shape[1:])
    try:
        lowered = lowering_of(f"{network.model}_{VARY}{position}", graphs, dims, target, describe(target))()
    except VerifyError as error:
        raise NotVaried(str(error)) from None
    entries = {entry.removeprefix(f"{VARY}_"): entry for entry in graphs}
    return VariationTable(name, lengths, Part(lowered.program, lowered.manifest), entries)


def _graphs(network: Network, train: TrainSpec, name: str) -> Mapping[str, Graph | None]:
    """The changes of an input by the type in which samples were stored: first the model's own."""
    changes, type = train.augment[name], network.inputs[name]
    dtype = np.dtype(type.dtype)
    others = [other for other in _STORED if other != dtype.name and np.can_cast(other, dtype)]
    return {
        stored: variation_graph(
            name, changes, train.seed, np.dtype(stored), type.shape[1:], dtype, plain=dtype
        )
        for stored in (dtype.name, *(others if any(map(computes, changes)) else ()))
    }
