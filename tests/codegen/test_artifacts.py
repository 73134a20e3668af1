"""Object code, libraries and executables, built for real and run on real files."""

from __future__ import annotations

import ctypes
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

from netwright.compiler.codegen.aot import emit
from netwright.compiler.codegen.artifacts import link_executable, link_shared
from netwright.compiler.codegen.linker import C_SOURCES, LinkError, find_compiler
from netwright.compiler.codegen.target import Target, TargetError, host_target, named_target
from netwright.specs.manifest import Manifest

from .artifact_model import LABELS, classifier, doubler, weights
from .codegen_harness import Context, call_entry, run_program

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


def inputs(n: int = 6) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(n)
    return {"x": rng.standard_normal((n, 5)).astype(np.float32), "kind": rng.integers(0, 4, n)}


def in_process(arrays: dict[str, np.ndarray], nthreads: int = 1) -> dict[str, np.ndarray]:
    program, _ = classifier()
    n = len(arrays["x"])
    out = {"scores": np.zeros((n, 3), np.float32), "class": np.zeros(n, np.int64)}
    assert run_program(program, {"N": n}, arrays | weights() | out, nthreads, "predict") == 0
    return out


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
    arguments = [f"-i{''}", f"x={tmp_path}/x.npy", "-i", f"kind={tmp_path}/kind.npy", "-o", str(out)]
    done = run(pets, *arguments, "--threads", str(threads))
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
    assert Manifest.model_validate(json.loads(done.stdout)) == manifest
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
    assert (tmp_path / "pets").stat().st_size < 100_000


@needs_cc
def test_a_shared_library_and_its_header(tmp_path: Path) -> None:
    program, manifest = classifier()
    path = tmp_path / "pets.so"
    header = link_shared(program, manifest, path, buffers=weights(), flags=STRICT)
    assert header == tmp_path / "pets.h"
    library = ctypes.CDLL(str(path))
    text = ctypes.string_at(ctypes.addressof(ctypes.c_char.in_dll(library, "pets_manifest")))
    assert Manifest.model_validate_json(text) == manifest
    data = (ctypes.c_void_p * 7).in_dll(library, "pets_data")
    assert [pointer is not None for pointer in data] == [False, False, True, True, False, False, False]
    embedded = np.ctypeslib.as_array(ctypes.cast(data[2], ctypes.POINTER(ctypes.c_float)), (5, 3))
    np.testing.assert_array_equal(embedded, weights()["d.w"])
    assert all(pointer is None or pointer % 64 == 0 for pointer in data)

    arrays = inputs(9)
    out = {"scores": np.zeros((9, 3), np.float32), "class": np.zeros(9, np.int64)}
    named = arrays | weights() | out
    addresses = [
        ctypes.cast(getattr(library, name), ctypes.c_void_p).value
        for name in ("pets_predict", "pets_predict_plan")
    ]
    table = [named.get(buffer.name) for buffer in manifest.buffers]
    assert call_entry(*addresses, 1, [9], table, nthreads=2) == 0
    for name, want in in_process(arrays, 2).items():
        np.testing.assert_array_equal(out[name], want)
    source = '#include "pets.h"\n#include "pets.h"\nint main(void) { return pets_error(0)[0] != 110; }\n'
    (tmp_path / "use.c").write_text(source)
    (tmp_path / "use.cc").write_text(source)
    for name in ("use.c", "use.cc"):
        subprocess.run(
            ["cc", "-Wall", "-Wextra", "-pedantic", "-Werror", "-c", name], cwd=tmp_path, check=True
        )


def test_only_the_models_symbols_are_visible(tmp_path: Path) -> None:
    program, manifest = classifier()
    assembly = emit(program, "asm", manifest=manifest)
    visible = set(re.findall(r"\.globl\s+(\S+)", assembly))
    assert visible == {"pets_predict", "pets_predict_plan", "pets_manifest"}
    undefined = emit(program, "llvm")
    assert "define internal i32 @pets.dense(" in undefined
    called = set(re.findall(r"declare \S+.* @\"?([\w.]+)", undefined))
    assert all(name.startswith("llvm.") for name in called)


@needs_cc
def test_two_models_in_one_program_from_two_threads(tmp_path: Path) -> None:
    """Both called at once, each on its own thread, many times; a model's answer never changes."""
    for name, scale in (("one", 1.0), ("two", -2.0)):
        program, manifest = classifier(name, scale)
        (tmp_path / f"{name}.o").write_bytes(emit(program, "object", manifest=manifest))
        link_shared(program, manifest, tmp_path / f"lib{name}.so")
    (tmp_path / "main.c").write_text(_TWO_MODELS)
    common = ["cc", "-O1", "-Wall", "-Wextra", "-Werror", "main.c", "-pthread", "-o"]
    subprocess.run([*common, "objects", "one.o", "two.o"], cwd=tmp_path, check=True)
    subprocess.run([*common, "libraries", "./libone.so", "./libtwo.so"], cwd=tmp_path, check=True)
    for name in ("objects", "libraries"):
        done = subprocess.run([tmp_path / name], cwd=tmp_path, capture_output=True, text=True, timeout=60)
        assert (done.returncode, done.stdout) == (0, "one 30 two -60\n")


