"""The reference engine: NumPy interprets the graphs of the entries."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from netwright.compiler.frontend.network import Network
from netwright.compiler.graph.graph import Graph
from netwright.compiler.graph.types import TensorType
from netwright.compiler.interpreter import evaluate
from netwright.compiler.ops.base import EvaluationError
from netwright.compiler.ranges import merged_ranges
from netwright.runtime.engines.engine import find_entry
from netwright.runtime.errors import ExecutionError
from netwright.specs.manifest import BufferInfo, EntryInfo, Manifest

_ROLES = {"target": "input"}


class ReferenceEngine:
    """An ``Engine`` that interprets graphs with NumPy: slow, but simple enough to be trusted."""

    def __init__(self, network: Network, graphs: Mapping[str, Graph], *, version: str):
        self._graphs = dict(graphs)
        self._manifest = reference_manifest(network, self._graphs, version)

    @property
    def manifest(self) -> Manifest:
        """The entries and their buffers."""
        return self._manifest

    def run(self, entry: str, dims: Mapping[str, int], buffers: Mapping[str, NDArray]) -> None:
        """See ``Engine.run``. An output with the name of a buffer that was read replaces the buffer's contents."""
        find_entry(self._manifest, entry)
        graph = self._graphs[entry]
        try:
            inputs = {name: buffers[name] for name in graph.inputs}
            results = evaluate(graph, inputs, dims)
            # A result may be a view of a buffer that another result is about to overwrite.
            results = {name: np.array(value) if name in inputs else value for name, value in results.items()}
            for name, value in results.items():
                buffers[name][...] = value
        except KeyError as error:
            raise ExecutionError(f"buffer {error.args[0]!r} was not given") from None
        except EvaluationError as error:
            raise ExecutionError(f"{self._manifest.model}.{entry}: {error}", error.code) from error
        except MemoryError as error:
            raise ExecutionError(f"{self._manifest.model}.{entry} needs more memory than there is") from error

    def fast_call(
        self, entry: str, dims: Mapping[str, int], fixed: Mapping[str, NDArray], passed: Sequence[str]
    ) -> None:
        """See ``Engine.fast_call``: there is none."""

    def tell(self, passed: Callable[[int], None] | None) -> None:
        """See ``Engine.tell``: the interpreter passes no marks."""


def reference_manifest(network: Network, graphs: Mapping[str, Graph], version: str) -> Manifest:
    """The manifest of interpreted graphs: without packed weights, constants or an arena."""
    buffers: dict[str, BufferInfo] = {}
    entries = []
    ranges = merged_ranges(graphs.values())
    for entry, graph in graphs.items():
        for name, value in graph.inputs.items():
            role = graph.input_role(name)
            info = _buffer(name, _ROLES.get(role, role), graph.type(value))
            if name not in buffers or buffers[name].role == "output":  # of another entry
                buffers[name] = info.model_copy(update={"ranges": ranges.get(name)})
        for name, value in graph.outputs.items():
            output = _buffer(name, "output", graph.type(value))
            if name in network.outputs and (labels := network.outputs[name].labels):
                output = output.model_copy(update={"labels": list(labels)})
            buffers.setdefault(name, output)
        entries.append(
            EntryInfo(
                name=entry,
                symbol=f"{network.model}_{entry}",
                reads=list(graph.inputs),
                writes=list(graph.outputs),
                slots=0,
            )
        )
    return Manifest(
        netwright=version,
        model=network.model,
        target="reference",
        dims=list(network.dims.values()),
        buffers=list(buffers.values()),
        entries=entries,
        scores=[score for score in network.scores if buffers.keys() >= set(score.sums)],
    )


def _buffer(name: str, role: str, type: TensorType) -> BufferInfo:
    shape = [str(size) for size in type.shape]
    return BufferInfo.model_validate({"name": name, "role": role, "dtype": type.dtype, "shape": shape})
