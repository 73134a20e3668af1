"""How much of a file a program is beside its weights."""

from __future__ import annotations

import platform
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest

import netwright
from netwright.artifacts.files import Request, save

LENET = Path(__file__).parents[2] / "examples" / "lenet" / "lenet.yaml"
#: Bytes of an executable beside its weights, without and with what it tests and times itself by.
MOST_BYTES, WITH_CHECKS = 60_000, 76_000


@pytest.mark.skipif(
    platform.machine() != "x86_64" or platform.system() != "Linux" or shutil.which("cc") is None,
    reason="the limits are those of programs for Linux on x86-64",
)
def test_lenet_is_small(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CC", raising=False)
    model = netwright.load(LENET)
    program = model.compile(entries=["predict"])
    weights = sum(array.nbytes for array in program.weights.values())
    image = np.random.default_rng(0).standard_normal((1, 28, 28, 1)).astype(np.float32)
    np.save(tmp_path / "image.npy", image)
    for kept, most in ((0, MOST_BYTES), (4096, WITH_CHECKS)):
        request = Request(selftest_bytes=kept)
        (made,) = save(model.load, model.network, program.weights, tmp_path / "lenet", request)
        assert weights < made.stat().st_size < weights + most
        command = [made, "-i", "image=image.npy", "-o", "logits.npy", "--threads", "1"]
        subprocess.run(command, cwd=tmp_path, check=True)
        np.testing.assert_array_equal(
            np.load(tmp_path / "logits.npy"), program.predict(image=image)["logits"]
        )


def test_packed_weights_are_there_once_and_cannot_be_executed(tmp_path: Path) -> None:
    """They are read-only once the program is loaded, in no segment of code; the originals are not in the file."""
    if shutil.which("cc") is None or shutil.which("readelf") is None:
        pytest.skip("no C compiler, or no readelf")
    spec = tmp_path / "line.yaml"
    spec.write_text(
        "netwright: 1\nmodel: line\ndims: {N: batch}\ninputs:\n  x: {shape: [N, 3]}\n"
        "layers:\n  - {name: y, type: dense, units: 2000}\noutputs: {y: y}\n"
    )
    model = netwright.load(spec)
    program = model.compile()
    (made,) = save(model.load, model.network, program.weights, tmp_path / "line", Request())
    listed = subprocess.run(["readelf", "-lW", made], capture_output=True, text=True, check=True).stdout
    sizes = {}
    for line in listed.splitlines():
        words = line.split()
        if words and words[0] in ("LOAD", "GNU_RELRO"):
            sizes[words[0], "E" in words[6:-1]] = int(words[4], 16)
    weights = sum(array.nbytes for array in program.weights.values())
    assert sizes["GNU_RELRO", False] > weights
    assert sizes["LOAD", True] < MOST_BYTES
    assert weights < made.stat().st_size < 1.2 * weights + MOST_BYTES
