"""Executables, built for real and run on real files: good ones, and bad ones of every kind."""

from __future__ import annotations

import io
import json
import os
import re
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest

from netwright.compiler.codegen.files.artifacts import link_executable
from netwright.specs.manifest import Manifest

from .artifact_model import LABELS, classifier, doubler, in_process, inputs, weights

STRICT = ["-Werror", "-Wshadow", "-Wconversion"]

needs_cc = pytest.mark.skipif(shutil.which("cc") is None, reason="no C compiler")


@pytest.fixture(scope="module")
def pets(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("pets") / "pets"
    program, manifest = classifier()
    link_executable(program, manifest, weights(), path, flags=STRICT)
    return path


def run(path: Path, *arguments: str, data: bytes | None = None) -> subprocess.CompletedProcess[bytes]:
    stream = {"input": data} if data is not None else {"stdin": subprocess.DEVNULL}
    return subprocess.run([path, *arguments], capture_output=True, timeout=60, cwd=path.parent, **stream)


@needs_cc
@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("n", [1, 6, 100])
def test_an_executable_gives_the_bits_of_the_process(
    pets: Path, tmp_path: Path, n: int, threads: int
) -> None:
    arrays = inputs(n)
    for name, array in arrays.items():
        np.save(tmp_path / f"{name}.npy", array)
    out = tmp_path / "out.npz"
    arguments = ["-i", f"x={tmp_path}/x.npy", "-i", f"kind={tmp_path}/kind.npy", "-o", str(out)]
    pinned = n == 6 and sys.platform == "linux" and len(os.sched_getaffinity(0)) >= threads
    done = run(pets, *arguments, "--threads", str(threads), *["--pin"] * pinned)
    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")
    assert [p.name for p in tmp_path.iterdir() if p.suffix not in (".npy", ".npz")] == []
    with zipfile.ZipFile(out) as archive:
        assert archive.testzip() is None
    with np.load(out) as got:
        assert sorted(got.files) == ["class", "scores"]
        for name, want in in_process(arrays, threads).items():
            assert got[name].dtype == want.dtype
            np.testing.assert_array_equal(got[name], want)


@needs_cc
def test_labels_are_printed(pets: Path, tmp_path: Path) -> None:
    arrays = inputs(7)
    for name, array in arrays.items():
        np.save(tmp_path / f"{name}.npy", array)
    done = run(pets, "-i", f"x={tmp_path}/x.npy", "-i", f"kind={tmp_path}/kind.npy", "--print")
    assert done.returncode == 0
    lines = done.stdout.decode().splitlines()
    want = in_process(arrays)
    assert lines[0] == "scores float32 [7, 3]"
    printed = np.array([line.split() for line in lines[1:8]], dtype=np.float32)
    np.testing.assert_array_equal(printed, want["scores"])
    assert lines[8:] == ["class int64 [7]", *(LABELS[k] for k in want["class"])]


@needs_cc
def test_help_and_info(pets: Path) -> None:
    _, manifest = classifier()
    done = run(pets, "--info")
    assert done.returncode == 0
    told = json.loads(done.stdout)
    assert told.pop("missing") == []
    assert Manifest.model_validate(told) == manifest
    done = run(pets, "--help")
    assert done.returncode == 0
    assert b"kind  int64 [N]" in done.stdout
    assert b"target" not in done.stdout  # an input of other entries


@needs_cc
@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--bogus"], "--bogus is no option"),
        (["-i"], "needs a value"),
        (["-i", "y=x.npy"], "expected NAME=FILE.npy"),
        (["-i", "x=x.npy"], "input 'kind' is missing: -i kind=FILE.npy, int64 [N]"),
        (["-i", "x=x.npy", "-i", "x=x.npy"], "'x' is given twice"),
        (["-i", "x=-", "-i", "kind=-"], "only one input can come from standard input"),
        (["--threads", "0"], "expected a number from 1 to"),
        (["--threads", "1024", "--pin", "-i", "x=x.npy", "-i", "kind=k.npy", "-o", "o.npz"], "--pin: "),
        (["--threads", "2x"], "expected a number from 1 to"),
        (["-i", "x=none.npy", "-i", "kind=k.npy", "-o", "o.npz"], "none.npy: No such file"),
        (["-i", "x=x.npy", "-i", "kind=k.npy"], "where to?"),
        (["-i", "x=x.npy", "-i", "kind=k.npy", "-o", "o.npy"], "a .npy holds one array"),
        (["-i", "x=.", "-i", "kind=k.npy", "-o", "o.npz"], "it is empty"),
    ],
)
def test_wrong_usage(pets: Path, arguments: list[str], message: str) -> None:
    np.save(pets.parent / "x.npy", inputs(3)["x"])
    np.save(pets.parent / "k.npy", inputs(3)["kind"])
    done = run(pets, *arguments)
    assert done.returncode == 2
    assert message in done.stderr.decode()
    assert not list(pets.parent.glob("o.np*"))


