"""Parts of a batch give the gradients of the whole: the entries `counts`, `gradients` and `update`."""

from collections.abc import Mapping
from itertools import pairwise
from typing import Any, Literal

import numpy as np
import pytest
from numpy.typing import NDArray

import netwright
from netwright.compiler.frontend.analyses.mixing import mixing_layer
from netwright.errors import RequestError
from netwright.runtime.sessions.session import Session
from netwright.training.ranks import Divided
from tests.ranks.specs import PICTURES, QUICK, TAGGER, picture_data, tagger_data

Engine = Literal["native", "reference"]


def divided(model: netwright.Model, weights: Mapping[str, NDArray], engine: Engine) -> Session:
    made = Divided(model.load, model.network, engine=engine, threads=1, pin=False, cpu="native")
    return made.session(weights, 1)


def taken(session: Session, entry: str, arrays: Mapping[str, Any]) -> dict[str, NDArray]:
    return {
        info.name: np.asarray(arrays[info.name], info.dtype if info.name.startswith("batch.") else None)
        for info in session.input_info(entry)
    }


def step_by_parts(session: Session, arrays: Mapping[str, NDArray], cuts: list[int]) -> dict[str, NDArray]:
    """A step whose parts begin and end at ``cuts``; returns the sums of all parts, and what the update says."""
    bounds = list(pairwise(cuts))
    parts = [{name: array[a:b] for name, array in arrays.items()} for a, b in bounds]
    counts = [session.run("counts", taken(session, "counts", part)) for part in parts]
    whole: dict[str, Any] = {f"batch.{name}": sum(each[name] for each in counts) for name in counts[0]}
    whole["batch.rows"] = cuts[-1]
    sums: dict[str, NDArray] = {}
    total = np.zeros_like(session.gradients)
    for (start, _), part in zip(bounds, parts, strict=True):
        given = taken(session, "gradients", {**part, **whole})
        for name, value in session.run("gradients", given, {"first_row": start + 1}).items():
            sums[name] = sums.get(name, 0) + value
        total += session.gradients
    session.gradients[...] = total
    return sums | session.run("update", taken(session, "update", whole))


@pytest.mark.parametrize("engine", ["reference", "native"])
def test_parts_add_up_to_the_step_of_the_whole_batch(engine: Engine) -> None:
    model = netwright.load(TAGGER, QUICK if engine == "native" else ())
    whole = model.compile(engine=engine, entries=("loss", "train_step"), threads=1)
    session, arrays = divided(model, whole.weights, engine), tagger_data(12, 0)
    for _ in range(2):
        expected = whole.session.run("train_step", arrays)
        sums = step_by_parts(session, arrays, [0, 5, 6, 12])
    assert sums.keys() == expected.keys()
    for name, value in expected.items():
        np.testing.assert_allclose(sums[name], value, rtol=1e-5, err_msg=name)
    for name, array in whole.weights.items():
        np.testing.assert_allclose(session.weights[name], array, atol=1e-6, err_msg=name)
    for name, array in whole.session.state.items():
        np.testing.assert_allclose(session.state[name], array, atol=1e-5, err_msg=name)


def test_statistics_are_means_over_parts_by_their_samples() -> None:
    model = netwright.load(PICTURES)
    program = model.compile(engine="reference", entries=("loss", "train_step"))
    session, arrays = divided(model, program.weights, "reference"), picture_data(9, 0)
    alone: list[dict[str, NDArray]] = []
    for part in (slice(0, 3), slice(3, 9)):
        own = model.compile(engine="reference", entries=("loss", "train_step"))
        own.session.run("train_step", {name: array[part] for name, array in arrays.items()})
        alone.append(own.weights)
    step_by_parts(session, arrays, [0, 3, 9])
    for name in ("norm.mean", "norm.variance"):
        expected = (alone[0][name] * 3 + alone[1][name] * 6) / 9
        np.testing.assert_allclose(session.weights[name], expected, rtol=1e-6)


def test_marks_say_which_gradients_are_complete() -> None:
    model = netwright.load(PICTURES)
    program = model.compile(entries=("loss",), threads=1)
    session, arrays = divided(model, program.weights, "native"), picture_data(9, 0)
    given = taken(session, "gradients", {**arrays, "batch.loss.count": 9, "batch.rows": 9})
    session.run("gradients", given)
    whole, ends = session.gradients.copy(), session.gradients_after_marks()
    passed: list[int] = []

    def check(mark: int) -> None:
        if np.array_equal(session.gradients[: ends[mark]], whole[: ends[mark]]):
            passed.append(mark)

    session.gradients.fill(0)
    session.engine.tell(check)
    session.run("gradients", given)
    session.engine.tell(None)
    assert passed == list(range(len(ends)))
    assert ends == sorted(ends)
    assert not whole[ends[-1] :].any()  # padding


def test_layers_that_mix_samples_are_known() -> None:
    layers = [{"name": "centered", "type": "expression", "inputs": ["x"], "value": "x - mean(x, axis=0)"}]
    spec = {**PICTURES, "layers": [*layers, *PICTURES["layers"]]}
    mixing = netwright.load(spec).network
    assert mixing_layer(mixing.graphs["predict"], mixing.inputs["x"].shape[0]) == "centered"
    for spec in (PICTURES, TAGGER):
        network = netwright.load(spec).network
        assert mixing_layer(network.graphs["predict"], next(iter(network.inputs.values())).shape[0]) is None


def test_batches_of_one_size_can_not_be_divided() -> None:
    model = netwright.load(PICTURES, dims={"N": 9})
    made = Divided(model.load, model.network, engine="reference", threads=1, pin=False, cpu="native")
    with pytest.raises(RequestError, match="x always has 9 samples"):
        made.session({}, 2)
