"""Where commands write: through links, into devices and pipes, to standard output; never over what they read."""

from __future__ import annotations

import io
import os
import resource
import stat
import subprocess
import sys
import tempfile
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
from click.testing import Result

import netwright
from netwright.runtime.files.npz import read_npz

from ..forked import forked
from .conftest import samples

Cli = Callable[..., Result]


@pytest.fixture
def weights(tiny: Path) -> Path:
    path = tiny.with_name("w.safetensors")
    netwright.load(tiny).compile(engine="reference").save_weights(path)
    np.save(tiny.with_name("x.npy"), samples(3, 1)["x"])
    return path


#: Commands that write one file, `OUT`.
COMMANDS = {
    "run": ["run", "tiny.yaml", "--weights", "w.safetensors", "-i", "x=x.npy", "-o", "OUT"],
    "predict": ["predict", "tiny.yaml", "--weights", "w.safetensors", "x.npy", "-o", "OUT"],
    "compile": ["compile", "tiny.yaml", "--weights", "w.safetensors", "-o", "OUT"],
    "loop": ["compile", "tiny.yaml", "-o", "OUT", "--emit", "loop"],
    "graph": ["graph", "tiny.yaml", "-o", "OUT", "--format", "dot"],
    "report": ["report", "tiny.yaml", "-o", "OUT"],
    "rate": ["rate", "tiny.yaml", "--steps", "20", "-o", "OUT", "--format", "json"],
    "schema": ["schema", "-o", "OUT"],
    "fix": ["fix", "tiny.yaml", "-o", "OUT"],
    "new": ["new", "cnn", "shapes", "-o", "OUT"],
    "export": ["export", "tiny.yaml", "--weights", "w.safetensors", "-o", "OUT"],
    "train": ["train", "tiny.yaml", "--weights", "OUT", "--epochs", "1", "--engine", "reference"],
}


def skip_without(command: str) -> None:
    if command == "export":
        pytest.importorskip("onnx")


@pytest.mark.parametrize("command", COMMANDS)
def test_devices_stay_devices_and_links_stay_links(
    cli: Cli, weights: Path, tmp_path: Path, command: str
) -> None:
    skip_without(command)
    (tmp_path / "tiny.yaml").write_text(
        tiny_with_a_mistake(tmp_path) if command == "fix" else tiny_text(tmp_path)
    )
    done = cli(*(word.replace("OUT", "/dev/null") for word in COMMANDS[command]))
    assert done.exit_code == 0, done.output
    assert stat.S_ISCHR(os.stat("/dev/null").st_mode)
    name = "link.npz" if command in ("run", "predict") else "link"
    (tmp_path / name).symlink_to("real")
    (tmp_path / "real").write_bytes(b"old")
    (tmp_path / "real").chmod(0o640)
    more = ["--force"] if command in ("new", "train") else []
    done = cli(*(word.replace("OUT", name) for word in COMMANDS[command]), *more)
    assert done.exit_code == 0, done.output
    assert (tmp_path / name).is_symlink()
    assert (tmp_path / "real").stat().st_size > 3
    assert (tmp_path / "real").stat().st_mode & 0o640 == 0o640
    assert not [path.name for path in tmp_path.iterdir() if path.name.startswith(".")]


@pytest.mark.parametrize("command", COMMANDS)
def test_standard_output_has_the_file_alone(cli: Cli, weights: Path, tmp_path: Path, command: str) -> None:
    skip_without(command)
    if command == "fix":
        (tmp_path / "tiny.yaml").write_text(tiny_with_a_mistake(tmp_path))
    done = cli(*(word.replace("OUT", "-") for word in COMMANDS[command]))
    assert done.exit_code == 0, done.output
    out = done.stdout_bytes
    starts = {"run": b"\x93NUMPY", "compile": b"\x7fELF", "graph": b"digraph {", "report": b"<!doctype html>"}
    starts |= {"predict": b"file,sample,class,", "rate": b"{"}
    starts |= {"schema": b"{", "fix": b"netwright: 1", "new": b"#", "loop": b"", "export": b"", "train": b""}
    assert out.startswith(starts[command])
    assert len(out) > 100
    assert b"wrote -" not in out
    assert b"made\n" not in out
    if command == "run":
        assert np.load(io.BytesIO(out)).shape == (3, 3)
    if command == "train":
        (tmp_path / "trained").write_bytes(out)
        assert netwright.load(tmp_path / "tiny.yaml").compile(tmp_path / "trained", engine="reference")
        assert (tmp_path / "tiny.checkpoint").exists()
    assert not (tmp_path / "-").exists()


