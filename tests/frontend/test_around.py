"""What is around a training step, compiled: the order of samples and the rate, as training in process has them."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pytest

from netwright.build import Build
from netwright.compiler.codegen.targets.machines import describe
from netwright.compiler.codegen.targets.target import host_target
from netwright.compiler.driver import lower
from netwright.compiler.frontend.training.around import around_dims, around_graphs
from netwright.compiler.graph.graph import Graph
from netwright.runtime.engines.native import NativeEngine
from netwright.runtime.training.schedules import rate_after, reported
from netwright.specs.models.train import Adam, CosineRate, PlateauRate, ScheduleSpec, StepRate, TrainSpec
from netwright.specs.random import SHUFFLE, permutation

RATES: tuple[ScheduleSpec, ...] = (
    CosineRate(initial=0.05, steps=30, final=0.001, warm_up=3),
    StepRate(initial=0.03, every=5, factor=0.7),
    PlateauRate(initial=0.05, factor=0.3, final=0.01),
)


def engine(graphs: Mapping[str, Graph]) -> NativeEngine:
    target = host_target()
    lowered = lower("around", graphs, around_dims(), version="", target=str(target), machine=describe(target))
    return Build(lowered, target).engine(1)


@pytest.mark.parametrize(("seed", "rate"), [(0, RATES[0]), (7, RATES[1]), (2**63 - 1, RATES[2])])
def test_order_and_rate_are_those_in_process(seed: int, rate: ScheduleSpec) -> None:
    loss = {"type": "mse", "output": "y", "target": "t"}
    train = TrainSpec.model_validate({"loss": loss, "seed": seed, "optimizer": Adam(learning_rate=rate)})
    compiled = engine(around_graphs(train))
    drawn = np.random.default_rng(seed & 0xFFFF)
    for count in (1, 2, 3, 255, 256, 257, 65537, *drawn.integers(1, 3000, 60)):
        epoch = int(drawn.integers(0, 2**32)) if count % 2 else int(count % 5)
        order = np.full(count, -1)
        compiled.run("order", {"samples": int(count)}, {"epoch": np.array(epoch), "order": order})
        assert np.array_equal(order, permutation(seed, SHUFFLE, epoch, int(count)))
    for updates in range(50):
        given = {"updates": np.array(updates), "scale": np.array(0.3 ** (updates % 4))}
        out = np.zeros(())
        compiled.run("rate", {"samples": 1}, {**given, "rate": out})
        assert reported(float(out)) == reported(rate_after(rate, updates, 0.3 ** (updates % 4)))  # type: ignore[arg-type]
