"""A convolutional network, packed in process, as an executable: the same bits."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest

from netwright.compiler.codegen.files.artifacts import link_executable
from netwright.compiler.codegen.jit import compile_jit
from netwright.compiler.driver import lower
from netwright.runtime.engines.native import NativeEngine
from netwright.specs.dims import parse_dim
from netwright.specs.manifest import DimInfo
from tests.lowering.networks import classifier, draw_inputs
from tests.machines import AVX512


@pytest.mark.skipif(shutil.which("cc") is None, reason="no C compiler")
def test_a_network_as_an_executable(tmp_path: Path) -> None:
    graph = classifier()
    lowered = lower(
        "net",
        {"predict": graph},
        [DimInfo(name="N")],
        version="0.1.0",
        target="host",
        machine=AVX512,
    )
    native = compile_jit(lowered.program)
    names = list(lowered.program.entries)
    engine = NativeEngine(
        lowered.manifest,
        {name: native.address(name) for name in names},
        {name: native.plan_address(name) for name in names},
        constants=lowered.constants,
        keepalive=native,
    )
    drawn = draw_inputs(graph, {"N": 3})
    contents: dict[str, np.ndarray] = {}
    for buffer in lowered.manifest.buffers:
        sizes = [parse_dim(size) for size in buffer.shape]
        if all(isinstance(size, int) for size in sizes):
            contents[buffer.name] = drawn.get(buffer.name, np.zeros(sizes, buffer.dtype))
    contents |= lowered.constants
    if "prepare" in names:
        engine.run("prepare", {}, contents)
    path = tmp_path / "net"
    link_executable(lowered.program, lowered.manifest, contents, path)
    for n in (1, 3, 7):
        image = draw_inputs(graph, {"N": n})["image"]
        logits = np.zeros((n, 10), np.float32)
        engine.run("predict", {"N": n}, contents | {"image": image, "logits": logits})
        np.save(tmp_path / "image.npy", image)
        done = subprocess.run([path, "-i", "image.npy", "-o", "out.npy"], cwd=tmp_path, capture_output=True)
        assert done.returncode == 0, done.stderr
        np.testing.assert_array_equal(np.load(tmp_path / "out.npy"), logits)
        assert np.abs(logits).max() > 0
