"""Object code and shared libraries: their symbols, headers and targets; two models in one program."""

from __future__ import annotations

import ctypes
import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from netwright.compiler.codegen.files.aot import emit
from netwright.compiler.codegen.files.artifacts import link_executable
from netwright.compiler.codegen.files.linker import C_SOURCES, LinkError, find_compiler
from netwright.compiler.codegen.library.link import link_library
from netwright.compiler.codegen.targets.machines import describe
from netwright.compiler.codegen.targets.target import Target, TargetError, host_target, named_target
from netwright.runtime.engines.shared import load_shared
from netwright.specs.manifest import BAD_NUMBERS, Manifest

from .artifact_model import classifier, doubler, in_process, inputs, weights
from .codegen_harness import Context, call_entry

STRICT = ["-Werror", "-Wshadow", "-Wconversion"]

needs_cc = pytest.mark.skipif(shutil.which("cc") is None, reason="no C compiler")

#: Bytes of a vector register.
WIDTHS = {
    "haswell": 32,
    "skylake": 32,
    "znver3": 32,
    "x86-64": 16,
    "x86-64-v2": 16,
    "x86-64-v3": 32,
    "x86-64-v4": 64,
    "apple-m1": 16,
    "cortex-a72": 16,
}


@needs_cc
def test_a_shared_library_and_its_header(tmp_path: Path) -> None:
    program, manifest = classifier()
    path = tmp_path / "pets.so"
    header = link_library(program, manifest, path, buffers=weights(), flags=STRICT)
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
        for name in ("pets_predict_entry", "pets_predict_plan")
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
    pool = {"pets_pool_run", "pets_pool_stop", "pets_pool_forked", "pets_pool_pin"}
    assert visible == {"pets_predict_entry", "pets_predict_plan", "pets_missing", "pets_manifest", *pool}
    undefined = emit(program, "llvm")
    assert "define internal i32 @pets.dense(" in undefined
    called = set(re.findall(r"declare \S+.* @\"?([\w.]+)", undefined))
    threads = {"pthread_create", "pthread_join", "pthread_sigmask", "sigfillset", "syscall", "clock_gettime"}
    threads |= {"sched_getcpu", "sched_getaffinity", "sched_setaffinity"}
    threads |= {"pthread_getaffinity_np", "pthread_setaffinity_np"}
    assert {name for name in called if not name.startswith("llvm.")} == threads


@needs_cc
def test_two_models_in_one_program_from_two_threads(tmp_path: Path) -> None:
    """Both called at once, each on its own thread, many times; a model's answer never changes."""
    for name, scale in (("one", 1.0), ("two", -2.0)):
        program, manifest = classifier(name, scale)
        (tmp_path / f"{name}.o").write_bytes(emit(program, "object", manifest=manifest))
        link_library(program, manifest, tmp_path / f"lib{name}.so")
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
    job one = {one_predict_entry, one_predict_plan, 0}, two = {two_predict_entry, two_predict_plan, 0};
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


def test_a_name_alone_is_enough() -> None:
    """Each CPU is looked for in its own family, and gets vectors of its own width, whatever the dtype."""
    found = {cpu: named_target(cpu) for cpu in WIDTHS}
    machines = {cpu: describe(target) for cpu, target in found.items()}
    assert {cpu: machine.vector_bytes for cpu, machine in machines.items()} == WIDTHS
    assert all(machine.lanes("float64") * 8 == machine.vector_bytes for machine in machines.values())
    assert found["apple-m1"].triple.startswith("arm64-apple-macos")
    assert found["cortex-a72"].triple == "aarch64-unknown-linux-gnu"
    assert {cpu for cpu, machine in machines.items() if machine.gather} >= {"skylake", "x86-64-v4"}
    with pytest.raises(TargetError, match=r"no CPU 'haswel'; did you mean haswell\?"):
        named_target("haswel")
    with pytest.raises(TargetError, match=r"no CPU 'cortexa72'; did you mean cortex-a72, "):
        named_target("cortexa72")
    with pytest.raises(TargetError, match=r"for aarch64-unknown-linux-gnu; native is this computer"):
        named_target("foo", "aarch64-unknown-linux-gnu")


def test_programs_for_other_systems_are_not_linked(tmp_path: Path) -> None:
    program, manifest = classifier()
    with pytest.raises(LinkError, match="such a computer only; here --emit object, asm and llvm"):
        link_executable(program, manifest, weights(), tmp_path / "x", named_target("apple-m1"))
    code = emit(program, "object", named_target("apple-m1"), manifest)
    assert code[:4] == b"\xcf\xfa\xed\xfe"  # Mach-O
    assert emit(program, "object", named_target("cortex-a72"), manifest)[:4] == b"\x7fELF"


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


@needs_cc
def test_the_runtime_loads_a_library(tmp_path: Path) -> None:
    program, manifest = classifier()
    link_library(program, manifest, tmp_path / "pets.so", buffers=weights())
    engine = load_shared(tmp_path / "pets.so", threads=2)
    assert engine.manifest == manifest
    arrays = inputs(8)
    out = {"scores": np.zeros((8, 3), np.float32), "class": np.zeros(8, np.int64)}
    engine.run("predict", {"N": 8}, {**arrays, **engine.embedded, **out})
    for name, want in in_process(arrays, 2).items():
        np.testing.assert_array_equal(out[name], want)


def test_linking_with_ziglang_where_there_is_no_compiler(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("ziglang", reason="ziglang is not installed (extra: link)")
    monkeypatch.delenv("CC", raising=False)
    monkeypatch.setenv("PATH", "/nonexistent")
    assert find_compiler(host_target())[1:] == ["-m", "ziglang", "cc"]
    program, manifest = classifier()
    path = tmp_path / "pets"
    link_executable(program, manifest, weights(), path)
    arrays = inputs(6)
    for name, array in arrays.items():
        np.save(tmp_path / f"{name}.npy", array)
    command = [path, "-i", "x=x.npy", "-i", "kind=kind.npy", "-o", "out.npz"]
    subprocess.run(command, cwd=tmp_path, check=True, timeout=60)
    with np.load(tmp_path / "out.npz") as got:
        for name, want in in_process(arrays).items():
            np.testing.assert_array_equal(got[name], want)


@needs_cc
def test_a_dim_that_is_no_multiple_is_an_error_code(tmp_path: Path) -> None:
    program, manifest = doubler()
    dims = [manifest.dims[0], manifest.dims[1].model_copy(update={"min": 1, "multiple_of": 4})]
    link_library(program, manifest.model_copy(update={"dims": dims}), tmp_path / "d.so")
    library = ctypes.CDLL(str(tmp_path / "d.so"))
    x, y = np.ones((1, 8, 3), np.int32), np.zeros((1, 25), np.int32)
    pointers = (ctypes.c_void_p * 2)(x.ctypes.data, y.ctypes.data)
    for steps, code in ((8, 0), (4, 0), (6, BAD_NUMBERS), (0, BAD_NUMBERS)):
        sizes = (ctypes.c_int64 * 2)(1, steps)
        context = Context(ctypes.addressof(sizes), ctypes.addressof(pointers), None, None, None)
        assert library.doubler_predict_entry(ctypes.byref(context), 0, 1) == code
