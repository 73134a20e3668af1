"""Folders of runs: what is in them, going on with them, and what is kept."""

from __future__ import annotations

import csv
import hashlib
import json
import os
from collections.abc import Callable
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
from click.testing import Result

import netwright
from netwright.cli.places import Place, begin_run
from netwright.errors import RequestError
from netwright.runtime.files.weights_file import WeightsFile
from netwright.runtime.training.metrics.records import read_records
from netwright.specs.appending import AppendedFile, FileInUseError
from netwright.trainings.describing import flat_values
from netwright.trainings.reading import Run, runs

from .conftest import samples

Cli = Callable[..., Result]
REFERENCE = ("--engine", "reference")


def trained(cli: Cli, *arguments: object, code: int = 0) -> str:
    done = cli("train", *arguments, "--no-report")
    assert done.exit_code == code, done.output
    return " ".join(done.output.split())


def test_a_run_tells_what_it_was(cli: Cli, tiny: Path, tmp_path: Path) -> None:
    np.savez(tmp_path / "other.npz", **samples(64, 3))
    options = ("--set", "train.optimizer.learning_rate=0.01", "--seed", 4, "--data", "valid=other.npz")
    said = trained(cli, tiny, "--epochs", 2, *options, *REFERENCE)
    assert said.startswith("run runs/tiny-001 ")
    assert "wrote runs/tiny-001: 67 weights of epoch" in said
    (run,) = runs()
    assert (run.name, run.state, run.metric) == ("tiny-001", "finished", "valid_loss")
    info = run.info
    assert (info["model"], info["seed"], info["epochs"], info["ending"]) == ("tiny", 4, 2, "finished")
    assert info["spec_hash"] == hashlib.sha256(run.spec.read_bytes()).hexdigest()
    assert info["versions"]["netwright"] == netwright.__version__
    assert {"host", "system", "processors"} <= info["machine"].keys()
    # Its spec alone makes the same weights again.
    assert 'valid: "../../other.npz"' in run.spec.read_text()
    again = netwright.load(run.spec).compile(entries=["loss", "train_step"], engine="reference")
    again.train()
    again.save_weights(tmp_path / "again.safetensors")
    assert (tmp_path / "again.safetensors").read_bytes() == run.weights.read_bytes()
    # 512 samples in batches of 32: 16 steps per epoch, each recorded.
    assert [record["step"] for record in run.steps] == list(range(1, 33))
    assert all(record["learning_rate"] == 0.01 for record in run.records)
    first, last = run.history
    of_first = [record["loss"] for record in run.steps[:16]]
    assert np.mean(of_first) == pytest.approx(first["train"]["loss"])
    assert (first["step"], last["step"], first["samples"]) == (16, 32, 512)
    assert first["best"] is True
    assert run.value == min(first["valid"]["loss"], last["valid"]["loss"])
    with (run.path / "metrics.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [row["valid_accuracy"] for row in rows] == [str(r["valid"]["accuracy"]) for r in run.history]


def test_a_run_is_gone_on_with(cli: Cli, tiny: Path) -> None:
    trained(cli, tiny, "--epochs", 3, "--name", "whole", "--seed", 4, *REFERENCE)
    trained(cli, tiny, "--epochs", 2, "--seed", 4, *REFERENCE)
    assert (
        "all runs of tiny in runs are finished, or running: --resume runs/tiny-001 --epochs MORE"
        in trained(cli, tiny, "--resume", code=2)
    )
    trained(cli, tiny, "--resume", "runs/tiny-001", "--epochs", 3)
    whole, parts = Run("runs/whole"), Run("runs/tiny-001")
    assert whole.weights.read_bytes() == parts.weights.read_bytes()
    assert comparable(whole) == comparable(parts)
    assert len(parts.info["resumed"]) == 1
    assert flat_values(parts) == flat_values(whole)  # its spec has the epochs that it was trained for
    assert parts.info["spec_hash"] == hashlib.sha256(parts.spec.read_bytes()).hexdigest()
    said = trained(cli, tiny, "--resume", "runs/tiny-001/weights.checkpoint")
    assert "nothing was left to do after 3 of 3 epochs" in said
    assert comparable(whole) == comparable(parts)


def comparable(run: Run) -> list[dict]:
    """Its records without times."""
    timed = ("seconds", "time", "samples_per_second")
    return [
        {name: value for name, value in record.items() if name not in timed}
        for record in Run(run.path).records
    ]


def test_the_newest_run_that_is_not_finished_goes_on(cli: Cli, tiny: Path, tmp_path: Path) -> None:
    assert "there is no run of tiny in runs to go on with" in trained(cli, tiny, "--resume", code=2)
    for name in ("a", "b", "c"):
        trained(cli, tiny, "--epochs", 2, "--runs", "mine", "--name", name, *REFERENCE)
    # b ends as a kill in its first epoch, before a checkpoint, would leave it; with a torn line.
    run = Run("mine/b")
    info = run.info | {"state": "running"}
    (run.path / "run.json").write_text(json.dumps(info))
    expected = comparable(run)
    lines = (run.path / "metrics.jsonl").read_bytes().splitlines(True)
    (run.path / "metrics.jsonl").write_bytes(b"".join(lines[:5]) + lines[5][:20])
    (run.path / "weights.checkpoint").unlink()
    (run.path / "weights.safetensors").unlink()
    assert Run("mine/b").state == "killed"
    assert len(Run("mine/b").records) == 5
    trained(cli, tiny, "--runs", "mine", "--resume")
    assert Run("mine/b").state == "finished"
    assert comparable(run) == expected
    assert (tmp_path / "mine/b/weights.safetensors").read_bytes() == Run("mine/a").weights.read_bytes()


def test_what_is_there_is_kept(cli: Cli, tiny: Path, tmp_path: Path) -> None:
    train = (tiny, "--epochs", 1, "--name", "a", *REFERENCE)
    trained(cli, *train)
    before = Run("runs/a").weights.read_bytes()
    assert "runs/a is there already: --resume runs/a goes on with that run, --force" in trained(
        cli, *train, "--seed", 3, code=2
    )
    assert Run("runs/a").weights.read_bytes() == before
    trained(cli, *train, "--seed", 3, "--force")
    assert Run("runs/a").weights.read_bytes() != before
    (tmp_path / "runs" / "b").mkdir()
    (tmp_path / "runs" / "b" / "mine").write_text("text")
    assert "runs/b is there already, and no run" in trained(
        cli, tiny, "--name", "b", "--force", *REFERENCE, code=2
    )
    assert "can't be called '../x'" in trained(cli, tiny, "--name", "../x", code=2)
    assert "a run keeps its checkpoint in its folder" in trained(cli, tiny, "--checkpoint", "c", code=2)
    assert sorted(path.name for path in (tmp_path / "runs").iterdir()) == ["a", "b"]


def test_weights_alone_make_no_run(cli: Cli, tiny: Path, tmp_path: Path) -> None:
    trained(cli, tiny, "--epochs", 1, "--weights", "w.safetensors", *REFERENCE)
    assert not (tmp_path / "runs").exists()
    trained(cli, tiny, "--epochs", 2, "--weights", "w.safetensors", "--resume", *REFERENCE)
    trained(cli, tiny, "--epochs", 2, "--weights", "v.safetensors", "--name", "both", *REFERENCE)
    weights = [tmp_path / "w.safetensors", tmp_path / "v.safetensors", Run("runs/both").weights]
    assert len({path.read_bytes() for path in weights}) == 1


def test_a_mistake_leaves_no_folder(cli: Cli, tiny: Path, tmp_path: Path) -> None:
    (tmp_path / "train.npz").write_bytes(b"no archive")
    trained(cli, tiny, *REFERENCE, code=2)
    (tmp_path / "file").write_text("text")
    assert "it is no directory" in trained(cli, tiny, "--runs", "file/runs", code=2)
    assert not (tmp_path / "runs").exists()


def test_a_run_is_trained_by_one_process(cli: Cli, tiny: Path, tmp_path: Path) -> None:
    trained(cli, tiny, "--epochs", 1, "--name", "a", *REFERENCE)
    path = tmp_path / "runs" / "a"
    lock = AppendedFile(path / "metrics.jsonl", (path / "metrics.jsonl").stat().st_size)
    with pytest.raises(FileInUseError):
        AppendedFile(path / "metrics.jsonl")
    said = trained(cli, tiny, "--resume", "runs/a", "--epochs", 2, code=2)
    assert "runs/a is being trained by another process" in said
    assert "it stays" in trained(cli, tiny, "--name", "a", "--force", *REFERENCE, code=2)
    lock.close()
    assert len(read_records(path / "metrics.jsonl")) == 17


def test_trainings_that_begin_at_once_take_numbers_of_their_own(tiny: Path, tmp_path: Path) -> None:
    program = netwright.load(tiny).compile(entries=["loss", "train_step"], engine="reference")
    sets = program._data()
    for taken in ("tiny-001", "tiny-002"):
        program.new_run(tmp_path / taken, sets)
    place = Place(tmp_path / "tiny-001", None, "tiny")
    assert begin_run(place, lambda path: program.new_run(path, sets)).path.name == "tiny-003"
    (tmp_path / "empty").mkdir()
    with pytest.raises(FileExistsError):
        program.new_run(tmp_path / "empty", sets)
    assert sorted(path.name for path in tmp_path.iterdir() if path.is_dir()) == [
        "empty",
        *(f"tiny-00{number}" for number in (1, 2, 3)),
    ]


def test_runs_are_listed_and_compared(cli: Cli, tiny: Path, tmp_path: Path) -> None:
    assert "there are no runs in runs" in cli("runs").output
    assert json.loads(cli("runs", "--format", "json").output) == []
    trained(cli, tiny, "--epochs", 3, "--name", "a", *REFERENCE)
    long = "a-name-that-is-much-too-long-for-a-narrow-terminal-of-sixty-columns"
    trained(cli, tiny, "--epochs", 1, "--set", "layers.hidden.units=5", "--name", long, *REFERENCE)
    for width in (60, 80, 120):
        os.environ["COLUMNS"] = str(width)
        for arguments in ((), ("show", "a"), ("compare", "a", long)):
            lines = cli("runs", *arguments).output.splitlines()
            assert max(map(len, lines)) <= width
            assert lines
    listed = json.loads(cli("runs", "--format", "json").output)
    assert [(run["name"], run["state"], run["epochs"], run["metric"]) for run in listed] == [
        ("a", "finished", 3, "valid_loss"),
        (long, "finished", 1, "valid_loss"),
    ]
    sections = json.loads(cli("runs", "compare", "a", long, "--format", "json").output)
    assert sections["spec"] == {"layers.hidden.units": [8, 5], "train.epochs": [3, 1]}
    assert sections["results"]["valid_loss"] == [run["value"] for run in listed]
    shown = json.loads(cli("runs", "show", "runs/a", "--format", "json").output)
    assert (len(shown["history"]), shown["run"]["seed"]) == (3, 0)
    assert "valid_loss by epoch:" in cli("runs", "show", "a").output
    assert cli("runs", "plot", "a", long, "-o", "c.svg", "--metric", "loss").exit_code == 0
    root = ElementTree.parse(tmp_path / "c.svg").getroot()
    lines = root.findall(".//{http://www.w3.org/2000/svg}polyline")
    assert [line.get("class") for line in lines] == ["train", "valid"]
    dots = root.findall(".//{http://www.w3.org/2000/svg}circle")
    assert len(dots) == 2  # of the run with a single epoch
    for arguments, message in (
        (("show", "b"), "there is no run b, neither as a folder nor in runs; there is a, "),
        (("compare", "a"), "name two or more"),
        (
            ("plot", "a", "-o", "d.svg", "--metric", "lss"),
            "no run has the number lss; there is loss, accuracy",
        ),
    ):
        done = cli("runs", *arguments)
        assert done.exit_code == 2
        assert message in " ".join(done.output.split())
    (Run("runs/a").path / "run.json").write_text("{")
    assert [run.name for run in runs()] == [long]


def test_a_run_is_taken_for_its_weights(cli: Cli, tiny: Path) -> None:
    trained(cli, tiny, "--epochs", 1, "--name", "a", *REFERENCE)
    said = [
        cli("evaluate", tiny, "--weights", weights, "--engine", "reference").output
        for weights in ("runs/a", "runs/a/weights.safetensors")
    ]
    assert said[0] == said[1]
    assert "accuracy" in said[0]
    os.utime("runs/a/weights.checkpoint", (2e9, 2e9))  # it was gone on with, and killed
    assert WeightsFile("runs/a").metadata["format"].startswith("netwright-checkpoint")


def test_runs_from_python(tiny: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    program = netwright.load(tiny).compile(entries=["loss", "train_step"], engine="reference")
    program.train(samples(64, 1), samples(32, 2), epochs=1, run="runs/a")
    (run,) = runs()
    assert "data" not in run.spec.read_text().split("train:")[1]  # arrays have no path
    program = netwright.load(tiny).compile(entries=["loss", "train_step"], engine="reference")
    with pytest.raises(FileExistsError):
        program.train(samples(64, 1), samples(32, 2), epochs=1, run="runs/a")
    program.train(samples(64, 1), samples(32, 2), epochs=2, resume="runs/a")
    assert len(Run("runs/a").history) == 2
    with pytest.raises(RequestError, match="no run"):
        Run("runs")
