"""Commands that train and run: train, evaluate, run, compile and the executable, on a small network with data."""

import copy
import importlib.util
import io
import os
import pickle
import signal
import subprocess
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from click.testing import Result

import netwright
from netwright.cli.options import dim_ranges
from netwright.runtime.errors import WeightsError

from ..forked import Forked
from .conftest import samples

Cli = Callable[..., Result]


@pytest.fixture
def weights(tiny: Path, tmp_path: Path) -> Path:
    """First weights, without training."""
    path = tmp_path / "w.safetensors"
    netwright.load(tiny).compile(engine="reference", entries=["predict"]).save_weights(path)
    return path


def accuracy(output: str) -> float:
    return float(output.split()[-1])


def test_training_learns_and_can_go_on(cli: Cli, tiny: Path, tmp_path: Path) -> None:
    done = cli("train", tiny, "--weights", "w.safetensors")
    assert done.exit_code == 0
    assert done.output.count("/5 ") == 5
    assert "wrote w.safetensors: 67 weights of epoch" in done.output
    evaluated = cli("evaluate", tiny, "--weights", "w.safetensors")
    assert evaluated.output.startswith("valid  100 samples  loss ")
    assert accuracy(evaluated.output) > 0.85
    reference = cli("evaluate", tiny, "--weights", "w.safetensors", "--engine", "reference")
    assert accuracy(reference.output) == accuracy(evaluated.output)
    more = cli("train", tiny, "--weights", "more.safetensors", "--epochs", 6, "--resume", "w.checkpoint")
    assert more.exit_code == 0
    assert " 6/6 " in more.output
    whole = cli(
        "train", tiny, "--weights", "whole.safetensors", "--epochs", 6, "--checkpoint", "other.checkpoint"
    )
    assert whole.exit_code == 0
    assert (tmp_path / "whole.safetensors").read_bytes() == (tmp_path / "more.safetensors").read_bytes()


def test_engines_train_alike_and_seeds_differ(cli: Cli, tiny: Path, tmp_path: Path) -> None:
    for name, options in {
        "native": ["--threads", 2],
        "reference": ["--engine", "reference"],
        "seed": ["--seed", 5],
    }.items():
        assert cli("train", tiny, "--weights", f"{name}.safetensors", "--epochs", 2, *options).exit_code == 0
    model = netwright.load(tiny)
    found = {
        name: model.compile(tmp_path / f"{name}.safetensors", engine="reference", entries=["predict"]).weights
        for name in ("native", "reference", "seed")
    }
    for name, array in found["reference"].items():
        np.testing.assert_allclose(found["native"][name], array, atol=2e-5)
    assert abs(found["seed"]["head.kernel"] - found["native"]["head.kernel"]).max() > 0.01


def test_other_data_can_be_named(cli: Cli, tiny: Path, weights: Path, tmp_path: Path) -> None:
    np.savez(tmp_path / "new.npz", **samples(30, 9))
    done = cli("evaluate", tiny, "--weights", weights, "--data", f"test={tmp_path / 'new.npz'}")
    assert done.output.startswith("test  30 samples")
    done = cli(
        "train", tiny, "--weights", "a.safetensors", "--data", "train=new.npz", "--set", "train.epochs=1"
    )
    assert done.output.splitlines()[2].split()[0] == "1/1"


def test_run_writes_outputs_and_taps(cli: Cli, tiny: Path, weights: Path, tmp_path: Path) -> None:
    x = samples(7, 3)["x"]
    np.save(tmp_path / "x.npy", x)
    done = cli(
        "run",
        tiny,
        "--weights",
        weights,
        "-i",
        "x=x.npy",
        "-o",
        "o.npz",
        "--tap",
        "hidden",
        "--tap",
        "hidden",
    )
    assert done.exit_code == 0
    assert done.output == "wrote o.npz: y float32 [7, 3], hidden float32 [7, 8]\n"
    with np.load(tmp_path / "o.npz") as outputs:
        values = netwright.load(tiny).compile(weights, engine="reference").weights
        hidden = np.maximum(x @ values["hidden.kernel"] + values["hidden.bias"], 0)
        np.testing.assert_allclose(outputs["hidden"], hidden, atol=1e-6)
        expected = hidden @ values["head.kernel"] + values["head.bias"]
        np.testing.assert_allclose(outputs["y"], expected, atol=1e-6)
        native = outputs["y"].copy()
    assert cli("run", tiny, "--weights", weights, "-i", "x=x.npy", "-o", "o.npy").exit_code == 0
    np.testing.assert_array_equal(np.load(tmp_path / "o.npy"), native)


