"""Constants that programs compute at their start: to the bit what the compiler computes, and smaller files."""

from __future__ import annotations

import ctypes
import subprocess
from pathlib import Path

import numpy as np
import pytest

import netwright
from netwright.artifacts.files import Request, save
from netwright.compiler.codegen.files.linker import LinkError, find_compiler
from netwright.compiler.codegen.files.made import Made
from netwright.compiler.codegen.targets.target import host_target
from netwright.compiler.formulas import Fourier
from netwright.compiler.interpreter import evaluate
from netwright.specs.files import scratch_folder

SPEC = (
    "netwright: 1\nmodel: bands\ndims: {N: batch}\ninputs: {x: {shape: [N, 400]}}\n"
    "layers: [{name: a, type: log_mel, frame_length: 200, hop_length: 100, fft_length: 255, "
    "sample_rate: 8000, mels: 8}]\noutputs: {y: a}\n"
)


def _compiler() -> list[str]:
    try:
        return find_compiler(host_target())
    except LinkError:
        pytest.skip("no C compiler")


def test_programs_compute_to_the_bit_what_the_compiler_does() -> None:
    tables = {
        "wide": (Fourier(20, 13, 25, "hamming"), "float64"),
        "odd": (Fourier(31, 26, 51, "hann"), "float32"),
        "long": (Fourier(70, 17, 32, "rectangular"), "float32"),  # frames longer than a turn
    }
    arrays = {name: formula.table(dtype) for name, (formula, dtype) in tables.items()}
    made = Made()
    formulas = {name: formula for name, (formula, _) in tables.items()}
    names = made.add(
        {**arrays, "again": arrays["odd"], "held": np.ones(9)}, {**formulas, "again": formulas["odd"]}
    )
    assert names.keys() == {*tables, "again"}
    assert names["again"] == names["odd"]
    with scratch_folder() as folder:
        command = [*_compiler(), "-O2", "-fPIC", "-shared", *made.write(folder), "-o", "made.so"]
        subprocess.run(command, cwd=folder.path, check=True, timeout=60)
        library = ctypes.CDLL(str(folder.path / "made.so"))
    library.nw_make()
    for name, array in arrays.items():
        kind = np.ctypeslib.as_ctypes_type(array.dtype) * array.size
        written = np.frombuffer(kind.in_dll(library, names[name]), array.dtype).reshape(array.shape)
        assert written.tobytes() == array.tobytes()


def test_small_tables_are_held() -> None:
    formula = Fourier(4, 3, 5, "hann")
    assert Made().add({"x": formula.table("float32")}, {"x": formula}) == {}


def test_a_program_without_its_largest_constant(tmp_path: Path) -> None:
    _compiler()
    (tmp_path / "bands.yaml").write_text(SPEC)
    model = netwright.load(tmp_path / "bands.yaml")
    program, x = tmp_path / "bands", np.random.default_rng(3).normal(size=(2, 400)).astype(np.float32)
    save(model.load, model.network, {}, program, Request(selftest_bytes=0))
    table = Fourier(200, 128, 255, "hann").table("float32")
    data = program.read_bytes()
    assert table[5].tobytes()[:64] not in data
    assert len(data) < table.nbytes
    np.save(tmp_path / "x.npy", x)
    command = [program, "-i", f"x={tmp_path / 'x.npy'}", "-o", str(tmp_path / "y.npy")]
    subprocess.run(command, check=True, timeout=60)
    wanted = evaluate(model.network.graphs["predict"], {"x": x}, {"N": 2})["y"]
    np.testing.assert_allclose(np.load(tmp_path / "y.npy"), wanted, rtol=1e-4, atol=1e-4)