@needs_cc
@pytest.mark.parametrize(
    ("x", "kind", "message"),
    [
        (
            np.zeros((3, 4), "f4"),
            np.zeros(3, "i8"),
            "axis 1 (5) should be 5, found 4: expected [N, 5], found [3, 4]",
        ),
        (np.zeros((3, 5), "f4"), np.zeros(4, "i8"), "axis 0 (N) should be 3, found 4"),
        (np.zeros((0, 5), "f4"), np.zeros(0, "i8"), "axis 0 (N) should be at least 1, found 0"),
        (np.zeros((101, 5), "f4"), np.zeros(101, "i8"), "axis 0 (N) should be at most 100, found 101"),
        (np.zeros(5, "f4"), np.zeros(3, "i8"), "expected 2 axes, [N, 5], found 1, [5]"),
        (np.zeros((3, 5), "f8"), np.zeros(3, "i8"), "expected dtype float32, found float64"),
        (np.zeros((3, 5), "i4"), np.zeros(3, "i8"), "expected dtype float32, found int32"),
        (np.zeros((3, 5), "f4"), np.zeros(3, "u8"), "expected dtype int64, found uint64"),
        (np.zeros((3, 5), ">f4"), np.zeros(3, "i8"), "save array.astype('<f4')"),
        (np.zeros((3, 5), "f4", order="F"), np.zeros(3, "i8"), "numpy.ascontiguousarray"),
        (np.zeros((3, 5), "c8"), np.zeros(3, "i8"), "its dtype is <c8; expected numbers"),
        (np.zeros((3, 5), [("a", "f4")]), np.zeros(3, "i8"), "not a plain dtype"),
        (np.zeros((3, 5), "f4"), np.array([0, 4, 0]), "an index in the data is out of range"),
    ],
)
def test_wrong_data(pets: Path, tmp_path: Path, x: np.ndarray, kind: np.ndarray, message: str) -> None:
    np.save(tmp_path / "x.npy", x)
    np.save(tmp_path / "kind.npy", kind)
    out = tmp_path / "out.npz"
    done = run(pets, "-i", f"x={tmp_path}/x.npy", "-i", f"kind={tmp_path}/kind.npy", "-o", str(out))
    assert done.returncode == 2
    assert message in done.stderr.decode()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["kind.npy", "x.npy"]


@needs_cc
def test_lossless_casts(pets: Path, tmp_path: Path) -> None:
    for dtype in ("bool", "int8", "uint8", "int16", "uint16"):
        x = (np.arange(20).reshape(4, 5) % 2 * 100).astype(dtype)
        np.save(tmp_path / "x.npy", x)
        for kind in ("bool", "int8", "uint8", "int16", "uint16", "int32", "uint32", "int64"):
            k = (np.arange(4) % 2).astype(kind)
            np.save(tmp_path / "kind.npy", k)
            out = tmp_path / "out.npz"
            done = run(pets, "-i", f"x={tmp_path}/x.npy", "-i", f"kind={tmp_path}/kind.npy", "-o", str(out))
            assert done.returncode == 0, done.stderr
            want = in_process({"x": x.astype(np.float32), "kind": k.astype(np.int64)})
            with np.load(out) as got:
                np.testing.assert_array_equal(got["scores"], want["scores"])