@pytest.mark.parametrize("command", COMMANDS)
def test_a_full_disk_names_the_file_and_leaves_the_old_one(
    cli: Cli, weights: Path, tmp_path: Path, command: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    skip_without(command)
    if command == "fix":
        (tmp_path / "tiny.yaml").write_text(tiny_with_a_mistake(tmp_path))
    out = "out.npz" if command in ("run", "predict") else "out"
    (tmp_path / out).write_bytes(b"old")
    more = ["--force"] if command in ("new", "train") else []
    more += ["--checkpoint", "/dev/null"] if command == "train" else []
    before = sorted(os.listdir(tmp_path))
    (tmp_path / "temporary").mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "temporary"))
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100, limits[1]))
    try:
        done = cli(*(word.replace("OUT", out) for word in COMMANDS[command]), *more)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert done.exit_code == 2, done.output
    if command == "compile":  # the disk of temporary files is full before
        assert "File too large, in the folder for temporary files (TMPDIR names another)" in done.output
    else:
        assert f"error: {out}: File too large\n" in done.output
    assert (tmp_path / out).read_bytes() == b"old"
    (tmp_path / "temporary").rmdir()
    assert sorted(os.listdir(tmp_path)) == before


def test_standard_output_may_be_full(tiny: Path, tmp_path: Path) -> None:
    for command in (
        "summary tiny.yaml --quick",
        "validate tiny.yaml",
        "schema",
        "graph tiny.yaml -o -",
        "--help",
    ):
        with open("/dev/full", "w") as full:
            done = forked(*command.split(), cwd=tmp_path, stdout=full)
        assert done.returncode == 2, (command, done.stderr)
        assert done.stderr.rstrip().endswith("No space left on device"), (command, done.stderr)
        assert "Traceback" not in done.stderr
        assert done.stderr.startswith("error: standard output:") or done.stderr.startswith("error: -:")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (
            ["compile", "tiny.yaml", "--weights", "w.safetensors", "-o", "tiny.yaml"],
            "-o: tiny.yaml is the input",
        ),
        (["compile", "tiny.yaml", "--weights", "w.safetensors", "-o", "w.safetensors"], "is the input"),
        (["compile", "tiny.yaml", "-o", "tiny.h", "--emit", "shared"], "choose another name"),
        (["compile", "tiny.yaml", "-o", "/dev/null", "--emit", "shared"], "no place beside"),
        (
            ["run", "tiny.yaml", "--weights", "w.safetensors", "-i", "x=x.npy", "-o", "x.npy"],
            "is the input x.npy",
        ),
        (
            ["run", "tiny.yaml", "--weights", "w.safetensors", "-i", "x=x.npy", "-o", "link.npy"],
            "is the input x.npy",
        ),
        (["graph", "tiny.yaml", "-o", "tiny.yaml", "--format", "svg"], "is the input"),
        (["graph", "part.svg", "-o", "part.svg"], "is the input"),
        (["report", "tiny.yaml", "-o", "./tiny.yaml"], "is the input"),
        (["train", "tiny.yaml", "--weights", "tiny.yaml"], "is the input"),
        (["train", "tiny.yaml", "--weights", "train.npz"], "is the input"),
        (["train", "tiny.yaml", "--weights", "w", "--checkpoint", "valid.npz"], "is the input"),
        (["train", "tiny.yaml", "--weights", "w", "--checkpoint", "./w"], "is the input"),
        (["train", "tiny.yaml", "--weights", "w.safetensors", "--resume", "w.safetensors"], "is the input"),
        (["report", "tiny.yaml", "-o", "."], "it is a directory"),
        (["report", "tiny.yaml", "-o", "none/x"], "there is no directory none"),
        (["report", "tiny.yaml", "-o", "tiny.yaml/x"], "Not a directory"),
        (["report", "tiny.yaml", "-o", "n" * 300], "File name too long"),
        (["fix", "-"], "can't be changed in place"),
    ],
)
def test_outputs_that_cannot_be(
    cli: Cli, weights: Path, tmp_path: Path, arguments: list[str], words: str
) -> None:
    (tmp_path / "link.npy").symlink_to("x.npy")
    (tmp_path / "part.svg").write_text(tiny_text(tmp_path))
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    done = cli(*arguments)
    assert done.exit_code == 2
    assert words in " ".join(done.output.split())
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before


