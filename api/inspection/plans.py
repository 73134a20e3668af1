"""The plans of an entry's products, with the times that the cost model predicts on this computer."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from netwright.compiler.codegen.speed import Speed
from netwright.compiler.codegen.targets.machines import describe
from netwright.compiler.codegen.targets.target import host_target
from netwright.compiler.driver import lower
from netwright.compiler.loop.marks import watched
from netwright.compiler.lowering.tiles.plans import Planned
from netwright.compiler.machine import Machine
from netwright.compiler.ops.scans.scan_attributes import ScanAttributes
from netwright.compiler.plans.costs import Rates, seconds

from ..artifacts.identified import layer_names
from ..build import entry_graphs
from ..model import Model
from .optimizations import Algorithm, Choices


@dataclass(frozen=True)
class LayerPlan:
    """The plan of a kernel: which layers it computes, how, and in how many ``seconds`` as predicted for one run (None:
    the model does not say); what came ``next``, and its seconds."""

    layers: str
    plan: str
    seconds: float | None
    next: str = ""
    next_seconds: float | None = None

    def lines(self) -> list[str]:
        """The plan, and what came next with the reason against it."""
        predicted = "" if self.seconds is None else f"; {_time(self.seconds)} predicted"
        text = [f"{self.layers or 'no layer'}: {self.plan}{predicted}"]
        if self.seconds and self.next_seconds is not None:
            share = self.next_seconds / self.seconds - 1
            than = (
                f"{share:.0%} more"
                if share >= 0.005
                else "no less"
                if share >= -0.005
                else f"{-share:.0%} less"
            )
            text.append(f"  not {self.next}: {_time(self.next_seconds)} predicted, {than}")
        return text

    def to_json(self) -> dict[str, Any]:
        """The plan as a JSON object."""
        return {
            "layers": self.layers.split(", "),
            "plan": self.plan,
            "predicted_ns": None if self.seconds is None else round(self.seconds * 1e9),
            "next": self.next or None,
            "next_predicted_ns": None if self.next_seconds is None else round(self.next_seconds * 1e9),
        }


def rates(speed: Speed) -> Rates:
    """What a core reaches, for predictions."""
    return Rates(speed.flops_per_second["float32"], speed.bytes_per_second["memory"])


def layer_plans(
    model: Model, speed: Speed, entry: str = "predict", machine: Machine | None = None
) -> tuple[list[LayerPlan], list[Algorithm]]:
    """The plans of an entry's products, in the order in which its kernels run; open sizes are taken to be usual ones.
    And how threads divide each of its loops over steps. Raises SpecError, RequestError."""
    network, watch = model.network, Choices()
    lowered = lower(
        network.model,
        entry_graphs(network, [entry]),
        list(network.dims.values()),
        version="",
        target="",
        machine=machine or describe(host_target()),
        math=network.math,
        observer=watch,
    )
    shown = layer_names(network)
    plans: list[LayerPlan] = []
    for call in watched(lowered.program.entries[entry]).moments:
        planned = None if call is None else call.info.planned
        if call is not None and isinstance(planned, Planned):
            plans.append(
                _layer_plan(", ".join(dict.fromkeys(map(shown, call.info.layers))), planned, rates(speed))
            )
    loops = [choice for choice in watch.choices if isinstance(choice.node.attrs, ScanAttributes)]
    return plans, [Algorithm(shown(each.node.layer), "loop", each.algorithm, each.reason) for each in loops]


def _layer_plan(layers: str, planned: Planned, known: Rates) -> LayerPlan:
    units, work = planned.units(), planned.work
    if units is None or work is None:
        return LayerPlan(layers, str(planned.plan), None)
    own = seconds(units, work.lanes, known)
    # How many terms of a sum come at once is not predicted: registers decide it.
    others = [choice for choice in planned.others if replace(planned.choice, steps=choice.steps) != choice]
    timed = [(planned.units(choice) or 0.0, choice) for choice in others]
    if not timed:
        return LayerPlan(layers, str(planned.plan), own)
    least, choice = min(timed, key=lambda each: each[0])
    return LayerPlan(layers, str(planned.plan), own, f"a tile of {choice}", seconds(least, work.lanes, known))


def _time(value: float) -> str:
    return f"{value * 1e6:,.1f} µs" if value < 1e-3 else f"{value * 1e3:,.2f} ms"
