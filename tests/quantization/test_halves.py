"""Weights of 16 bits are widened exactly, in the kernels that load them."""

from __future__ import annotations

import shutil
import subprocess
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from netwright import load
from netwright.artifacts.files import Request, save
from netwright.build import Build, build
from netwright.compiler.codegen.targets.machines import describe
from netwright.compiler.codegen.targets.target import host_target, named_target
from netwright.compiler.driver import lower
from netwright.compiler.graph.graph import Graph
from netwright.compiler.graph.types import TensorType
from netwright.compiler.ops.scans.scan_attributes import ScanAttributes
from netwright.compiler.ops.values.widen import Half, WidenAttributes, halves
from netwright.compiler.pipeline import run
from netwright.compiler.quantization.halves import halved_network
from netwright.errors import RequestError
from netwright.runtime.sessions.session import Session

from .helpers import drawn, predicted, prepared, spec

CONV = {"type": "conv2d", "filters": 17, "kernel_size": 3, "padding": "same"}
NETWORKS: dict[str, dict[str, Any]] = {
    "image": spec(
        ["N", 6, 6, 2],
        {**CONV, "activation": "relu"},
        {**CONV, "groups": 17},
        {"type": "flatten"},
        {"type": "dense", "units": 5},
    ),
    "sequence": spec(
        ["N", "T", 3], {"type": "lstm", "units": 4, "return_sequences": True}, {"type": "dense", "units": 20}
    ),
}


@pytest.mark.parametrize("format", ["float16", "bfloat16"])
@pytest.mark.parametrize("name", NETWORKS)
def test_kernels_widen_weights(name: str, format: Half) -> None:
    network, weights = prepared(NETWORKS[name])
    x = drawn(network)
    made, values = halved_network(network, weights, describe(host_target()), format)
    stored = [array for array in values.values() if array.dtype == np.uint16]
    assert sum(array.size for array in stored) > 0.5 * sum(array.size for array in weights.values())
    built = build(made, {"predict": made.graphs["predict"]}, host_target())
    packed = [buffer for buffer in built.lowered.manifest.buffers if buffer.role == "packed"]
    assert not any(
        np.prod([int(n) for n in buffer.shape]) >= max(a.size for a in stored) for buffer in packed
    )
    answers = Session(built.engine(2), values).predict(x=x)["y"]
    want = predicted(made, values, x)
    np.testing.assert_allclose(answers, want, rtol=2e-4, atol=1e-5)
    exact = predicted(network, weights, x)
    np.testing.assert_allclose(
        want, exact, atol=(0.03 if format == "bfloat16" else 0.004) * np.abs(exact).max()
    )


def test_recurrences_read_panels_of_16_bits() -> None:
    layer = {"type": "lstm", "units": 32, "return_sequences": True}
    network, weights = prepared(spec(["N", 6, 32], layer))
    x, machine = drawn(network), describe(host_target())
    for l2_bytes, dtype in ((1024, "uint16"), (1 << 20, "float32")):
        made, values = halved_network(network, weights, replace(machine, l2_bytes=l2_bytes), "bfloat16")
        graph = run({"predict": made.graphs["predict"]}, machine)["predict"]
        (scan,) = (node for node in graph if node.op == "scan")
        assert isinstance(scan.attrs, ScanAttributes)
        consts = [graph.type(value) for value in graph.operands(scan)[: scan.attrs.n_consts]]
        assert dtype in {type.dtype for type in consts if type.rank > 1} or machine.lanes("float32") == 1
        built = build(made, {"predict": made.graphs["predict"]}, host_target())
        answers = Session(built.engine(1), values).predict(x=x)["y"]
        np.testing.assert_allclose(answers, predicted(made, values, x), rtol=2e-4, atol=1e-5)


def test_programs_in_python() -> None:
    model = load(NETWORKS["sequence"])
    _, weights = prepared(NETWORKS["sequence"])
    x = drawn(model.network)
    program = model.compile(weights, weights_dtype="bfloat16", threads=1)
    made, values = halved_network(model.network, weights, describe(host_target()), "bfloat16")
    assert program.weights.keys() == values.keys()
    answers = program.predict(x=x)["y"]
    np.testing.assert_allclose(answers, predicted(made, values, x), rtol=2e-4, atol=1e-5)
    np.testing.assert_array_equal(program.stream().push(x=x)["y"], answers)
    unknown: Any = "half"
    with pytest.raises(RequestError, match="weights_dtype needs weights"):
        model.compile(weights_dtype="bfloat16")
    with pytest.raises(RequestError, match="weights_dtype is float16 or bfloat16, not 'half'"):
        model.compile(weights, weights_dtype=unknown)


@pytest.mark.skipif(shutil.which("cc") is None, reason="no C compiler (install gcc or clang)")
def test_executables_test_recurrences_of_16_bits(tmp_path: Path) -> None:
    model = load(NETWORKS["sequence"])
    _, weights = prepared(NETWORKS["sequence"])
    small = replace(describe(host_target()), l2_bytes=64)  # holds no weights: loops read them in 16 bits
    made, values = halved_network(model.network, weights, small, "bfloat16")
    save(model.load, made, values, tmp_path / "program", Request())
    done = subprocess.run([tmp_path / "program", "--selftest"], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "the self-test passes" in done.stdout


@pytest.mark.skipif(
    "x86_64" not in host_target().triple, reason="x86-64 has CPUs with and without an instruction"
)
def test_half_precision_without_an_instruction() -> None:
    graph = Graph("predict")
    x = graph.input("x", TensorType("uint16", (1 << 15,)))
    graph.set_output("y", graph.apply("copy", graph.apply("widen", x, attrs=WidenAttributes("float16"))))
    target = named_target("x86-64")
    lowered = lower("m", {"predict": graph}, [], version="0", target="t", machine=describe(target))
    engine = Build(lowered, target).engine(1)
    numbers = np.concatenate([np.arange(31744), np.arange(1024) + 0x8000]).astype(np.uint16)
    answers = np.zeros(1 << 15, np.float32)
    engine.run("predict", {}, {"x": numbers, "y": answers})
    np.testing.assert_array_equal(answers, numbers.view(np.float16).astype(np.float32))


def test_rounding_is_to_nearest_even() -> None:
    numbers = np.array([1, 1 + 2**-8, 1 + 3 * 2**-8, -2.5, 0, 1e-40], np.float32)
    assert halves(numbers, "bfloat16").tolist() == [0x3F80, 0x3F80, 0x3F82, 0xC020, 0, 1]
    numbers = np.array([1, 1 + 2**-11, 1 + 3 * 2**-11, -2.5, 2**-24], np.float32)
    assert halves(numbers, "float16").tolist() == [0x3C00, 0x3C00, 0x3C02, 0xC100, 1]