def test_names_with_line_breaks_and_quotes(cli: Cli, weights: Path, tmp_path: Path) -> None:
    name = "a\nb 'c' \"d\" [bold]é.npz"
    assert cli("run", "tiny.yaml", "--weights", "w.safetensors", "-i", "x=x.npy", "-o", name).exit_code == 0
    assert read_npz(tmp_path / name)["y"].shape == (3, 3)


def test_a_spec_and_an_array_come_from_standard_input(cli: Cli, weights: Path, tmp_path: Path) -> None:
    text = tiny_text(tmp_path).encode()
    done = cli("validate", "-", input=text)
    assert (done.exit_code, done.output) == (0, "-: valid\n")
    done = cli("validate", "-", input=text.replace(b"units: 3", b"units: x"))
    assert done.exit_code == 1
    assert "--> -:8:38" in done.output
    assert cli("fix", "-", "-o", "-", input=text).stdout_bytes == text
    with_taps = [*COMMANDS["run"][:-1], "out.npz", "--tap", "hidden"]
    done = cli("run", "-", *with_taps[2:], input=text)
    assert done.exit_code == 0, done.output
    assert sorted(read_npz(tmp_path / "out.npz")) == ["hidden", "y"]
    piped = [word.replace("x=x.npy", "x=-").replace("OUT", "-") for word in COMMANDS["run"]]
    data = (tmp_path / "x.npy").read_bytes()
    done = cli(*piped, input=data)
    assert done.exit_code == 0, done.output
    assert np.load(io.BytesIO(done.stdout_bytes)).shape == (3, 3)
    for wrong, words in [
        (data[:-1], "is cut short"),
        (data + b"x", "goes on after"),
        (b"", "not a .npy file"),
    ]:
        done = cli(*piped, input=wrong)
        assert done.exit_code == 2
        assert f"standard input: {words}" in done.output or f"standard input: the file {words}" in done.output


def test_a_spec_and_an_array_come_through_pipes_of_the_shell(weights: Path, tmp_path: Path) -> None:
    program = tmp_path / "netwright"
    program.write_text(f'#!/bin/sh\nexec {sys.executable} -m netwright "$@"\n')
    program.chmod(0o755)
    line = "./netwright run <(cat tiny.yaml) --weights w.safetensors -i x=<(cat x.npy) -o >(cat > y.npz)"
    done = subprocess.run(
        ["bash", "-c", f"{line} --engine reference; wait $!"],
        cwd=tmp_path,
        capture_output=True,
        timeout=120,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    assert read_npz(tmp_path / "y.npz")["y"].shape == (3, 3)


def test_nobody_waits_for_a_pipe_where_a_file_is_wanted(weights: Path, tmp_path: Path) -> None:
    (tmp_path / "train.npz").unlink()
    os.mkfifo(tmp_path / "pipe")
    os.mkfifo(tmp_path / "train.npz")
    lines = [
        "validate --data tiny.yaml",
        "train tiny.yaml --weights o",
        "evaluate tiny.yaml --weights pipe",
        "evaluate tiny.yaml --weights w.safetensors --data valid=pipe",
        "validate pipe",
        "train tiny.yaml --weights o --resume pipe --data train=valid.npz",
        "report tiny.yaml --run pipe -o o.html",
        *(["import pipe -o o.yaml --weights o"] if find_spec("onnx") else []),
    ]
    program = (
        "import sys; from click.testing import CliRunner; from netwright.cli import main\n"
        "for line in sys.argv[1:]:\n"
        "    done = CliRunner().invoke(main, line.split())\n"
        "    print(done.exit_code, 'regular file' in done.output, line, done.output.splitlines()[:1], sep=': ')"
    )
    done = forked(*lines, code=program, cwd=tmp_path)
    found = done.stdout.splitlines()
    assert len(found) == len(lines), done.stderr
    assert not [line for line in found if not line.startswith(("1: True", "2: True"))], found


def tiny_text(folder: Path) -> str:
    return (folder / "tiny.yaml").read_text(encoding="utf-8")


def tiny_with_a_mistake(folder: Path) -> str:
    return tiny_text(folder).replace("units: 8", "unit: 8")