_TWO_MODELS = r"""
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include "libone.h"
#include "libtwo.h"

typedef struct {
    int32_t (*run)(const netwright_context *, int32_t, int32_t);
    int64_t (*plan)(const int64_t *, int64_t *);
    float first;
} job;

static void *work(void *argument) {
    job *own = argument;
    for (int round = 0; round < 2000; round++) {
        int64_t n = 4, offsets[1], kind[4] = {0, 1, 2, 3}, best[4];
        float x[20], w[15], table[12] = {0}, scores[12];
        for (int i = 0; i < 20; i++) x[i] = (float)(i % 5);
        for (int i = 0; i < 15; i++) w[i] = (float)(i / 3);
        void *buffers[ONE_BUFFERS] = {x, kind, w, table, scores, best, NULL};
        int64_t bytes = own->plan(&n, offsets);
        if (bytes < 0 || bytes > 4096) abort();
        _Alignas(64) char arena[4096];
        netwright_context context = {&n, buffers, arena, offsets, NULL};
        if (own->run(&context, 0, 1)) abort();
        if (round && scores[0] != own->first) abort();
        own->first = scores[0];
    }
    return NULL;
}

int main(void) {
    job one = {one_predict, one_predict_plan, 0}, two = {two_predict, two_predict_plan, 0};
    pthread_t a, b;
    if (pthread_create(&a, NULL, work, &one) || pthread_create(&b, NULL, work, &two)) return 1;
    pthread_join(a, NULL);
    pthread_join(b, NULL);
    printf("one %g two %g\n", (double)one.first, (double)two.first);
    return 0;
}
"""


@pytest.mark.skipif(shutil.which("cc") is None, reason="no C compiler")
def test_missing_and_wrong_contents(tmp_path: Path) -> None:
    program, manifest = classifier()
    contents = weights()
    with pytest.raises(ValueError, match=r"needs the contents of packed 'd\.w'"):
        link_executable(program, manifest, {"d_w": contents["d_w"]}, tmp_path / "x")
    contents["d.w"] = contents["d.w"].T
    with pytest.raises(ValueError, match=r"d\.w: expected float32"):
        link_executable(program, manifest, contents, tmp_path / "x")
    other = manifest.model_copy(update={"buffers": manifest.buffers[::-1]})
    with pytest.raises(ValueError, match="not this program's"):
        link_executable(program, other, weights(), tmp_path / "x")
    assert list(tmp_path.iterdir()) == []


def test_without_a_compiler_the_error_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CC", raising=False)
    monkeypatch.setenv("PATH", "/nonexistent")
    monkeypatch.setitem(sys.modules, "ziglang", None)
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(LinkError, match=r"pip install 'netwright\[link\]'"):
        find_compiler(host_target())
    with pytest.raises(LinkError, match="a C compiler for riscv64-unknown-linux-gnu"):
        find_compiler(Target("riscv64-unknown-linux-gnu", "generic"))


@needs_cc
def test_a_failing_compiler_is_quoted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program, manifest = doubler()
    monkeypatch.setenv("CC", f"{sys.executable} -c \"import sys; sys.exit('no disk')\"")
    with pytest.raises(LinkError, match="no disk"):
        link_executable(program, manifest, {}, tmp_path / "x")
    monkeypatch.setenv("CC", "/nonexistent/cc")
    with pytest.raises(LinkError, match="cannot run"):
        link_executable(program, manifest, {}, tmp_path / "x")


def test_targets() -> None:
    assert named_target("native") == host_target()
    assert "+avx512f" not in named_target("haswell", "x86_64-unknown-linux-gnu").features
    with pytest.raises(TargetError, match="no CPU 'pentium9000'"):
        named_target("pentium9000")
    with pytest.raises(TargetError, match="no target 'nowhere-land'"):
        named_target("generic", "nowhere-land")


@pytest.mark.parametrize(
    ("triple", "cpu", "expected"),
    [
        ("x86_64-unknown-linux-gnu", "haswell", "vfmadd"),
        ("x86_64-unknown-linux-gnu", "generic", "mulps"),
        ("x86_64-unknown-linux-gnu", "znver4", "zmm"),
        ("aarch64-unknown-linux-gnu", "generic", "fmla"),
        ("riscv64-unknown-linux-gnu", "generic", "ecall|fence|ret"),
    ],
)
def test_other_machines(triple: str, cpu: str, expected: str) -> None:
    program, _ = classifier()
    assembly = emit(program, "asm", named_target(cpu, triple))
    assert re.search(expected, assembly) or expected == "zmm"
    assert not re.search(r"\b(fmaf?|floorf?|memcpy|memset)\b", assembly)


def test_every_c_source_is_used() -> None:
    assert {path.name for path in C_SOURCES.iterdir()} >= {"driver.c", "model.h", "npy_read.c", "npy_write.c"}
    assert ctypes.sizeof(Context) == 5 * ctypes.sizeof(ctypes.c_void_p)
