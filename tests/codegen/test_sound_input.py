"""WAV files and bare numbers as inputs of executables, built with the sanitizers: good ones, and damaged ones."""

from __future__ import annotations

import io
import shutil
import subprocess
import wave
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from netwright import load
from netwright.build import build, entry_graphs
from netwright.compiler.codegen.files.artifacts import link_executable
from netwright.compiler.codegen.files.linker import LinkError
from netwright.compiler.codegen.targets.target import host_target

from ..sanitizers import ENVIRONMENT, FLAGS

pytestmark = pytest.mark.skipif(shutil.which("cc") is None, reason="no C compiler (install gcc or clang)")

RATE = 8000
#: Each sound in reverse, as far as its length says.
SPEC = """netwright: 1
model: backwards
dims: {N: batch, T: {role: time, min: 2, max: 400}}
inputs:
  sound: {shape: [N, T], dtype: float32, lengths: samples}
  samples: {shape: [N], dtype: int64}
layers:
  - {name: turned, type: reverse, inputs: [sound]}
outputs: {turned: turned}
"""
STEREO = SPEC.replace("[N, T]", "[N, T, 2]").replace("float32", "float64")
VALUES = [0, 2**30, -(2**31), -(2**24)]


def linked(spec: str, path: Path) -> Path:
    path.with_suffix(".yaml").write_text(spec)
    network = load(path.with_suffix(".yaml")).network
    made = build(network, entry_graphs(network, ["predict"]), host_target())
    program, manifest, contents = made.lowered.program, made.lowered.manifest, dict(made.lowered.constants)
    try:
        link_executable(program, manifest, contents, path, sample_rates={"sound": RATE}, flags=FLAGS)
    except LinkError as error:
        pytest.skip(f"no sanitizers here (install gcc or clang with libasan and libubsan): {error}")
    return path


