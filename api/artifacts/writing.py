"""A network that writes texts, to be compiled into files: its `predict` gives tokens in place of scores."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from netwright.compiler.frontend.build import writing_graph
from netwright.compiler.frontend.generation.decoding import WRITTEN, Writing, decoding_graph
from netwright.compiler.frontend.generation.split import split_steps
from netwright.compiler.frontend.generation.steps import NotStepwise
from netwright.compiler.frontend.network import Network, OutputInfo
from netwright.compiler.graph.graph import Graph
from netwright.runtime.data.vocabulary import Vocabulary
from netwright.specs.load import LoadResult

from ..data.written import never_written, written_by
from ..errors import RequestError


@dataclass(frozen=True)
class Compiled:
    """How texts are written: up to ``length`` tokens, by the ``vocabularies`` of the weights, keeping a ``beam`` if
    that is given.
    """

    length: int
    vocabularies: Mapping[str, Vocabulary]
    beam: int | None = None


def writing_network(load: LoadResult, network: Network, asked: Compiled) -> tuple[Network, dict[str, Graph]]:
    """The network with the outputs `written`, `written_counts` and `log_probability`, and its only entry `predict`.
    Without a token that texts begin with, or without another input, it reads what they begin with.

    Raises RequestError for a network that was not trained to predict next tokens, or that can't be run step by step.
    """
    assert load.model is not None
    written = written_by(load.model, network)
    vocabulary = asked.vocabularies.get(written.input)
    graph = writing_graph(load, network, written.input, written.output)
    others = any(name in written.others for name in graph.inputs)
    begin = end = None
    if vocabulary is not None:
        begin = vocabulary.numbers[vocabulary.begin] if vocabulary.begin and others else None
        end = vocabulary.numbers[vocabulary.end] if vocabulary.end else None
    writing = Writing(asked.length, begin, end, tuple(never_written(vocabulary, written.size)), asked.beam)
    try:
        split = split_steps(graph, written.input, written.output)
        graph = decoding_graph(split, written.input, written.output, writing)
    except NotStepwise as reason:
        raise RequestError(f"{network.model} can't be compiled to write texts: {reason}") from None
    if clash := next((name for name in graph.outputs if name in graph.inputs), None):
        raise RequestError(
            f"the input {clash} has the name of an output that holds what is written: rename it"
        )
    labels = None if vocabulary is None else vocabulary.entries
    outputs = {
        name: OutputInfo(graph.type(value), labels if name == WRITTEN else None)
        for name, value in graph.outputs.items()
    }
    inputs = {name: graph.type(value) for name, value in graph.inputs.items() if name in network.inputs}
    dims = {name: size for name, size in network.dims.items() if size.longest_of in (None, *inputs)}
    return replace(network, dims=dims, inputs=inputs, outputs=outputs, scores=()), {"predict": graph}