@needs_cc
def test_where_output_cannot_go(pets: Path, tmp_path: Path) -> None:
    for name, array in inputs(3).items():
        np.save(tmp_path / f"{name}.npy", array)
    given = ["-i", f"x={tmp_path}/x.npy", "-i", f"kind={tmp_path}/kind.npy", "-o"]
    done = run(pets, *given, str(tmp_path / "missing" / "out.npz"))
    assert done.returncode == 1
    assert b"cannot write" in done.stderr
    (tmp_path / "folder.npz").mkdir()
    done = run(pets, *given, str(tmp_path / "folder.npz"))
    assert done.returncode == 1
    assert sorted(path.name for path in tmp_path.iterdir()) == ["folder.npz", "kind.npy", "x.npy"]


@needs_cc
def test_pipes_and_npy_outputs(tmp_path: Path) -> None:
    program, manifest = doubler()
    path = tmp_path / "doubler"
    link_executable(program, manifest, {}, path, flags=STRICT)
    x = np.arange(2 * 500 * 3, dtype=np.int32).reshape(2, 500, 3)
    want = np.concatenate([2 * x.reshape(2, -1), np.full((2, 1), -1)], axis=1)
    stream = io.BytesIO()
    np.save(stream, x)
    done = run(path, data=stream.getvalue())
    assert done.returncode == 0, done.stderr
    np.testing.assert_array_equal(np.load(io.BytesIO(done.stdout)), want)
    np.save(tmp_path / "x.npy", x)
    with (tmp_path / "x.npy").open("rb") as file:
        done = subprocess.run([path, "-o", "y.npy"], stdin=file, cwd=tmp_path, capture_output=True)
    assert done.returncode == 0, done.stderr
    np.testing.assert_array_equal(np.load(tmp_path / "y.npy"), want)
    assert run(path, "-i", "x.npy", "-o", "y.npz").returncode == 0
    with np.load(tmp_path / "y.npz") as got:
        np.testing.assert_array_equal(got["y"], want)
    assert (tmp_path / "y.npz").stat().st_mode & 0o777 == 0o666 & ~_umask()
    for version in [(1, 0), (2, 0), (3, 0)]:
        with (tmp_path / "v.npy").open("wb") as file:
            np.lib.format.write_array(file, x, version=version)
        assert run(path, "-i", "x=v.npy", "-o", "y.npz").returncode == 0
    short = io.BytesIO()
    np.save(short, x[:, :1])
    done = run(path, data=short.getvalue())
    assert done.returncode == 2
    assert b"axis 1 (T) should be at least 2, found 1" in done.stderr
    assert done.stdout == b""
    done = run(path, data=stream.getvalue()[:-1])
    assert done.returncode == 2
    assert b"expected 3000 elements behind the header, found 2999" in done.stderr
    done = run(path, data=stream.getvalue() + b"x")
    assert done.returncode == 2
    assert b"found more" in done.stderr


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


@needs_cc
@pytest.mark.skipif(shutil.which("ldd") is None, reason="no ldd")
def test_executables_need_the_c_library_only(pets: Path) -> None:
    listed = subprocess.run(["ldd", pets], capture_output=True, text=True, check=True).stdout
    names = {re.split(r"\.so|\s", line.strip())[0].rsplit("/", 1)[-1] for line in listed.splitlines()}
    assert {name for name in names if not name.startswith(("ld-", "linux-"))} <= {"libc", "libm"}


@needs_cc
def test_executables_are_small(tmp_path: Path) -> None:
    program, manifest = classifier()
    link_executable(program, manifest, weights(), tmp_path / "pets")
    assert (tmp_path / "pets").stat().st_size < 60_000
