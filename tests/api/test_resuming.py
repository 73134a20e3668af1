"""`netwright train` on the command line: going on without repeating options, and keeping what is there."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from click.testing import Result

import netwright
from netwright.cli.beginning import options_of
from netwright.runtime.errors import WeightsError
from netwright.runtime.files.tensors import TensorFile, write_tensors
from netwright.runtime.training.checkpoint import read_origin
from netwright.training.identity import spec_identity

from .conftest import TINY, samples

Cli = Callable[..., Result]
REFERENCE = ("--engine", "reference")


def trained(cli: Cli, *arguments: object, code: int = 0) -> str:
    done = cli("train", *arguments)
    assert done.exit_code == code, done.output
    return " ".join(done.output.split())


def test_a_training_goes_on_as_it_was_begun(cli: Cli, tiny: Path, tmp_path: Path) -> None:
    np.savez(tmp_path / "new.npz", **samples(96, 9))
    options = (
        "--set",
        "train.optimizer.learning_rate=0.01",
        "--data",
        "train=new.npz",
        "--seed",
        4,
        *REFERENCE,
    )
    trained(cli, tiny, "--weights", "whole.safetensors", "--epochs", 3, *options)
    trained(cli, tiny, "--weights", "w.safetensors", "--epochs", 2, *options)
    said = trained(cli, tiny, "--resume", "w.checkpoint")
    assert "nothing was left to do after 2 of 2 epochs; --epochs MORE goes on" in said
    said = trained(cli, tiny, "--resume", "w.checkpoint", "--epochs", 3)
    assert (
        f"as before: --set train.optimizer.learning_rate=0.01 --set train.seed=4 --data train={tmp_path}"
        in said
    )
    assert "train.epochs=2" not in said
    assert (tmp_path / "w.safetensors").read_bytes() == (tmp_path / "whole.safetensors").read_bytes()


def test_what_may_not_change_is_told_by_key(cli: Cli, tiny: Path) -> None:
    trained(cli, tiny, "--weights", "w.safetensors", "--epochs", 1, *REFERENCE)
    resume = (tiny, "--resume", "w.checkpoint")
    said = trained(
        cli, *resume, "--set", "layers.hidden.units=9", "--set", "train.loss.label_smoothing=0.1", code=2
    )
    assert "layers.hidden.units was 8, now is 9; train.loss.label_smoothing was None, now is 0.1." in said
    said = trained(cli, *resume, "--set", "train.optimizer.beta_1=0.8", "--seed", 3, code=2)
    assert "seed was 0, now is 3; train.optimizer.beta_1 was None, now is 0.8." in said
    more = ("--set", "train.batch_size=64", "--set", "train.optimizer.learning_rate=0.001", "--epochs", 2)
    assert " 2/2 " in trained(cli, *resume, *more, "--set", "train.early_stopping={patience: 9}")


def test_how_a_network_is_written_does_not_matter(tiny: Path) -> None:
    plain = netwright.load(tiny)
    blocks = TINY.replace("layers:\n", "defaults: {dense: {activation: linear}}\nlayers:\n")
    blocks = blocks.replace("units: 8,", "units: $width,").replace(
        "netwright: 1", "netwright: 1\nvars: {width: 8}"
    )
    tiny.write_text(blocks.replace("  metrics", "  batch_size: 7\n  metrics"), encoding="utf-8")
    assert spec_identity(netwright.load(tiny).load) == spec_identity(plain.load)
    for old, new in (
        ("relu", "tanh"),
        ("softmax_cross_entropy", "multi_class_hinge"),
        ("x: {", "x: {dtype: float64, "),
    ):
        tiny.write_text(TINY.replace(old, new), encoding="utf-8")
        assert spec_identity(netwright.load(tiny).load) != spec_identity(plain.load)


def test_existing_weights_and_checkpoints_are_kept(cli: Cli, tiny: Path, tmp_path: Path) -> None:
    train = (tiny, "--weights", "w.safetensors", "--epochs", 1, *REFERENCE)
    trained(cli, *train)
    before = {name: (tmp_path / name).read_bytes() for name in ("w.safetensors", "w.checkpoint")}
    said = trained(cli, *train, "--seed", 5, code=2)
    assert (
        "w.checkpoint is there already: --resume w.checkpoint goes on with that training, --force writes"
        in said
    )
    said = trained(cli, *train, "--seed", 5, "--checkpoint", "other", code=2)
    assert "w.safetensors is there already: --force writes over it" in said
    assert {name: (tmp_path / name).read_bytes() for name in before} == before
    assert not (tmp_path / "other").exists()
    trained(cli, *train, "--seed", 5, "--force")
    assert (tmp_path / "w.safetensors").read_bytes() != before["w.safetensors"]


def test_a_checkpoint_does_not_say_what_is_written_over(cli: Cli, tiny: Path, tmp_path: Path) -> None:
    (tmp_path / "run").mkdir()
    trained(cli, tiny, "--weights", "w.safetensors", "--checkpoint", "run/c", "--epochs", 1, *REFERENCE)
    assert read_origin(tmp_path / "run/c")["weights"] == ""
    assert "Missing option '--weights'" in trained(cli, tiny, "--resume", "run/c", code=2)
    trained(cli, tiny, "--weights", "v.safetensors", "--epochs", 1, *REFERENCE)
    (tmp_path / "v.safetensors").write_text("something else")
    with pytest.raises(WeightsError):
        options_of(None, (), {}, None, tmp_path / "v.checkpoint")
    file = TensorFile(tmp_path / "v.checkpoint")
    for name in ("../w.safetensors", "/etc/hosts", "-", ""):
        training = file.metadata["training"].replace('"v.safetensors"', f'"{name}"')
        tensors = {name: file.read(name) for name in file.headers}
        write_tensors(tmp_path / "bad.checkpoint", tensors, file.metadata | {"training": training})
        assert "Missing option '--weights'" in trained(cli, tiny, "--resume", "bad.checkpoint", code=2)