def test_the_executable_gives_what_run_gives(cli: Cli, tiny: Path, weights: Path, tmp_path: Path) -> None:
    done = cli("compile", tiny, "--weights", weights, "-o", "tiny")
    assert done.exit_code == 0
    assert done.output.startswith("wrote tiny: executable of tiny, ")
    for count in (1, 3, 40):
        np.save(tmp_path / "x.npy", samples(count, count)["x"])
        cli("run", tiny, "--weights", weights, "-i", "x=x.npy", "-o", "o.npy")
        with (tmp_path / "x.npy").open("rb") as stream:
            output = subprocess.run([tmp_path / "tiny"], stdin=stream, capture_output=True, check=True).stdout
        np.testing.assert_array_equal(np.load(io.BytesIO(output)), np.load(tmp_path / "o.npy"))


def test_a_missing_compiler_is_said_clearly(
    cli: Cli, tiny: Path, weights: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CC", "/no/such/compiler")
    done = cli("compile", tiny, "--weights", weights, "-o", "o")
    assert done.exit_code == 2
    assert "cannot run /no/such/compiler" in done.output
    if importlib.util.find_spec("ziglang") is None:
        monkeypatch.delenv("CC")
        monkeypatch.setenv("PATH", "")
        done = cli("compile", tiny, "--weights", weights, "-o", "o")
        assert done.exit_code == 2
        assert "netwright[link]" in done.output
    assert not (tmp_path / "o").exists()


def test_a_settled_size_is_checked_by_the_executable(
    cli: Cli, tiny: Path, weights: Path, tmp_path: Path
) -> None:
    assert cli("compile", tiny, "--weights", weights, "-o", "tiny", "--dim", "N=2").exit_code == 0
    np.save(tmp_path / "two.npy", samples(2, 1)["x"])
    np.save(tmp_path / "three.npy", samples(3, 1)["x"])
    for name, code in (("two", 0), ("three", 2)):
        command = [tmp_path / "tiny", "-i", f"x={name}.npy", "-o", f"{name}.npz"]
        assert subprocess.run(command, cwd=tmp_path, capture_output=True).returncode == code
    assert (tmp_path / "two.npz").exists()
    assert not (tmp_path / "three.npz").exists()


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        ("shared", "shared library"),
        ("static", "static library"),
        ("object", "object code"),
        ("llvm", "LLVM IR"),
        ("asm", "assembly"),
        ("loop", "loop IR"),
        ("graph", "graph"),
    ],
)
def test_every_kind_is_written(cli: Cli, tiny: Path, tmp_path: Path, kind: str, words: str) -> None:
    few = ["--entry", "predict"] if kind in ("llvm", "asm", "object", "static") else []
    done = cli("compile", tiny, "-o", "out.so", "--emit", kind, "--cpu", "generic", *few)
    assert done.exit_code == 0
    assert f"wrote out.so: {words} of tiny" in done.output
    data = (tmp_path / "out.so").read_bytes()
    assert b"tiny_predict" in data or kind in ("loop", "graph")
    assert (kind in ("shared", "static", "object")) == (tmp_path / "out.h").exists()


