"""Programs that take steps on standard input, built with the sanitizers: answers, states in files, damaged ones."""

from __future__ import annotations

import io
import os
import shutil
import subprocess
import time
from itertools import pairwise
from pathlib import Path
from random import Random

import numpy as np
import pytest
from click.testing import CliRunner

import netwright
from netwright.build import build
from netwright.cli import main
from netwright.compiler.codegen.files.artifacts import link_executable
from netwright.compiler.codegen.files.linker import LinkError
from netwright.compiler.codegen.targets.target import host_target
from netwright.runtime.sessions.session import Session
from netwright.streams import listening, stepping

from ..sanitizers import ENVIRONMENT, FLAGS

pytestmark = pytest.mark.skipif(shutil.which("cc") is None, reason="no C compiler (install gcc or clang)")

SPEC = """netwright: 1
model: listener
dims: {N: batch, T: {role: time, min: 8}}
inputs: {sound: {shape: [N, T, 2]}}
layers:
  - {name: conv, type: conv1d, filters: 8, kernel_size: 4, stride: 2, padding: causal}
  - {name: wide, type: conv1d, filters: 8, kernel_size: 3}
  - {name: memory, type: gru, units: 16}
  - {name: answer, type: dense, units: 3}
outputs: {scores: answer}
"""
STEPS = np.random.default_rng(7).normal(size=(101, 2)).astype("<f4")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("listener")
    (folder / "listener.yaml").write_text(SPEC)
    model = netwright.load(folder / "listener.yaml")
    program = model.compile(entries=["predict"], seed=3)
    np.save(folder / "whole.npy", program.predict(sound=STEPS[None, :100])["scores"][0])
    program.save_weights(folder / "listener.safetensors")
    network, step = stepping(model.load, model.network)
    made = build(network, network.graphs, host_target())
    session = Session(made.engine(), program.weights)
    session.prepare()
    contents = {**made.lowered.constants, **session.weights, **session.packed}
    try:
        link_executable(
            made.lowered.program,
            made.lowered.manifest,
            contents,
            folder / "listener",
            entry="step",
            stream=listening(network, step),
            flags=FLAGS,
        )
    except LinkError as error:
        pytest.skip(f"no sanitizers here (install gcc or clang with libasan and libubsan): {error}")
    return folder


def run(folder: Path, *arguments: str, data: bytes = b"") -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(
        [folder / "listener", *arguments],
        input=data,
        capture_output=True,
        env=ENVIRONMENT,
        cwd=folder,
        timeout=60,
    )


def answers(folder: Path, *arguments: str, data: bytes = b"") -> np.ndarray:
    done = run(folder, "--stream", "--raw", *arguments, data=data)
    assert done.returncode == 0, done.stderr
    assert done.stderr == b""
    return np.frombuffer(done.stdout, "<f4").reshape(-1, 3)


def test_answers_are_those_of_the_whole_sequence(folder: Path) -> None:
    whole = np.load(folder / "whole.npy")
    np.testing.assert_allclose(answers(folder, data=STEPS.tobytes()), whole, rtol=1e-5, atol=1e-6)
    lines = run(folder, data=STEPS.tobytes()).stdout.decode().splitlines()
    np.testing.assert_allclose(
        [[float(n) for n in line.split()] for line in lines], whole, rtol=1e-5, atol=1e-6
    )
    assert len(answers(folder, data=STEPS[:5].tobytes())) == 0
    assert len(answers(folder)) == 0


def test_answers_come_as_steps_do(folder: Path) -> None:
    whole = np.load(folder / "whole.npy")
    with subprocess.Popen(
        [folder / "listener", "--raw"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        bufsize=0,
        env=ENVIRONMENT,
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        for pair in range(10):
            data = STEPS[2 * pair : 2 * pair + 2].tobytes()
            process.stdin.write(data[:5])  # not even a step
            time.sleep(0.001)
            process.stdin.write(data[5:])
            if pair >= 2:
                row = np.frombuffer(process.stdout.read(12), "<f4")
                np.testing.assert_allclose(row, whole[pair - 2], rtol=1e-5, atol=1e-6)
        process.stdin.close()
        assert process.stdout.read() == b""
    assert process.returncode == 0


def arrays(*parts: np.ndarray) -> bytes:
    """.npy arrays, one after the other."""
    file = io.BytesIO()
    for part in parts:
        np.save(file, part)
    return file.getvalue()


def test_arrays_are_answered_by_arrays(folder: Path) -> None:
    whole = np.load(folder / "whole.npy")
    sizes = (1, 2, 0, 30, 7, 60)
    ends = np.cumsum((0, *sizes))
    parts = [STEPS[start:end] for start, end in pairwise(ends)]
    parts[3] = parts[3][np.newaxis]  # with its axis of samples
    done = run(folder, "--npy", "--save", "kept.npy", data=arrays(*parts))
    assert (done.returncode, done.stderr) == (0, b"")
    file = io.BytesIO(done.stdout)
    found = [np.load(file) for _ in sizes]
    assert file.read() == b""
    assert [array.shape for array in found] == [(1, frames, 3) for frames in (0, 0, 0, 14, 4, 30)]
    assert found[0].dtype == np.float32
    # Chunks of any size give the same bits.
    np.testing.assert_array_equal(np.concatenate(found, 1)[0], answers(folder, data=STEPS[:100].tobytes()))
    np.testing.assert_allclose(np.concatenate(found, 1)[0], whole, rtol=1e-5, atol=1e-6)
    large = np.random.default_rng(8).normal(size=(70_000, 2)).astype(np.float32)  # more than is read at once
    done = run(folder, "--npy", data=arrays(large))
    rows = np.load(io.BytesIO(done.stdout))[0]
    np.testing.assert_array_equal(rows, answers(folder, data=large.tobytes()))
    assert run(folder, "--npy").stdout == b""


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (arrays(STEPS)[:-3], "standard input ends in the middle of an array"),
        (arrays(STEPS.astype(np.float64)), "is float64; 'sound' takes float32"),
        (arrays(STEPS.T.copy()), "has the shape [2, 101]; 'sound' takes [N, steps, 2]"),
        (arrays(np.zeros((2, 5, 2), np.float32)), "has the shape [2, 5, 2]"),
        (arrays(STEPS) + b"more than that", "it is not a .npy file"),
        (
            arrays(STEPS).replace(b"(101, 2), }" + b" " * 13, b"(99999999999999, 2), }  "),
            "in the middle of an array",
        ),
        (arrays(STEPS).replace(b"(101, 2), }" + b" " * 16, b"(99999999999999999, 2), }  "), "in the middle"),
    ],
)
def test_what_is_no_array_of_steps(folder: Path, data: bytes, said: str) -> None:
    done = run(folder, "--npy", data=data)
    assert done.returncode == 2, done.stderr
    assert said in done.stderr.decode()


