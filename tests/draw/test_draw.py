"""A slice of what `python -m tests.draw` runs, and that it finds what it is there for."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from functools import cache
from itertools import chain
from pathlib import Path
from random import Random
from typing import Any

import pytest

from netwright.specs.models.layers import LAYERS
from netwright.specs.models.losses import AnyLoss
from netwright.specs.models.metrics import AnyMetric
from netwright.specs.models.train import AnyOptimizer

from ..conftest import Golden
from ..engines.harness import losses_of
from ..engines.layers import LAYERS as DRAWN
from ..engines.sketch import Sketch, Thrown
from ..slices import sliced
from .networks import Case, draw
from .pool import Pool, Worker
from .shrink import shrink

COUNT = 40
#: The keys that any loss has, and any that compares an output with a target.
ANY_LOSS = {"type", "name", "weight", "mask", "output", "target", "steps"}
#: How many are looked at, without being compiled, for what is drawn at all.
MANY = 1800


#: Numbers of networks that together hold all that is looked for below; `--update-golden` looks for others if these no
#: longer do.
TELLING = Path(__file__).parent / "golden" / "telling.txt"
#: A network with a softmax that is trained; where the drawing changes, the first that is one takes its place.
SOFTMAX = 140


@cache
def spec_of(number: int) -> Mapping[str, Any]:
    """The network of a number, drawn once for all that look at it."""
    return draw(number, 0).spec


def telling() -> list[int]:
    return [int(number) for number in TELLING.read_text(encoding="utf-8").split()]


def chosen(wanted: set[str]) -> Iterator[int]:
    """Numbers of small networks, which are drawn quickly, that hold all of it as far as any does."""
    shown = {number: held(spec_of(number)) for number in range(MANY)}
    sizes = {number: len(json.dumps(spec_of(number))) for number in shown}
    missing = wanted & set().union(*shown.values())
    while missing:
        number = max(shown, key=lambda number: len(missing & shown[number]) / sizes[number])
        missing -= shown[number]
        yield number


def never_drawn(wanted: set[str]) -> set[str]:
    """What none of the networks holds."""
    return wanted.difference(*(held(spec_of(number)) for number in telling()))


@pytest.fixture(scope="module")
def pool() -> Iterator[Pool]:
    with Pool(1) as pool:
        yield pool


@pytest.mark.parametrize("start", sliced(range(0, COUNT, 4), lambda start: start == 0))
def test_drawn_networks(pool: Pool, start: int) -> None:
    for number in range(start, start + 4):
        found = pool.run({"number": number, "seed": 0})
        again = f"python -m tests.draw --seed 0 --start {number} --count 1"
        assert found["outcome"] != "FAILED", f"{again}\n{found['what']}\n{found['traceback']}"


def types(layers: list[dict[str, Any]]) -> Iterator[str]:
    for layer in layers:
        if "type" in layer:
            yield layer["type"]
        inner = layer.get("layers", [])  # of an LSTM it is how many
        yield from types(
            [*(inner if isinstance(inner, list) else []), *([layer["layer"]] if "layer" in layer else [])]
        )


def held(spec: Mapping[str, Any]) -> set[str]:
    """What a network shows of the language."""
    return {*parts_of(spec), *kinds_of(spec), *given_of(spec)}


def every_part() -> set[str]:
    wanted = {*LAYERS, "several losses"}
    for union in (AnyLoss, AnyOptimizer):
        wanted |= {part.model_fields["type"].default for part in union.__args__}
    wanted |= {f"metric {part.model_fields['type'].default}" for part in AnyMetric.__args__}
    for part in AnyLoss.__args__:
        wanted |= {
            f"{part.model_fields['type'].default}.{key}" for key in part.model_fields.keys() - ANY_LOSS
        }
    return wanted


#: With arguments, several inputs and outputs, parameters of another use, and both kinds of windows.
KINDS = {
    *("args", "with", "default", "in1", "outputs", "share of a use", "repeat of a use", "repeat"),
    *("bptt with states", "bptt without states", "bptt with lengths", "checkpoint"),
    *("freeze", "accumulate", "ema", "parameter_groups"),
}
GIVEN = {
    *("weights from an input", "weights that are learned", "ports", "vars", "defaults", "dtype"),
    *("multiple_of", "max", "cells inside"),
}


def test_all_of_the_language_is_drawn(golden: Golden) -> None:
    """A new part fails here until it is drawn; looking through all networks takes minutes. One test, since drawing the
    networks takes seconds of each process that asks.
    """
    wanted = every_part() | KINDS | GIVEN
    if golden.update and never_drawn(wanted):
        golden.check(TELLING.name, " ".join(map(str, sorted(chosen(wanted)))) + "\n")
    assert never_drawn(wanted) == set(), "run: make golden"


def parts_of(spec: Mapping[str, Any]) -> Iterator[str]:
    for layers in (spec["layers"], *(block["layers"] for block in spec.get("blocks", {}).values())):
        yield from types(layers)
    if "train" not in spec:
        return
    losses = losses_of(spec)
    yield from (loss["type"] for loss in losses)
    yield from (f"{loss['type']}.{key}" for loss in losses for key in loss)
    yield spec["train"]["optimizer"]["type"]
    yield from (f"metric {one if isinstance(one, str) else one['type']}" for one in spec["train"]["metrics"])
    if len(losses) > 1:
        yield "several losses"


def kinds_of(spec: Mapping[str, Any]) -> Iterator[str]:
    text = json.dumps(spec.get("blocks", {}))
    yield from (word for word in ("args", "default", "in1", "outputs") if f'"{word}"' in text)
    for layer in spec["layers"]:
        kind = "of a use" if "use" in layer and "type" not in layer else ""
        yield from (f"{key} {kind}".strip() for key in ("share", "repeat") if key in layer)
        yield from ("with" for _ in range(bool(kind) and "with" in layer))
    yield from {"freeze", "accumulate", "ema", "parameter_groups"} & spec.get("train", {}).keys()
    bptt = spec.get("train", {}).get("bptt")
    if bptt and "checkpoint" in bptt:
        yield "checkpoint"
    if bptt and "window" in bptt:
        yield f"bptt {'with' if bptt.get('carry_state', True) else 'without'} states"
        yield from ("bptt with lengths" for one in spec["inputs"].values() if "lengths" in one)


def given_of(spec: Mapping[str, Any]) -> Iterator[str]:
    yield from spec.keys() & {"vars", "defaults", "dtype"}
    for dim in spec.get("dims", {}).values():
        yield from dim.keys() & {"multiple_of", "max"} if isinstance(dim, dict) else ()
    for layer in spec["layers"]:
        for name in layer.get("weights", {}).values():
            yield f"weights {'from an input' if name in spec['inputs'] else 'that are learned'}"
    if any(source.endswith((".mean", ".weights", ".indices")) for source in spec["outputs"].values()):
        yield "ports"
    if any("cells" in cell for cell in spec.get("cells", {}).values()):
        yield "cells inside"


OPTIONS = {
    **dict.fromkeys(("rnn", "lstm", "gru"), ("T", 3)),
    **dict.fromkeys(("mean_pool1d", "max_pool1d", "conv_transpose1d", "max_unpool"), (6, 2)),
    **dict.fromkeys(("layer_norm", "nll_loss", "batch_norm", "group_norm", "lrn", "gelu"), (3, 4)),
    "resize": (4, 4, 2),
    **dict.fromkeys(("spectrogram", "mfcc"), ("T", 2)),
}


@pytest.mark.parametrize("kind", OPTIONS)
def test_every_key_of_a_layer_is_drawn(kind: str) -> None:
    """But for what any layer has, and how parameters start, which are drawn in other ways."""
    shared = {"name", "inputs", "expect", "share", "weights", "repeat", "trainable"}
    missing = {
        key for key in LAYERS[kind].model_fields if key not in shared and not key.endswith("_init")
    } - {"padding" if kind == "max_unpool" else ""}
    for seed in range(300):
        s = Sketch(Thrown(Random(seed)))
        s.dims["T"] = "time"
        if DRAWN[kind](s, s.input(*OPTIONS[kind])) is not None:
            missing -= s.layers[-1].keys()
        if not missing:
            return
    assert missing == set()


def test_a_number_is_drawn_again() -> None:
    assert draw(7, 3) == draw(7, 3) != draw(8, 3)


def test_a_process_that_ends_or_hangs_is_replaced() -> None:
    """What happens to a child is an outcome like others."""
    worker = Worker(seconds=60)
    try:
        first = worker._running()
        first.kill()
        first.wait()
        assert worker.run({"number": 4, "seed": 0, "trip": False})["outcome"] == "agree"
        worker.seconds = 0.01
        assert "took longer" in worker.run({"number": 0, "seed": 0})["what"]
        assert worker._child is None  # so that the next network gets another, as above
    finally:
        worker.stop()


def test_a_failing_network_is_made_smaller() -> None:
    """Down to the one layer that matters, and to numbers that cannot be less."""

    def fails(spec: Mapping[str, Any]) -> bool:
        return any(layer.get("type") == "softmax" for layer in spec["layers"])

    drawn = (draw(number, 0) for number in chain([SOFTMAX], range(MANY)))
    case = next(case for case in drawn if fails(case.spec) and "train" in case.spec)
    smaller = shrink(case.spec, fails, seconds=20)
    assert [layer["type"] for layer in smaller["layers"]] == ["softmax"]
    assert len(smaller["outputs"]) == 1
    assert "train" not in smaller
    assert len(json.dumps(smaller)) < len(json.dumps(case.spec))
    assert Case(**asdict(case.with_spec(smaller))).spec == smaller