def test_sizes_of_dims() -> None:
    import click

    option = click.Option(["--dim"])
    assert dim_ranges(["N=1", "T=16..512", "C=2.."], option) == {"N": 1, "T": (16, 512), "C": (2, None)}
    for wrong in ("N", "N=", "N=x", "N=1..2..3", "=1", "N=-1"):
        with pytest.raises(click.BadParameter):
            dim_ranges([wrong], option)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["train", "tiny.yaml", "--checkpoint", "c"], "a run keeps its checkpoint in its folder"),
        (["train", "tiny.yaml", "--weights", "none/w"], "no directory none"),
        (["train", "tiny.yaml", "--weights", "."], "is a directory"),
        (["train", "tiny.yaml", "--weights", "o", "--data", "train"], "NAME=FILE"),
        (["train", "tiny.yaml", "--weights", "o", "--data", "train=none.npz"], "none.npz"),
        (["train", "tiny.yaml", "--weights", "o", "--data", "train=wrong.npz"], "axis 1 must be 4"),
        (["train", "tiny.yaml", "--weights", "o", "--resume", "w.safetensors"], "not a checkpoint"),
        (["train", "tiny.yaml", "--weights", "o", "--epochs", "0"], "--epochs"),
        (["evaluate", "tiny.yaml", "--weights", "garbage"], "garbage"),
        (["evaluate", "tiny.yaml", "--weights", "none"], "none"),
        (
            ["run", "tiny.yaml", "--weights", "w.safetensors", "-i", "x=garbage", "-o", "o.npz"],
            "not a .npy file",
        ),
        (["run", "tiny.yaml", "--weights", "w.safetensors", "-i", "z=x.npy", "-o", "o.npz"], "no input 'z'"),
        (
            [
                "run",
                "tiny.yaml",
                "--weights",
                "w.safetensors",
                "-i",
                "x=x.npy",
                "-i",
                "x=x.npy",
                "-o",
                "o.npz",
            ],
            "twice",
        ),
        (["run", "tiny.yaml", "--weights", "w.safetensors", "-i", "x=x.npy", "-o", "o.txt"], ".npz"),
        (
            [
                "run",
                "tiny.yaml",
                "--weights",
                "w.safetensors",
                "-i",
                "x=x.npy",
                "-o",
                "o.npz",
                "--tap",
                "haed",
            ],
            "did you mean head?",
        ),
        (
            [
                "run",
                "tiny.yaml",
                "--weights",
                "w.safetensors",
                "-i",
                "x=x.npy",
                "-o",
                "o.npy",
                "--tap",
                "head",
            ],
            "several outputs",
        ),
        (["compile", "tiny.yaml", "-o", "o"], "--weights"),
        (["compile", "tiny.yaml", "-o", "o", "--weights", "garbage"], "garbage"),
        (["compile", "tiny.yaml", "-o", "o", "--weights", "w.safetensors", "--cpu", "z80"], "no CPU 'z80'"),
        (["compile", "tiny.yaml", "-o", "o", "--weights", "w.safetensors", "--dim", "M=1"], "no dim M"),
        (["compile", "tiny.yaml", "-o", "o", "--weights", "w.safetensors", "--emit", "elf"], "elf"),
    ],
)
def test_wrong_usage_and_data_are_exit_code_2_and_write_nothing(
    cli: Cli, weights: Path, tmp_path: Path, arguments: list[str], words: str
) -> None:
    (tmp_path / "garbage").write_bytes(b"garbage" * 9)
    np.savez(tmp_path / "wrong.npz", x=np.zeros((6, 5), np.float32), t=np.zeros(6, np.int64))
    np.save(tmp_path / "x.npy", samples(2, 1)["x"])
    before = sorted(path.name for path in tmp_path.iterdir())
    done = cli(*arguments)
    assert done.exit_code == 2
    assert words in done.output
    assert sorted(path.name for path in tmp_path.iterdir()) == before


def test_a_spec_with_errors_is_exit_code_1(cli: Cli, tiny: Path, weights: Path) -> None:
    for command in (
        ["train", tiny, "--weights", "o"],
        ["evaluate", tiny, "--weights", weights],
        ["compile", tiny, "--weights", weights, "-o", "o"],
        ["graph", tiny, "-o", "o.svg"],
        ["summary", tiny],
    ):
        done = cli(*command, "--set", "outputs.y=haed")
        assert done.exit_code == 1
        assert "error[NW0302]" in done.output


def test_a_diverging_training_says_so(cli: Cli, tiny: Path, tmp_path: Path) -> None:
    done = cli("train", tiny, "--weights", "o", "--set", "train.optimizer={type: sgd, learning_rate: 1e30}")
    assert done.exit_code == 1
    assert "A smaller learning rate" in done.output
    assert not (tmp_path / "o").exists()


def test_ctrl_c_stops_cleanly_with_a_checkpoint(cli: Cli, tiny: Path, tmp_path: Path) -> None:
    command = ["train", "tiny.yaml", "--weights", "w.safetensors"]
    environment = {**os.environ, "PYTHONUNBUFFERED": "1"}
    process = Forked(*command, "--epochs", 1000000, cwd=tmp_path, env=environment)
    assert process.stdout is not None
    assert process.stdout.readline().split() == ["train", "valid"]  # the heading of the first epoch
    process.send_signal(signal.SIGINT)
    output, errors = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "interrupted in epoch" in output
    assert "--resume w.checkpoint" in errors
    assert not (tmp_path / "w.safetensors").exists()
    epochs = int(output.split("interrupted in epoch ")[1].split(",")[0])
    done = cli(*command, "--epochs", epochs, "--resume", "w.checkpoint")
    assert done.exit_code == 0
    assert f" {epochs}/{epochs} " in done.stdout


def test_a_program_closes_with_its_block_and_says_why_it_is_not_copied(tiny: Path) -> None:
    with netwright.load(tiny).compile(engine="reference", entries="predict") as program:
        assert program.entries == ("predict",)
        for duplicate in (pickle.dumps, copy.deepcopy):
            with pytest.raises(TypeError, match="send the Model"):
                duplicate(program)


def test_weights_of_others_are_told_from_damaged_ones(tiny: Path, tmp_path: Path) -> None:
    np.savez(tmp_path / "w.npz", **{"head.kernel": np.zeros(3)})
    with pytest.raises(WeightsError, match="like one of PyTorch or NumPy: read it there and pass its arrays"):
        netwright.load(tiny).compile(tmp_path / "w.npz", engine="reference", entries=["predict"])