def test_damaged_arrays_are_refused_or_are_steps(folder: Path) -> None:
    good, random = arrays(STEPS[:7], STEPS[7:9]), Random(6)
    for _ in range(30):
        bad = bytearray(good)
        for _ in range(random.randint(1, 3)):
            bad[random.choice((random.randrange(len(bad)), random.randrange(128)))] = random.randrange(256)
        assert run(folder, "--npy", data=bytes(bad)).returncode in (0, 2)


@pytest.mark.parametrize("cut", [0, 1, 4, 37, 100])
def test_what_is_remembered_goes_on(folder: Path, cut: int) -> None:
    first = answers(folder, "--save", "kept.npy", data=STEPS[:cut].tobytes())
    second = answers(folder, "--state", "kept.npy", data=STEPS[cut:].tobytes())
    whole = np.load(folder / "whole.npy")
    np.testing.assert_allclose(np.concatenate([first, second]), whole, rtol=1e-5, atol=1e-6)


def test_damaged_states_are_refused_or_are_states(folder: Path) -> None:
    """No byte of a file makes the program access memory that is not its own."""
    answers(folder, "--save", "kept.npy", data=STEPS[:7].tobytes())
    good, random = (folder / "kept.npy").read_bytes(), Random(5)
    for _ in range(40):
        bad = bytearray(good)
        for _ in range(random.randint(1, 4)):
            bad[random.choice((random.randrange(len(bad)), 128 + random.randrange(24)))] = random.randrange(
                256
            )
        bad = bad[: random.choice((len(bad), random.randrange(len(bad))))]
        (folder / "bad.npy").write_bytes(bad)
        assert run(folder, "--state", "bad.npy", data=STEPS[7:20].tobytes()).returncode in (0, 2)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--state", "missing.npy"], "--state missing.npy: No such file"),
        (["--state", "whole.npy"], "whole.npy is not what this program remembers"),
        (["--save", "kept"], "--save kept: what is remembered is a .npy file"),
        (["--save", "-"], "standard output has the answers"),
        (["--threads", "0"], "expected a number from 1"),
        (["--raw", "--npy"], "--raw and --npy both say how answers are written"),
        (["--print"], "--print is no option of this program"),
    ],
)
def test_mistakes(folder: Path, arguments: list[str], said: str) -> None:
    done = run(folder, *arguments)
    assert done.returncode == 2
    assert said in done.stderr.decode()


def test_half_a_step_at_the_end(folder: Path) -> None:
    done = run(folder, data=STEPS[:9].tobytes() + b"abc")
    assert done.returncode == 2
    assert b"the input ends in the middle of a step: 3 of 8 bytes" in done.stderr


def test_the_command_line_writes_such_a_program(folder: Path) -> None:
    arguments = [
        "compile",
        "listener.yaml",
        "--weights",
        "listener.safetensors",
        "--entry",
        "step",
        "-o",
        "plain",
    ]
    there = Path.cwd()
    os.chdir(folder)
    try:
        done = CliRunner().invoke(main, arguments)
        assert done.exit_code == 0, done.output
        bad = CliRunner().invoke(
            main, [*arguments[:-1], "bad", "--set", "layers.wide.padding=same"], catch_exceptions=False
        )
    finally:
        os.chdir(there)
    help = subprocess.run([folder / "plain", "--help"], capture_output=True, text=True, check=True).stdout
    assert "Takes steps on standard input" in help
    assert "a step is [N, steps, 2] without its time" in help
    assert bad.exit_code == 2
    assert "wide: it adds 1 step after the last one" in bad.output
    assert not (folder / "bad").exists()
