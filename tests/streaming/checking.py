"""A network over whole sequences against the same network over chunks of steps."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from random import Random
from typing import Any

import numpy as np
from numpy.typing import NDArray

from netwright.compiler.frontend.network import Network, initial_states
from netwright.compiler.interpreter import evaluate
from netwright.compiler.streaming import STEP, StepGraph, step_network
from netwright.runtime.sessions.stream import Answers, Rhythm
from netwright.specs.load import load_spec_text

from ..engines.harness import Arrays, Model, as_text

Run = Callable[[Arrays], Arrays]


class Steps:
    """The step network of a spec. Raises StreamError."""

    def __init__(self, spec: Mapping[str, Any]):
        self.model = Model(spec, entries=("predict",))
        self.time = next(name for name, info in self.model.network.dims.items() if info.role == "time")
        made = step_network(load_spec_text(as_text(spec), "spec.json"), self.model.network)
        self.network: Network = made[0]
        self.step: StepGraph = made[1]

    @property
    def rhythm(self) -> Rhythm:
        outputs = {name: Answers(out.axis, out.rate, out.delay) for name, out in self.step.outputs.items()}
        return Rhythm(STEP, self.step.group, self.step.axes, outputs)

    def sequence(self, dims: Mapping[str, int], seed: int) -> tuple[Arrays, Arrays]:
        """Inputs of whole sequences, all of whose steps count, and weights."""
        inputs = self.model.batch(dims, seed, targets=False)
        for written in self.model.spec["inputs"].values():
            if "lengths" in written and written["shape"][1] == self.time:
                inputs[written["lengths"]][...] = dims[self.time]
        return inputs, self.model.weights(seed)

    def chunks(self, steps: int, random: Random) -> list[int]:
        """Sizes of chunks that make up so many steps."""
        sizes, group = [], self.step.group
        while sum(sizes) < steps:
            sizes.append(min(group * random.choice((1, 2, 5, 13, 40)), steps - sum(sizes)))
        return sizes

    def interpreted(
        self, inputs: Arrays, weights: Arrays, dims: Mapping[str, int], chunks: list[int]
    ) -> Arrays:
        """The outputs of the step graph in the interpreter, chunk by chunk, put together."""
        step, graph = self.step, self.step.graph
        states = initial_states(self.network, dims)
        parts: dict[str, list[NDArray]] = {name: [] for name in step.outputs}
        begun = 0
        for chunk in chunks:
            given = {
                name: np.take(inputs[name], range(begun, begun + chunk), step.axes[name])
                if name in step.axes
                else inputs[name]
                for name in self.network.inputs
            }
            sizes = {name: size for name, size in dims.items() if name != self.time} | {step.chunk: chunk}
            table = {**weights, **given, **states}
            results = evaluate(graph, {name: table[name] for name in graph.inputs}, sizes)
            states = {name: results[name] for name in states}
            for name, output in step.outputs.items():
                early = output.delay - begun // step.group * output.rate
                array = results[name]
                if output.axis is not None and early > 0:
                    array = np.take(
                        array,
                        range(min(early, array.shape[output.axis]), array.shape[output.axis]),
                        output.axis,
                    )
                parts[name].append(array)
            begun += chunk
        return {
            name: parts[name][-1] if output.axis is None else np.concatenate(parts[name], output.axis)
            for name, output in step.outputs.items()
        }
