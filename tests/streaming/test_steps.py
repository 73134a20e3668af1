"""Chunks of steps, put together, are the whole sequence."""

from __future__ import annotations

import json
from itertools import pairwise
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner

import netwright
from netwright.cli import main
from netwright.compiler.streaming import StreamError
from netwright.runtime.errors import InputError

from ..slices import sliced
from .checking import Steps
from .networks import drawn

HEAD: dict[str, Any] = {
    "netwright": 1,
    "model": "steps",
    "dims": {"N": "batch", "T": {"role": "time", "min": 8}},
    "inputs": {"x": {"shape": ["N", "T", 3]}},
}


def spec(*layers: dict[str, Any], **more: Any) -> dict[str, Any]:
    named = [{"name": f"l{position}", **layer} for position, layer in enumerate(layers)]
    return {**HEAD, "layers": named, "outputs": {"y": named[-1]["name"]}, **more}


@pytest.mark.parametrize("start", sliced(range(0, 30, 10), lambda start: start != 10))
def test_drawn_networks(start: int) -> None:
    for number in range(start, start + 10):
        spec = drawn(number)
        steps = Steps(spec)
        group = steps.step.group
        sizes = {"N": 2, "T": -(-200 // group) * group + group * (number % 3)}
        inputs, weights = steps.sequence(sizes, number)
        whole = steps.model.interpret("predict", {**weights, **inputs}, sizes)
        chunks = steps.chunks(sizes["T"], Random(number))
        found = steps.interpreted(inputs, weights, sizes, chunks)
        for name, array in whole.items():
            assert found[name].shape == array.shape, (number, spec)
            np.testing.assert_allclose(
                found[name], array, rtol=1e-11, atol=1e-11, err_msg=f"{number}: {spec}"
            )


@pytest.mark.parametrize(
    ("layers", "reasons"),
    [
        (
            [{"type": "lstm", "units": 2, "bidirectional": True}],
            {"l0": "runs from the last step to the first"},
        ),
        (
            [{"type": "conv1d", "filters": 2, "kernel_size": 3, "padding": "same"}],
            {"l0": "adds 1 step after the last one"},
        ),
        (
            [{"type": "max_pool1d", "pool_size": 2, "padding": "causal"}],
            {"l0": "adds 1 step after the last one"},
        ),
        ([{"type": "global_max_pool"}, {"type": "dense", "units": 2}], {"l0": "puts all steps together"}),
        ([{"type": "reverse"}], {"l0": "runs from the last step to the first"}),
        ([{"type": "attention"}], {"l0": "brings different steps together"}),
        (
            [
                {"type": "gru", "units": 2, "bidirectional": True},
                {"type": "dense", "units": 2},
                {"type": "conv1d", "filters": 2, "kernel_size": 5, "padding": "same"},
                {"type": "global_mean_pool"},
            ],
            {
                "l0": "runs from the last step to the first",
                "l2": "adds 2 steps after the last one",
                "l3": "puts all steps together",
            },
        ),
    ],
)
def test_what_needs_later_steps_is_refused(layers: list[dict[str, Any]], reasons: dict[str, str]) -> None:
    with pytest.raises(StreamError) as caught:
        Steps(spec(*layers))
    assert caught.value.reasons == reasons


def test_a_network_needs_one_dim_of_time() -> None:
    still = {**spec({"type": "dense", "units": 2}), "dims": {"N": "batch", "T": "size"}}
    program = netwright.load(still).compile(engine="reference")
    with pytest.raises(
        netwright.RequestError, match="steps can't be computed step by step:\n  steps: it has no dim"
    ):
        program.stream()


LAYERS = [
    {"type": "conv1d", "filters": 8, "kernel_size": 3, "padding": "causal", "activation": "relu"},
    {"type": "conv1d", "filters": 8, "kernel_size": 2, "stride": 2},
    {"type": "lstm", "units": 16},
]


@pytest.fixture(scope="module")
def program() -> netwright.Program:
    return netwright.load(spec(*LAYERS)).compile(entries=["predict"], seed=4)


def pushed(stream: Any, x: np.ndarray, *sizes: int) -> np.ndarray:
    starts = np.cumsum((0, *sizes))
    assert starts[-1] == x.shape[1]
    return np.concatenate([stream.push(x=x[:, a:b])["y"] for a, b in pairwise(starts)], 1)


def test_native_streams_give_what_predict_gives(program: netwright.Program) -> None:
    x = np.random.default_rng(0).normal(size=(2, 20, 3)).astype(np.float32)
    whole = program.predict(x=x)["y"]
    streams = [program.stream() for _ in range(3)]
    for stream, sizes in zip(streams, [(20,), (1,) * 20, (3, 0, 7, 1, 9)], strict=True):
        np.testing.assert_allclose(pushed(stream, x, *sizes), whole, rtol=1e-5, atol=1e-6)
        assert stream.steps == 20


def test_streams_of_one_program_do_not_meet(program: netwright.Program) -> None:
    x = np.random.default_rng(1).normal(size=(40, 1, 12, 3)).astype(np.float32)
    streams = [program.stream() for _ in x]
    parts: list[list[np.ndarray]] = [[] for _ in x]
    for start in range(0, 12, 2):
        for own, stream, sequence in zip(parts, streams, x, strict=True):
            own.append(stream.push(x=sequence[:, start : start + 2])["y"])
    for own, sequence in zip(parts, x, strict=True):
        np.testing.assert_allclose(
            np.concatenate(own, 1), program.predict(x=sequence)["y"], rtol=1e-5, atol=1e-6
        )


def test_a_stream_goes_on_from_a_state(program: netwright.Program) -> None:
    x = np.random.default_rng(2).normal(size=(1, 14, 3)).astype(np.float32)
    first, second = program.stream(), program.stream()
    whole = pushed(program.stream(), x, 7, 7)
    before = first.push(x=x[:, :7])["y"]
    assert (first.steps, first.waiting) == (6, 1)
    state = first.state
    assert set(state) == {"steps", "stream.l0.frames", "stream.l2.h", "stream.l2.c", "waiting.x"}
    second.restore(state)
    after = second.push(x=x[:, 7:])["y"]
    np.testing.assert_array_equal(np.concatenate([before, after], 1), whole)
    np.testing.assert_array_equal(first.push(x=x[:, 7:])["y"], after)
    first.reset()
    np.testing.assert_array_equal(pushed(first, x, 7, 7), whole)
    with pytest.raises(InputError, match="not the state of such a stream"):
        second.restore({**state, "more": np.zeros(3)})


def test_training_goes_on_beside_a_stream() -> None:
    trained = spec(
        *LAYERS,
        train={
            "loss": {"type": "mse", "output": "y", "target": "t"},
            "optimizer": {"type": "sgd", "learning_rate": 0.1},
        },
    )
    program = netwright.load(trained).compile(seed=1)
    x = np.random.default_rng(3).normal(size=(1, 12, 3)).astype(np.float32)
    old = program.stream()
    before = old.push(x=x)["y"]
    program.train_step(x=x, t=np.ones((1, 6, 16), np.float32))
    old.reset()
    np.testing.assert_array_equal(old.push(x=x)["y"], before)
    new = program.stream().push(x=x)["y"]
    np.testing.assert_allclose(new, program.predict(x=x)["y"], rtol=1e-5, atol=1e-6)
    assert np.abs(new - before).max() > 1e-4


def test_arrays_that_do_not_fit(program: netwright.Program) -> None:
    stream = program.stream()
    stream.push(x=np.zeros((2, 3, 3), np.float32))
    state = stream.state
    for arrays, said in [
        ({"x": np.zeros((3, 3, 3), np.float32)}, "steps of .2, 1, 3. came before"),
        ({"x": np.zeros((2, 3), np.float32)}, "came before|axes"),
        ({"x": np.zeros((2, 3, 4), np.float32)}, "came before"),
        ({"z": np.zeros((2, 3, 3), np.float32)}, "no input 'z'"),
        ({}, "missing input"),
    ]:
        with pytest.raises(InputError, match=said):
            stream.push(**arrays)
    stream.push(x=np.zeros((2, 1, 3), np.float32))
    with pytest.raises(InputError, match="make a new stream"):
        stream.push(x=np.zeros((1, 2, 3), np.float32))
    assert stream.steps == 4
    assert state["steps"] == 2


def test_values_out_of_range_leave_a_stream_as_it_was() -> None:
    words = {
        **spec({"type": "embedding", "input_dim": 5, "output_dim": 4}, {"type": "gru", "units": 4}),
        "inputs": {"x": {"shape": ["N", "T"], "dtype": "int64"}},
    }
    program = netwright.load(words).compile(entries=["predict"])
    x = np.asarray([[1, 4, 0, 2, 3, 1, 2, 2]])
    stream = program.stream()
    parts = [stream.push(x=x[:, :3])["y"]]
    with pytest.raises(netwright.runtime.errors.ExecutionError):
        stream.push(x=[[2, 5]])
    parts.append(stream.push(x=x[:, 3:])["y"])
    np.testing.assert_allclose(np.concatenate(parts, 1), program.predict(x=x)["y"], rtol=1e-5, atol=1e-6)


def test_sequences_with_lengths_stream_as_whole_ones() -> None:
    cut = {
        **spec({"type": "lstm", "units": 4, "return_sequences": False}),
        "inputs": {"x": {"shape": ["N", "T", 3], "lengths": "n"}, "n": {"shape": ["N"], "dtype": "int64"}},
    }
    program = netwright.load(cut).compile(entries=["predict"])
    x = np.random.default_rng(5).normal(size=(2, 11, 3)).astype(np.float32)
    stream = program.stream()
    for step in range(8, 11):
        answer = stream.push(x=x[:, stream.steps : step])["y"]
        lengths = np.full(2, step)
        np.testing.assert_allclose(answer, program.predict(x=x, n=lengths)["y"], rtol=1e-5, atol=1e-6)


def test_validate_names_layers_that_can_not_or_tells_when_answers_come(tmp_path: Path) -> None:
    def said(layers: list[dict[str, Any]]) -> str:
        (tmp_path / "spec.json").write_text(json.dumps(spec(*layers)))
        return CliRunner().invoke(main, ["validate", "--stream", str(tmp_path / "spec.json")]).output

    both = said([{"type": "lstm", "units": 2, "bidirectional": True}, {"type": "global_max_pool"}])
    assert both.count("error[NW0322]") == 2
    assert "it runs from the last step to the first" in both
    assert "it puts all steps together" in both
    assert said([{"type": "gru", "units": 4}]).endswith(
        "step by step: 1 answer every step; 16 bytes kept per sequence\n"
    )
    assert "1 answer every 2 steps, the first after 6 steps; 48 bytes kept" in said(
        [{"type": "conv1d", "filters": 2, "kernel_size": 6, "stride": 2}]
    )
    assert "an answer so far every step" in said([{"type": "rnn", "units": 2, "return_sequences": False}])
