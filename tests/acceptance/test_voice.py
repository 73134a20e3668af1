"""The example `voice`: the commands of its README, and the same marks as by ONNX Runtime."""

from __future__ import annotations

import importlib.util
import os
import re
import shlex
import shutil
import subprocess
import sys
import wave
from pathlib import Path

import numpy as np
import pytest

from ..forked import forked
from .commands import EXAMPLES
from .linking import need_linker

VOICE = EXAMPLES / "voice"
RATE, CHUNK, CONTEXT = 16000, 512, 64


def _commands(tool: str) -> str:
    """The README's commands, without those that fetch something."""
    text = (VOICE / "README.md").read_text(encoding="utf-8")
    lines = [line for block in re.findall(r"```sh\n(.*?)```", text, re.DOTALL) for line in block.splitlines()]
    kept = [line for line in lines if not line.startswith("pip ")]
    assert any(line.startswith(tool) for line in kept)
    return "\n".join(kept)


def _wheel(folder: Path) -> None:
    """The package's wheel, of which nothing is installed."""
    command = [
        sys.executable,
        "-m",
        "pip",
        "download",
        "-q",
        "--no-deps",
        "--dest",
        str(folder),
        "silero-vad",
    ]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        pytest.skip(f"the wheel of silero-vad can't be fetched: {done.stderr.strip().splitlines()[-1:]}")


def _heard(model: Path, sound: Path) -> list[tuple[float, float]]:
    """Stretches of speech by ONNX Runtime's probabilities, found as mark.c finds them."""
    import onnxruntime

    with wave.open(str(sound)) as file:
        rate, count = file.getframerate(), file.getnframes()
        samples = np.frombuffer(file.readframes(count), np.int16).astype(np.float32) / 32768
    at = np.arange(int(count * RATE / rate)) * rate / RATE
    heard = np.interp(at, np.arange(count), samples).astype(np.float32)
    heard[at.astype(int) + 1 >= count] = 0
    heard = np.pad(heard, (CONTEXT, -len(heard) % CHUNK))
    session = onnxruntime.InferenceSession(model)
    state = np.zeros((2, 1, 128), np.float32)
    found: list[tuple[float, float]] = []
    since, quiet = None, 0
    starts = range(0, len(heard) - CONTEXT, CHUNK)
    for start in starts:
        chunk = heard[None, start : start + CONTEXT + CHUNK]
        speech, state = session.run(None, {"input": chunk, "state": state, "sr": np.array(RATE)})
        quiet = quiet + 1 if speech.item() < 0.35 else 0
        if since is None and speech.item() >= 0.5:
            since = start / RATE
        if since is not None and (quiet == 10 or start == starts[-1]):
            found.append((since, (start + CHUNK - quiet * CHUNK) / RATE))
            since = None
    return found


def test_speech_is_marked_where_onnxruntime_hears_it(tmp_path: Path) -> None:
    for module in ("onnx", "onnxruntime"):
        if importlib.util.find_spec(module) is None:
            pytest.skip(f"{module} is not installed (pip install {module})")
    for tool in ("espeak-ng", "cc"):
        if shutil.which(tool) is None:
            pytest.skip(f"{tool} is not installed (apt-get install {tool.replace('cc', 'gcc')})")
    need_linker()
    shutil.copy(VOICE / "mark.c", tmp_path)
    _wheel(tmp_path)
    environment = os.environ | {"PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"}
    for line in _commands("netwright import").splitlines():
        if line.startswith("netwright "):
            done = forked(*shlex.split(line)[1:], cwd=tmp_path)
        else:
            command = ["bash", "-e", "-c", line]
            done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
    marks = re.findall(r"^(\d+\.\d+) s to (\d+\.\d+) s$", done.stdout, re.MULTILINE)
    expected = _heard(tmp_path / "silero/silero_vad/data/silero_vad.onnx", tmp_path / "speech.wav")
    assert len(expected) == 2  # the pause is heard
    np.testing.assert_allclose(np.array(marks, float), expected, atol=0.006)


def test_what_is_no_sound_is_refused(tmp_path: Path) -> None:
    """mark.c reads what it is given, and says what is wrong with it."""
    if shutil.which("cc") is None:
        pytest.skip("cc is not installed (apt-get install gcc)")
    source = (VOICE / "mark.c").read_text(encoding="utf-8")
    reader = source[: source.index("/* Sample i at 16 kHz")].replace(
        '#include "libvoice.h"', "#include <stdint.h>"
    )
    program = (
        f"{reader}int main(int n, char **a) {{ size_t c; unsigned r; (void)n; read_wav(a[1], &c, &r); }}\n"
    )
    (tmp_path / "read.c").write_text(program)
    subprocess.run(["cc", "-Wall", "-o", tmp_path / "read", tmp_path / "read.c"], check=True)
    head = b"RIFF\0\0\0\0WAVE"
    form = b"fmt \x10\0\0\0\x01\0\x01\0\x80\x3e\0\0\0\x7d\0\0\x02\0\x10\0"
    for content, said in (
        (b"", "no WAV file"),
        (b"RIFF", "no WAV file"),
        (head, "no samples"),
        (head + form[:12], "the file ends in its format"),
        (head + form[:-2] + b"\x08\0", "not 16-bit PCM"),
        (head + b"data\x04\0\0\0\1\2\3\4", "no samples"),
    ):
        (tmp_path / "sound.wav").write_bytes(content)
        done = subprocess.run([tmp_path / "read", tmp_path / "sound.wav"], capture_output=True, text=True)
        assert (done.returncode, done.stderr) == (1, f"mark: {said}\n")
    (tmp_path / "sound.wav").write_bytes(head + form + b"data\xff\xff\0\0\1\2")  # cut off: what there is
    assert subprocess.run([tmp_path / "read", tmp_path / "sound.wav"]).returncode == 0
