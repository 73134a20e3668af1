"""What code asks of a CPU: known for every name, and checked by executables, libraries and the process."""

from __future__ import annotations

import ctypes
import re
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest

import netwright
from netwright.compiler.codegen.families import family
from netwright.compiler.codegen.families.aarch64 import FEATURES as AARCH64
from netwright.compiler.codegen.families.x86 import FEATURES as X86
from netwright.compiler.codegen.files.aot import emit
from netwright.compiler.codegen.files.artifacts import link_executable
from netwright.compiler.codegen.jit import LinkedObjects
from netwright.compiler.codegen.library.link import link_library
from netwright.compiler.codegen.llvm.features import (
    attributes_of_all,
    baseline,
    has_feature,
    missing_here,
    required,
    write_missing,
)
from netwright.compiler.codegen.objects.compile import compile_object
from netwright.compiler.codegen.targets.target import Target, TargetError, header, host_target, named_target
from netwright.runtime.engines.shared import load_shared
from netwright.runtime.errors import ExecutionError
from netwright.specs.manifest import CPU_LACKS

from .artifact_model import classifier, weights

LINUX = "x86_64-unknown-linux-gnu"
ARM = "aarch64-unknown-linux-gnu"
on_x86 = pytest.mark.skipif(host_target().family.name != "x86_64", reason="not x86-64")
#: Instructions that not every x86-64 CPU has.
LATER = r"\bv\w+\s+.*%[xyz]mm|\b(shlx|sarx|shrx|mulx|andn|bzhi|tzcnt|lzcnt)\w*\s"
#: Instructions, and their registers, that not every ARMv7-A CPU has.
NEON = r"\b(vld1|vst1|vdup|vext)\b|\bv\w+\.(i|s8|u8|8)|\bv\w+\s.*\b(q\d+|d(1[6-9]|[23]\d))\b"
#: No CPU has what all of these have: the first was the last with its vendor's own instructions.
FOREIGN = ("bdver4", "diamondrapids", "sierraforest")


def foreign() -> str:
    return next(cpu for cpu in FOREIGN if missing_here(named_target(cpu)))


def test_what_cpus_have() -> None:
    assert required(named_target("generic", LINUX)) == ()
    assert required(named_target("nehalem", LINUX)) == ("ssse3", "sse4.1", "sse4.2", "popcnt")
    haswell = {*required(named_target("haswell", LINUX))}
    assert haswell >= {"avx", "avx2", "fma", "f16c", "bmi", "bmi2", "lzcnt", "movbe", "popcnt"}
    assert not any(name.startswith("avx512") for name in haswell)
    assert {"avx512f", "avx512fp16", "avxvnni"} <= {*required(named_target("sapphirerapids", LINUX))}
    assert {"xop", "fma4", "tbm"} <= {*required(named_target("bdver4", LINUX))}
    assert required(named_target("generic", ARM)) == ()
    assert required(named_target("cortex-a72", ARM)) == ("crc",)  # the Raspberry Pi 4 has it, and no more
    assert required(named_target("a64fx", ARM)) == ("crc", "lse", "fullfp16", "rdm", "complxnum", "sve")
    apple = {*required(named_target("apple-m1", ARM))}
    assert apple >= {"lse", "fullfp16", "dotprod", "rcpc", "fp16fml"}
    assert not apple & {"sve", "bf16", "i8mm"}
    assert "sve2" in required(named_target("neoverse-v2", ARM))


def test_what_arm_and_riscv_have() -> None:
    arm, riscv = "armv7-unknown-linux-musleabihf", "riscv64-unknown-linux-musl"
    assert required(named_target("generic", arm)) == ("neon",)
    assert required(named_target("cortex-a7", arm)) == ("neon", "vfp4", "hwdiv-arm")
    assert required(named_target("cortex-a53", arm)) == ("neon", "vfp4", "hwdiv-arm", "fp-armv8")
    assert required(named_target("generic", riscv)) == ()
    assert required(named_target("veyron-v1", riscv)) == ("zba", "zbb", "zbs")
    assert {"v", "zba", "zbb", "zvfh"} <= {*required(named_target("sifive-x280", riscv))}
    assert "zvfh" not in required(named_target("sifive-p670", riscv))
    assert has_feature(named_target("cortex-m4", "thumbv7em-none-unknown-eabi"), "dsp")


@on_x86
def test_a_virtual_machine_counts_by_what_it_has_not_by_its_name() -> None:
    host = host_target()
    named = {f"{sign}{name}" for name in X86 for sign in "+-"}
    assert len(named & {*host.features.split(",")}) == len(X86)  # LLVM asks the CPU about each
    masked = Target(host.triple, "sapphirerapids", "+sse2,+avx,+avx2,-avx512f,-avx512fp16")
    assert required(masked) == ("avx", "avx2")
    assert missing_here(host) == ()


