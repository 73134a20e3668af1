"""Finds learning rates for a model: the rate range test on its training data, and what is written about it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from netwright.runtime.data.samples import Samples
from netwright.runtime.training.rate_test import Told, run_rate_test
from netwright.runtime.training.rates import RateCurve, rising_rates
from netwright.specs.models.train import PlateauRate

from ..data.sets import DataSets, Given
from ..errors import RequestError
from ..model import Model
from ..program import EngineName
from ..training.run import fit, training_plan
from ..training.variations import variation_compiler


def find_rates(
    model: Model,
    data: Mapping[str, Given] | DataSets | None = None,
    *,
    first: float = 1e-6,
    last: float = 1.0,
    steps: int = 100,
    engine: EngineName = "native",
    threads: int | None = None,
    pin: bool = False,
    told: Told | None = None,
) -> RateCurve:
    """Trains new weights of ``model`` while the rate rises from ``first`` to ``last``, and returns the losses.

    Everything but the learning rate is as the spec's `train` section says. ``data`` are data sets by name as in
    `Model.data`, by default the spec's. The weights are not kept. The same spec and data give the same curve.

    Raises RequestError without a train section or for rates that do not rise, SpecError, DataError, and TrainingError
    if the loss is not finite before the first update.
    """
    plan = training_plan(model.load, model.network)
    try:
        rates = rising_rates(first, last, steps)
    except ValueError as error:
        raise RequestError(str(error)) from None
    train = model.spec.train
    assert train is not None
    sets = data if isinstance(data, DataSets) else model.data(data)
    samples: Samples = sets["train"]
    samples.load()
    rising = _with_set_rate(model)
    program = rising.compile(engine=engine, threads=threads, pin=pin, entries=("loss", "train_step"))
    try:
        compile = variation_compiler(program.cpu if engine == "native" else None)
        plan = replace(plan, plateau=None, compile=compile)
        fit(rising.network, program.session, samples, plan)
        return run_rate_test(program.session, plan, samples, rates, accumulate=train.accumulate, told=told)
    finally:
        program.close()


def _with_set_rate(model: Model) -> Model:
    """The model with a learning rate that a session can set: a plateau from 1, so that its scale is the rate."""
    spec = model.spec
    assert spec.train is not None
    optimizer = spec.train.optimizer.model_copy(update={"learning_rate": PlateauRate(initial=1.0)})
    train = spec.train.model_copy(update={"optimizer": optimizer})
    changed = spec.model_copy(update={"train": train})
    return Model(replace(model.load, model=changed, partial=changed))


def advice(curve: RateCurve) -> list[str]:
    """Sentences about a curve that a reader should know; none if it is as it should be."""
    first, last = curve.rates[0], curve.rates[-1]
    lines = []
    if curve.stays_above and curve.diverged:
        lines.append(
            f"the loss is above its first value all along: begin lower, such as --from {first / 1e3:.1g}"
        )
    elif not curve.falls:
        lines.append(
            "the loss hardly falls: try more steps or larger batches, a wider range, or other weights (--seed)"
        )
    elif curve.still_falls:
        lines.append(f"the loss still falls at the last rate: go on higher, such as --to {last * 100:.1g}")
    return lines


def curve_to_json(model: Model, curve: RateCurve) -> str:
    """The curve as a JSON object: rates and losses per step, the readings, and whether the loss diverged."""
    written: dict[str, Any] = {
        "model": model.name,
        "steepest": curve.steepest,
        "tenth": curve.tenth,
        "least": {"rate": curve.rates[curve.least], "loss": float(curve.smoothed[curve.least])},
        "diverged": curve.diverged,
        "advice": advice(curve),
        "rates": list(curve.rates),
        "losses": list(curve.losses),
        "smoothed": curve.smoothed.tolist(),
    }
    return json.dumps(written, indent=2, ensure_ascii=False) + "\n"