@pytest.fixture(scope="module")
def mono(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return linked(SPEC, tmp_path_factory.mktemp("mono") / "backwards")


@pytest.fixture(scope="module")
def stereo(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return linked(STEREO, tmp_path_factory.mktemp("stereo") / "backwards")


def run(path: Path, *arguments: str, data: bytes = b"") -> subprocess.CompletedProcess[bytes]:
    return subprocess.run([path, *arguments], input=data, capture_output=True, env=ENVIRONMENT, timeout=60)


def answer(path: Path, *arguments: str, data: bytes = b"") -> np.ndarray:
    done = run(path, *arguments, data=data)
    assert done.returncode == 0, done.stderr
    return np.load(io.BytesIO(done.stdout))


def refusal(path: Path, *arguments: str, data: bytes = b"") -> str:
    done = run(path, *arguments, data=data)
    assert (done.returncode, done.stdout) == (2, b"")
    return done.stderr.decode()


def recording(width: int = 2, channels: int = 1, rate: int = RATE) -> bytes:
    """``VALUES``, whose full scale is 2³¹, as a WAV file."""
    stream = io.BytesIO()
    with wave.open(stream, "wb") as file:
        file.setparams((channels, width, rate, 0, "NONE", ""))
        numbers = [value >> (32 - 8 * width) for value in VALUES]
        numbers = [number + 128 * (width == 1) for number in numbers]
        file.writeframes(b"".join(n.to_bytes(width, "little", signed=width > 1) for n in numbers))
    return stream.getvalue()


def chunks(format: bytes, data: bytes, *, size: int | None = None, more: bytes = b"") -> bytes:
    parts = b"fmt " + len(format).to_bytes(4, "little") + format + more
    parts += b"data" + (len(data) if size is None else size).to_bytes(4, "little") + data
    return b"RIFF" + (len(parts) + 4).to_bytes(4, "little") + b"WAVE" + parts


def format_of(tag: int, channels: int, bits: int, rate: int = RATE) -> bytes:
    frame = channels * bits // 8
    numbers = ((tag, 2), (channels, 2), (rate, 4), (rate * frame, 4), (frame, 2), (bits, 2))
    return b"".join(number.to_bytes(size, "little") for number, size in numbers)


@pytest.mark.parametrize("width", [1, 2, 3, 4])
def test_whole_numbers_are_fractions_of_full_scale(
    mono: Path, stereo: Path, width: int, tmp_path: Path
) -> None:
    expected = [-1 / 128, -1, 0.5, 0]
    np.testing.assert_array_equal(answer(mono, data=recording(width)), [expected])
    (tmp_path / "x.wav").write_bytes(recording(width, channels=2))
    found = answer(stereo, "-i", f"sound={tmp_path / 'x.wav'}", "-o", "-")
    np.testing.assert_array_equal(found, [np.reshape([VALUES[2:], VALUES[:2]], (2, 2)) / 2**31])


@pytest.mark.parametrize("bits", [32, 64])
@pytest.mark.parametrize("extensible", [False, True])
def test_floats_and_other_chunks(mono: Path, bits: int, extensible: bool) -> None:
    x = np.array([0.1, -2, 3.5], f"<f{bits // 8}")
    format = format_of(0xFFFE if extensible else 3, 1, bits)
    if extensible:
        rest = (3).to_bytes(2, "little") + bytes.fromhex("000000001000800000aa00389b71")
        format += (22).to_bytes(2, "little") + bits.to_bytes(2, "little") + bytes(4) + rest
    data = chunks(format, x.tobytes(), more=b"LIST\3\0\0\0abc\0") + b"LIST\1\0\0\0a\0"
    np.testing.assert_array_equal(answer(mono, data=data), x[None, ::-1].astype(np.float32))


def test_a_program_that_does_not_know_the_end_says_two_gigabytes(mono: Path) -> None:
    x = np.arange(300, dtype="<i2")
    for size in (0x7FFFF000, 0xFFFFFFFF):
        data = chunks(format_of(1, 1, 16), x.tobytes() + b"x", size=size)
        np.testing.assert_array_equal(answer(mono, data=data), x[None, ::-1] / np.float32(32768))


def test_bare_numbers_are_a_sample(mono: Path, stereo: Path) -> None:
    x = np.arange(6, dtype="<f4")
    np.testing.assert_array_equal(answer(mono, "--raw", data=x.tobytes()), x[None, ::-1])
    found = answer(stereo, "--raw", data=x.astype("<f8").tobytes())
    np.testing.assert_array_equal(found, x.reshape(1, 3, 2)[:, ::-1])
    assert "expected numbers of 4 bytes, a multiple of 1 of them, found 7 bytes" in refusal(
        mono, "--raw", data=b"1234567"
    )
    assert "a multiple of 2 of them, found 24 bytes" in refusal(stereo, "--raw", data=bytes(24))
    assert "axis 1 (T) should be at least 2, found 0" in refusal(mono, "--raw")
    assert "axis 1 (T) should be at most 400, found 50000" in refusal(mono, "--raw", data=bytes(200000))
    assert "no input comes from there" in refusal(mono, "--raw", "-i", "sound=x.npy", "-o", "-")


def test_sequences_are_whole_unless_lengths_are_given(mono: Path, tmp_path: Path) -> None:
    x = np.arange(8, dtype=np.float32).reshape(2, 4)
    np.save(tmp_path / "x.npy", x)
    np.save(tmp_path / "n.npy", np.array([2, 4]))
    given = ["-o", "-", "-i", f"sound={tmp_path / 'x.npy'}"]
    np.testing.assert_array_equal(answer(mono, *given), x[:, ::-1])
    found = answer(mono, *given, "-i", f"samples={tmp_path / 'n.npy'}")
    np.testing.assert_array_equal(found, [[1, 0, 2, 3], [7, 6, 5, 4]])
    alone = ["-o", "-", "-i", f"samples={tmp_path / 'n.npy'}"]
    assert "input 'sound': standard input: it is empty" in refusal(mono, *alone)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (recording(rate=16000), "expected 8000 samples per second, found 16000"),
        (recording(channels=2), "expected one channel, found 2"),
        (recording()[:-1], "it is cut short: expected 4 samples, found 3"),
        (recording()[:44], "it is cut short: expected 4 samples, found 0"),
        (recording()[:36], "it ends before its sound"),
        (recording()[:30], "it ends inside its format"),
        (b"RIFF", "neither a .npy nor a WAV file"),
        (chunks(format_of(2, 1, 4), b"12"), "its sound is compressed"),
        (chunks(format_of(1, 1, 12), b"12"), "it has 12 bits per sample"),
        (chunks(format_of(3, 1, 16), b"12"), "it has 16 bits per sample"),
        (chunks(format_of(1, 0, 16), b"12"), "it has 0 channels"),
        (chunks(b"12", b"12"), "its format has 2 bytes"),
        (b"RIFF\0\0\0\0WAVEdata\0\0\0\0", "its sound comes before its format"),
        (b"RIFF\0\0\0\0WAVELIST\xff\xff\xff\xffabc", "it ends before its sound"),
    ],
)
def test_what_is_wrong_is_said(mono: Path, data: bytes, message: str) -> None:
    assert message in refusal(mono, data=data)


@given(st.integers(0, 51), st.integers(0, 255), st.integers(0, 52))
def test_damaged_recordings_do_no_harm(mono: Path, at: int, value: int, length: int) -> None:
    data = bytearray(recording())
    data[at] = value
    for damaged in (bytes(data), bytes(data[:length])):
        done = run(mono, data=damaged)
        assert done.returncode in (0, 2), done.stderr
        assert done.returncode == 0 or done.stderr.startswith(b"backwards: input 'sound': ")