@on_x86
@pytest.mark.skipif(shutil.which("cc") is None, reason="no C compiler")
def test_an_executable_says_what_the_cpu_lacks(tmp_path: Path) -> None:
    target = named_target(foreign())
    program, manifest = classifier()
    link_executable(program, manifest, weights(), tmp_path / "pets", target)
    (tmp_path / "x.npy").write_bytes(b"not read")
    command = [tmp_path / "pets", "-i", "x=x.npy", "-i", "kind=x.npy", "-o", "y.npz"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=60)
    assert done.returncode == 3
    said = re.match(r"pets: this CPU lacks ([\w. ]+), which this program was compiled to use", done.stderr)
    assert said is not None, done.stderr
    assert tuple(said[1].split()) == missing_here(target)
    done = subprocess.run(
        [tmp_path / "pets", "--info"], cwd=tmp_path, capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0


@on_x86
@pytest.mark.skipif(shutil.which("cc") is None, reason="no C compiler")
def test_a_library_returns_an_error_code(tmp_path: Path) -> None:
    target = named_target(foreign())
    program, manifest = classifier()
    manifest = manifest.model_copy(update={"features": list(required(target))})
    link_library(program, manifest, tmp_path / "pets.so", target=target, buffers=weights())
    library = ctypes.CDLL(str(tmp_path / "pets.so"))
    assert library.pets_predict_entry(None, 0, 1) == CPU_LACKS
    library.pets_missing.restype = library.pets_predict_plan.restype = ctypes.c_int64
    bits = library.pets_missing()
    names = required(target)
    assert tuple(name for i, name in enumerate(names) if bits >> i & 1) == missing_here(target)
    offsets = (ctypes.c_int64 * 1)()
    assert library.pets_predict_plan((ctypes.c_int64 * 1)(100), offsets) == 1216
    with pytest.raises(ExecutionError, match=f"use .*{missing_here(target)[0]}.* which this CPU lacks"):
        load_shared(tmp_path / "pets.so")


@on_x86
def test_the_process_refuses_code_that_it_cannot_run(tmp_path: Path) -> None:
    spec = tmp_path / "m.yaml"
    spec.write_text(
        "netwright: 1\nmodel: m\ndims: {N: batch}\ninputs: {x: {shape: [N, 4]}}\n"
        "layers: [{name: a, type: dense, units: 3}]\noutputs: {y: a}\n"
    )
    model = netwright.load(spec)
    with pytest.raises(TargetError, match=f"this CPU lacks .*{missing_here(named_target(foreign()))[0]}"):
        model.compile(cpu=foreign())
    assert model.compile(cpu="generic").predict(x=np.ones((1, 4), np.float32))["y"].shape == (1, 3)


@pytest.mark.skipif(not host_target().is_linux, reason="asks the kernel of Linux")
def test_aarch64_asks_the_kernel() -> None:
    """The bits of AT_HWCAP, compiled for this machine, whose own mean something else: each is compared with."""
    libc = ctypes.CDLL(None)
    libc.getauxval.restype, libc.getauxval.argtypes = ctypes.c_ulong, [ctypes.c_ulong]
    first, second = libc.getauxval(16), libc.getauxval(26)
    names = tuple(AARCH64)
    target = host_target()
    text = header(target) + attributes_of_all(target) + family("aarch64").ask("asked", names)
    linked = LinkedObjects([compile_object(text, target, None)], ["asked"], target)
    ask = ctypes.CFUNCTYPE(ctypes.c_int64)(linked["asked"])
    lacks = [not (first & here == here and second & more == more) for here, more in AARCH64.values()]
    assert [bool(ask() >> bit & 1) for bit in range(len(names))] == lacks
    assert ask() == ask()

    assert "getauxval" in write_missing("x", named_target("cortex-a72", ARM))
    assert "getauxval" not in write_missing("x", named_target("apple-m1", "arm64-apple-macosx11.0"))


@pytest.mark.parametrize(
    ("triple", "cpu", "later"),
    [(LINUX, "znver4", LATER), ("armv7-unknown-linux-musleabihf", "generic", NEON)],
)
def test_what_runs_before_the_check_runs_everywhere(triple: str, cpu: str, later: str) -> None:
    """The entry as callers see it, its plan, the question and the shares hold nothing that the baseline lacks."""
    program, manifest = classifier()
    assembly = emit(program, "asm", named_target(cpu, triple), manifest)
    parts = re.split(r'^"?([A-Za-z_][\w.]*)"?:', assembly, flags=re.MULTILINE)
    code = dict(zip(parts[1::2], parts[2::2], strict=True))
    before = ["pets_predict_entry", "pets_predict_plan", "pets_missing"]
    before += [f"netwright.{name}" for name in ("begin", "share", "shared", "end", "plan")]
    for name in before:
        assert not re.search(later, code[name]), name
    assert re.search(later, code["pets.dense"])
    assert baseline(named_target("znver4", LINUX)).cpu == "x86-64"
