"""Warm starts: what fits by name and shape is taken from other weights, and the rest is told."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from click.testing import Result

import netwright
from netwright.errors import RequestError
from netwright.runtime.errors import WeightsError
from netwright.runtime.files.tensors import TensorFile, write_tensors

from .conftest import TINY

Cli = Callable[..., Result]
OTHER = TINY.replace("units: 3}", "units: 5}").replace(
    "  - {name: head", "  - {name: more, type: dense, units: 8}\n  - {name: head"
)


@pytest.fixture
def weights(cli: Cli, tiny: Path) -> Path:
    """Trained weights, with their checkpoint beside them."""
    done = cli("train", tiny, "--weights", "w.safetensors", "--epochs", "2", "--engine", "reference")
    assert done.exit_code == 0, done.output
    return tiny.parent / "w.safetensors"


def test_what_fits_is_taken_and_the_rest_is_told(cli: Cli, tiny: Path, weights: Path) -> None:
    other = tiny.parent / "other.yaml"
    other.write_text(OTHER, encoding="utf-8")
    freeze = ("--set", "train.freeze=[hidden]", "--epochs", "1", "--engine", "reference")
    done = cli("train", other, "--weights", "o.safetensors", "--init", weights, *freeze)
    assert done.exit_code == 0, done.output
    lines = [" ".join(line.split()) for line in done.output.splitlines()]
    assert "hidden kernel, bias taken" in lines
    assert "more kernel, bias not there: keeps its first values" in lines
    assert "head kernel has the shape [8, 3] there, [8, 5] here: keeps its first values" in lines
    assert f"took 2 of 6 tensors from {weights}, 40 weights" in lines
    before, after = TensorFile(weights), TensorFile(tiny.parent / "o.safetensors")
    for name in ("hidden.kernel", "hidden.bias"):  # frozen, so they are still what was taken
        np.testing.assert_array_equal(after.read(name), before.read(name))
    assert after.read("head.kernel").shape == (8, 5)


def test_a_checkpoint_gives_its_best_weights(tiny: Path, weights: Path) -> None:
    program = netwright.load(tiny).compile(engine="reference")
    start = program.warm_start(weights.with_name("w.checkpoint"))
    stored = TensorFile(weights)
    assert start.taken.keys() == program.weights.keys()
    for name, array in program.weights.items():
        np.testing.assert_array_equal(array, stored.read(name))
    assert "took 4 of 4 tensors" in str(start)


def test_from_arrays_and_what_is_not_used(tiny: Path) -> None:
    program = netwright.load(tiny).compile(engine="reference")
    before = program.weights
    start = program.warm_start({"head.bias": np.ones(3, np.float32), "old.bias": np.ones(2)})
    assert start.unused == ("old.bias",)
    assert start.totals() == "took 1 of 4 tensors from the arrays, 3 weights; not used: old.bias"
    np.testing.assert_array_equal(program.weights["head.bias"], [1, 1, 1])
    np.testing.assert_array_equal(program.weights["head.kernel"], before["head.kernel"])


def test_nothing_that_fits_is_an_error_and_changes_nothing(tiny: Path) -> None:
    program = netwright.load(tiny).compile(engine="reference")
    before = program.weights
    wide = {"head.bias": np.ones(3, np.float64), "body.kernel": np.ones((2, 2), np.float32)}
    with pytest.raises(WeightsError, match=r"nothing to start tiny with.*it has body.kernel") as caught:
        program.warm_start(wide)
    assert "head.bias: is float64 there, float32 here: keeps its first values" in caught.value.problems
    for name, array in program.weights.items():
        np.testing.assert_array_equal(array, before[name])


def test_a_start_is_no_resumption(cli: Cli, tiny: Path, weights: Path) -> None:
    checkpoint = weights.with_name("w.checkpoint")
    done = cli("train", tiny, "--weights", "n.safetensors", "--init", weights, "--resume", checkpoint)
    assert done.exit_code == 2
    assert "leave one of them out" in " ".join(done.output.split())
    program = netwright.load(tiny).compile(engine="reference")
    program.warm_start(weights)
    with pytest.raises(RequestError, match="warm start"):
        program.train(resume=checkpoint)


def test_fitted_statistics_that_were_taken_stay(tiny: Path) -> None:
    text = TINY.replace("layers:\n", "layers:\n  - {name: scaled, type: standardize}\n")
    tiny.write_text(text, encoding="utf-8")
    program = netwright.load(tiny).compile(engine="reference")
    mean = np.full(4, 7, np.float32)
    program.warm_start({"scaled.mean": mean, "scaled.stddev": np.full(4, 2, np.float32)})
    program.train(epochs=1)
    np.testing.assert_array_equal(program.weights["scaled.mean"], mean)


def test_a_checkpoint_is_taken_wherever_weights_are(cli: Cli, tiny: Path, weights: Path) -> None:
    """The same as the weights file beside it: both hold the best epoch's weights."""
    checkpoint, reference = weights.with_name("w.checkpoint"), ("--engine", "reference")
    np.save(tiny.parent / "x.npy", np.ones((2, 4), np.float32))

    def both(*command: object) -> None:
        first, second = (cli(*command, "--weights", path) for path in (weights, checkpoint))
        assert first.exit_code == 0, first.output
        assert first.output == second.output

    both("evaluate", tiny, *reference)
    both("run", tiny, "-i", "x=x.npy", "-o", "y.npz", *reference)
    both("gradients", tiny)
    one, other = (
        netwright.load(tiny).compile(path, engine="reference").predict(x=[[0.5, 2, 3, 4]])["y"]
        for path in (weights, checkpoint)
    )
    np.testing.assert_array_equal(one, other)
    libraries = []
    for path in (weights, checkpoint):
        assert (
            cli(
                "compile", tiny, "--weights", path, "-o", "m.o", "--emit", "llvm", "--entry", "predict"
            ).exit_code
            == 0
        )
        libraries.append((tiny.parent / "m.o").read_bytes())
    assert libraries[0] == libraries[1]


