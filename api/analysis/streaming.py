"""Whether a network can be computed step by step, what stands against it, and when answers come."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from netwright.compiler.frontend.network import Network
from netwright.compiler.streaming import StepGraph, StreamError, step_network
from netwright.specs.diagnostics.diagnostic import Diagnostic
from netwright.specs.dims import evaluate
from netwright.specs.load import LoadResult

from ..describe import bytes_text, count_text


@dataclass(frozen=True)
class Answering:
    """When an output comes: the first time after ``first`` steps, then ``many`` values every ``every`` steps. With
    ``so_far`` it is the answer for the sequence so far."""

    output: str
    first: int
    every: int
    many: int
    so_far: bool

    def __str__(self) -> str:
        what = "an answer so far" if self.so_far else count_text(self.many, "answer")
        pace = "every step" if self.every == 1 else f"every {self.every} steps"
        later = f", the first after {count_text(self.first, 'step')}" if self.first > self.every else ""
        return f"{what} {pace}{later}"


@dataclass(frozen=True)
class Streaming:
    """The answers of a network that is computed step by step, and the bytes that it keeps per sequence."""

    answers: tuple[Answering, ...]
    state_bytes: int

    def to_json(self) -> dict[str, Any]:
        """The answers and the bytes kept, as a JSON object; `first` and `every` count steps."""
        return {"answers": [asdict(each) for each in self.answers], "kept": self.state_bytes}

    def __str__(self) -> str:
        same = len({str(answering) for answering in self.answers}) == 1
        told = [str(each) if same else f"{each.output}: {each}" for each in self.answers]
        kept = f"{bytes_text(self.state_bytes)} kept per sequence" if self.state_bytes else "nothing kept"
        return "; ".join([*dict.fromkeys(told), kept])


def streaming(load: LoadResult, network: Network) -> Streaming | list[Diagnostic]:
    """How a valid spec's network streams, or the errors for what stands against it."""
    try:
        made, step = step_network(load, network)
    except StreamError as error:
        return [_refused(load, network, layer, reason) for layer, reason in error.reasons.items()]
    dims = {name: info.min for name, info in made.dims.items()} | {
        name: 1 for name, info in made.dims.items() if info.role == "batch"
    }
    kept = sum(evaluate(state.type.nbytes, dims) for state in made.states.values())
    return Streaming(tuple(_answering(step, name) for name in step.outputs), kept)


def _answering(step: StepGraph, name: str) -> Answering:
    output = step.outputs[name]
    if output.axis is None:
        return Answering(name, step.group, step.group, 1, True)
    groups = -(-(output.delay + 1) // output.rate)
    return Answering(name, groups * step.group, step.group, output.rate, False)


def _refused(load: LoadResult, network: Network, layer: str, reason: str) -> Diagnostic:
    spans = {info.name: info.span for info in network.layers}
    owner = layer
    while owner and owner not in spans:
        owner = owner.rpartition(".")[0]
    span = spans[owner] if owner else load.span(("inputs",))
    return Diagnostic("NW0322", "error", f"{layer} can't be computed step by step", span, f"it {reason}")
