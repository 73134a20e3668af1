"""Writing step by step: the scores of a step are those of the whole sequence so far, or the network says why not."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import netwright
from netwright.artifacts.writing import Compiled, writing_network
from netwright.build import build, reference
from netwright.compiler.codegen.targets.target import named_target
from netwright.compiler.frontend.build import bounded_network
from netwright.errors import RequestError
from netwright.generation.answers import searching
from netwright.generation.search import Drawing, Ending
from netwright.generation.writer import Writer
from netwright.program import EngineName
from netwright.runtime.data.vocabulary import Vocabulary
from netwright.runtime.sessions.session import Session

WORDS = 7
ENCODER: list[dict[str, Any]] = [
    {"name": "source_embed", "type": "embedding", "input_dim": WORDS, "output_dim": 4, "inputs": ["source"]},
    {"name": "encoder", "type": "gru", "units": 5, "bidirectional": True},
    {"name": "summary", "type": "gru", "units": 5, "return_sequences": False},
    {"name": "embed", "type": "embedding", "input_dim": WORDS, "output_dim": 4, "inputs": ["previous"]},
]
DECODERS: dict[str, list[dict[str, Any]]] = {
    "gru from a state": [{"type": "gru", "units": 5, "initial_state": "summary"}],
    "two lstms, dropout, norms": [
        {"type": "lstm", "units": 5, "layers": 2, "dropout": 0.3},
        {"type": "layer_norm"},
        {"type": "batch_norm"},
        {"type": "dropout", "rate": 0.5},
    ],
    "attention": [
        {"name": "memory", "type": "lstm", "units": 10},
        {"name": "look", "type": "attention", "inputs": ["memory", "encoder"]},
        {"type": "concat", "inputs": ["memory", "look"]},
        {"type": "dense", "units": 6, "activation": "tanh"},
    ],
    "heads": [
        {"name": "memory", "type": "rnn", "units": 6},
        {"type": "multi_head_attention", "num_heads": 2, "key_dim": 3, "inputs": ["memory", "encoder"]},
    ],
    "a strided encoder": [
        {
            "name": "short",
            "type": "conv1d",
            "filters": 6,
            "kernel_size": 3,
            "stride": 2,
            "padding": "same",
            "inputs": ["plain"],
        },
        {"name": "memory", "type": "gru", "units": 6, "inputs": ["embed"]},
        {"type": "attention", "inputs": ["memory", "short"]},
    ],
    "a cell, repeated summary": [
        {"name": "memory", "type": "recurrent", "cell": "leaky", "with": {"H": 5}},
        {"name": "row", "type": "reshape", "shape": ["N", 1, 5], "inputs": ["summary"]},
        {"type": "expression", "value": "m + s", "inputs": {"m": "memory", "s": "row"}},
    ],
}
REFUSED: dict[str, tuple[list[dict[str, Any]], str]] = {
    "causal attention": ([{"type": "attention", "causal": True}], "compares steps with each other"),
    "causal convolution": (
        [{"type": "conv1d", "filters": 3, "kernel_size": 2, "padding": "causal"}],
        "reads other steps",
    ),
    "both directions": (
        [{"type": "gru", "units": 3, "bidirectional": True}],
        "from the last step to the first",
    ),
    "positions": (
        [
            {
                "name": "at",
                "type": "expression",
                "value": "x + cast(index(x, axis=1), float32)",
                "inputs": {"x": "embed"},
            }
        ],
        "depends on the position of a step",
    ),
    "steps as samples": (
        [{"type": "time_distributed", "layer": {"type": "dense", "units": 4}}],
        "joins steps with another axis",
    ),
}


def spec(decoder: list[dict[str, Any]], **more: Any) -> dict[str, Any]:
    named = [{"name": f"decoder_{i}", **layer} for i, layer in enumerate(decoder)]
    plain = {"name": "plain", "type": "embedding", "input_dim": WORDS, "output_dim": 6, "inputs": ["bare"]}
    cell = {
        "args": {"H": "int"},
        "input": {"x": ["F"]},
        "states": {"h": {"shape": ["H"], "init": "ones"}},
        "params": {"W": {"shape": ["F", "H"]}},
        "update": {"h": "0.5 * prev(h) + tanh(x @ W)"},
        "output": "h",
    }
    text = {"next_token": "word", "vocabulary": {"begin": "<s>", "end": "</s>"}}
    return {
        "netwright": 1,
        "model": "writer",
        "dims": {"N": "batch", "S": "time", "T": "time", "R": {"role": "time", "min": 3}},
        "inputs": {
            "source": {"shape": ["N", "S"], "dtype": "int64", "lengths": "count"},
            "count": {"shape": ["N"], "dtype": "int64"},
            "bare": {"shape": ["N", "R"], "dtype": "int64"},
            "previous": {"shape": ["N", "T"], "dtype": "int64", "lengths": "words"},
            "words": {"shape": ["N"], "dtype": "int64"},
        },
        "cells": {"leaky": cell},
        "layers": [plain, *ENCODER, *named, {"name": "scores", "type": "dense", "units": WORDS}],
        "outputs": {"scores": "scores", "summary": "summary", "plain": "plain", "both": "encoder"},
        "train": {
            "data": {"train": {"type": "csv", "path": "pairs.csv", "text": {"previous": text}}},
            "targets": {"word": {"shape": ["N", "T"], "dtype": "int64"}},
            "loss": {"type": "softmax_cross_entropy", "output": "scores", "target": "word"},
            **more,
        },
    }


def samples(count: int, seed: int = 3) -> dict[str, Any]:
    rng = np.random.default_rng(seed)
    lengths = rng.integers(1, 7, count)
    return {
        "source": rng.integers(0, WORDS, (count, 6)),
        "count": lengths,
        "bare": rng.integers(0, WORDS, (count, 5)),
    }


@pytest.mark.parametrize(
    ("name", "engine"),
    [*((name, "reference") for name in DECODERS), ("a strided encoder", "native")],
)
def test_steps_are_those_of_the_whole_sequence(name: str, engine: EngineName) -> None:
    model = netwright.load(spec(DECODERS[name]))
    weights = model.compile(engine="reference", entries=["predict"]).weights
    writer = Writer(model, weights, engine=engine, threads=1)
    assert writer.whole is None
    arrays = samples(4)
    stepping, rng = writer.on(arrays), np.random.default_rng(5)
    written = rng.integers(0, WORDS, (4, 2))
    of = np.arange(4)
    scores = stepping.begin(written)
    for rows in ([0, 1, 2, 3], [1, 1, 0, 3, 3], [4, 2], [0, 0, 1]):
        tokens = rng.integers(0, WORDS, len(rows))
        written, of = np.concatenate([written[rows], tokens[:, None]], axis=1), of[rows]
        scores = stepping.advance(np.array(rows), tokens)
        whole = writer.on({key: array[of] for key, array in arrays.items()}).begin(written)
        np.testing.assert_allclose(scores, whole, rtol=2e-5, atol=2e-5)


@pytest.mark.parametrize("name", REFUSED)
def test_what_reads_other_steps_takes_the_whole_sequence(name: str) -> None:
    decoder, reason = REFUSED[name]
    model = netwright.load(spec(decoder))
    weights = model.compile(engine="reference", entries=["predict"]).weights
    writer = Writer(model, weights, engine="reference")
    assert writer.whole is not None
    assert reason in writer.whole
    arrays = samples(3)
    writing = writer.on(arrays)
    writing.begin(np.array([[1], [2], [3]]))
    scores = writing.advance(np.array([2, 0]), np.array([4, 5]))
    whole = writer.on({key: array[[2, 0]] for key, array in arrays.items()}).begin(np.array([[3, 4], [1, 5]]))
    np.testing.assert_allclose(scores, whole)


def test_an_input_that_is_missing() -> None:
    model = netwright.load(spec(DECODERS["gru from a state"]))
    weights = model.compile(engine="reference", entries=["predict"]).weights
    writer = Writer(model, weights, engine="reference")
    assert set(writer.reads) == {"source", "count"}  # the words of the text itself all count
    with pytest.raises(RequestError, match="also reads source, count"):
        writer.on()


VOCABULARY = Vocabulary("words", False, "<pad>", None, ("<pad>", "<s>", "</s>", "b", "c", "d"), "<s>", "</s>")


def compiled(
    model: netwright.Model, weights: dict[str, Any], engine: EngineName, beam: int | None
) -> Session:
    running = bounded_network(model.load, model.network)
    network, graphs = writing_network(model.load, running, Compiled(9, {"previous": VOCABULARY}, beam))
    made = (
        reference(network, graphs)
        if engine == "reference"
        else build(network, graphs, named_target("native")).engine(1)
    )
    known = {buffer.name for buffer in made.manifest.buffers}
    return Session(made, {name: array for name, array in weights.items() if name in known})


@pytest.mark.parametrize(
    ("name", "engine", "beam"),
    [
        ("gru from a state", "reference", None),
        ("attention", "reference", 3),
        ("a strided encoder", "reference", 4),
        ("attention", "native", 3),
    ],
)
def test_a_graph_writes_what_the_search_writes(name: str, engine: EngineName, beam: int | None) -> None:
    model = netwright.load(spec(DECODERS[name]))
    # Scores far apart, so that rounding decides nothing, and sequences that end now and then.
    rng, drawn = np.random.default_rng(10), model.compile(engine="reference", entries=["predict"]).weights
    weights = {
        key: array + rng.normal(0, 0.8, array.shape).astype(array.dtype) for key, array in drawn.items()
    }
    weights["scores.bias"][VOCABULARY.numbers["</s>"]] += 1
    writer = Writer(model, weights, engine="reference")
    writer.vocabularies["previous"] = VOCABULARY
    arrays = samples(12)
    begun, ending = np.full((12, 1), 1), Ending(9, writer.ends)
    expected = searching(writer, ending, Drawing(), beam)(writer.on(arrays), begun, 0)
    given = {key: arrays[key] for key in writer.reads}
    made = compiled(model, weights, engine, beam).run("predict", given)
    assert len({len(each.tokens) for each in expected}) > 1
    for row, continuation in enumerate(expected):
        tokens = made["written"][row].tolist()
        assert tokens == continuation.tokens + [-1] * (9 - len(continuation.tokens))
        assert made["written_counts"][row] == len(continuation.tokens)
        assert made["log_probability"][row] == pytest.approx(continuation.log_probability, rel=1e-4, abs=1e-4)


def test_what_cannot_be_compiled_to_write() -> None:
    decoder, reason = REFUSED["causal attention"]
    model = netwright.load(spec(decoder))
    with pytest.raises(RequestError, match=reason):
        writing_network(model.load, model.network, Compiled(5, {}))
    fixed = netwright.load(spec(DECODERS["attention"]), dims={"N": 1})
    with pytest.raises(RequestError, match="a beam needs an open number of samples"):
        writing_network(fixed.load, fixed.network, Compiled(5, {"previous": VOCABULARY}, 2))
    network, graphs = writing_network(fixed.load, fixed.network, Compiled(5, {"previous": VOCABULARY}))
    assert set(network.inputs) == {"source", "count"}
    assert set(graphs["predict"].outputs) == {"written", "written_counts", "log_probability"}