def test_without_best_weights_a_checkpoint_gives_the_last(tiny: Path, cli: Cli) -> None:
    (tiny.parent / "valid.npz").unlink()
    tiny.write_text(TINY.replace(", valid: valid.npz", ""), encoding="utf-8")
    assert (
        cli("train", tiny, "--weights", "w.safetensors", "--epochs", "1", "--engine", "reference").exit_code
        == 0
    )
    stored = TensorFile(tiny.parent / "w.safetensors")
    for name, array in netwright.load(tiny).compile("w.checkpoint", engine="reference").weights.items():
        np.testing.assert_array_equal(array, stored.read(name))


def test_weights_that_no_loss_reads_are_in_checkpoints(tiny: Path, cli: Cli) -> None:
    text = TINY.replace("outputs: {y: head}", "outputs: {y: head, more: side}")
    text = text.replace("outputs:", "  - {name: side, type: dense, units: 2, inputs: [hidden]}\noutputs:")
    tiny.write_text(text, encoding="utf-8")
    assert (
        cli("train", tiny, "--weights", "w.safetensors", "--epochs", "1", "--engine", "reference").exit_code
        == 0
    )
    stored = TensorFile(tiny.parent / "w.safetensors")
    weights = netwright.load(tiny).compile("w.checkpoint", engine="reference").weights
    assert weights.keys() == stored.headers.keys()
    np.testing.assert_array_equal(weights["side.kernel"], stored.read("side.kernel"))
    again = cli(
        "train",
        tiny,
        "--weights",
        "w.safetensors",
        "--epochs",
        "2",
        "--engine",
        "reference",
        "--resume",
        "w.checkpoint",
    )
    assert again.exit_code == 0, again.output


def test_checkpoints_of_other_versions_are_refused(tiny: Path) -> None:
    path = tiny.parent / "new.checkpoint"
    write_tensors(path, {"weights.head.bias": np.ones(3, np.float32)}, {"format": "netwright-checkpoint-99"})
    with pytest.raises(WeightsError, match="another version of netwright"):
        netwright.load(tiny).compile(path, engine="reference")
