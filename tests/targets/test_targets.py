"""A slice of what `python -m tests.targets` runs, programs with versions for several CPUs, and what is refused."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest

import netwright
from netwright.artifacts.files import Emit, Request, save
from netwright.compiler.codegen.files.platforms import PLATFORMS, chosen_target, chosen_targets
from netwright.compiler.codegen.llvm.features import required
from netwright.compiler.codegen.llvm.support import write_support
from netwright.compiler.codegen.targets.target import TargetError, host_target, machine
from netwright.compiler.interpreter import evaluate
from netwright.errors import RequestError

from ..slices import sliced
from .runners import lacking
from .suite import check_target

#: The targets that the whole suite runs, and how many networks each. AArch64 runs with Debian's C library, WebAssembly
#: in a browser, where there are these: the C libraries of musl, WASI and Windows take half a minute each to compile.
SLICE = {
    "native": 2,
    "aarch64-linux-gnu": 1,
    "aarch64-linux-musl": 1,
    "wasm32-wasi": 1,
    "wasm32-web": 2,
    "x86_64-windows-gnu": 1,
}
INSTEAD = {
    "aarch64-linux-musl": "aarch64-linux-gnu",
    "wasm32-wasi": "wasm32-web",
    "x86_64-windows-gnu": "native",
}
SMALL = (
    "netwright: 1\nmodel: small\ndims: {N: batch}\ninputs: {x: {shape: [N, 40]}}\n"
    "layers: [{name: a, type: dense, units: 33, activation: tanh}, {name: b, type: dense, units: 3}]\n"
    "outputs: {y: b}\n"
)
LINUX_ON_X86 = host_target().is_linux and host_target().family.name == "x86_64"


@pytest.mark.parametrize(
    "target", sliced(SLICE, lambda target: target not in INSTEAD or lacking(INSTEAD[target]) is not None)
)
def test_drawn_networks(target: str, tmp_path: Path) -> None:
    result = check_target(target, range(SLICE[target]), 0, tmp_path)
    if result.skipped:
        pytest.skip(result.skipped)
    assert result.failed == {}
    assert result.counts["agree"] > 0


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> netwright.Model:
    spec = tmp_path_factory.mktemp("small") / "small.yaml"
    spec.write_text(SMALL)
    return netwright.load(spec)


@pytest.fixture(scope="module")
def weights(small: netwright.Model) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(0)
    return {
        name: rng.normal(size=parameter.type.shape).astype(np.float32)  # pyright: ignore
        for name, parameter in small.network.parameters.items()
    }


@pytest.mark.skipif(not LINUX_ON_X86, reason="programs for x86-64 with Linux run there")
@pytest.mark.skipif(lacking("native") is not None, reason="no C compiler")
def test_a_program_chooses_the_version_for_its_cpu(
    small: netwright.Model, weights: dict[str, np.ndarray], tmp_path: Path
) -> None:
    program, x = tmp_path / "small", np.random.default_rng(1).normal(size=(5, 40)).astype(np.float32)
    np.save(tmp_path / "x.npy", x)
    save(small.load, small.network, weights, program, Request(cpu="x86-64-v2,v3,v4"))
    wanted = evaluate(small.network.graphs["predict"], {"x": x, **weights}, {"N": 5})["y"]

    def run(*emulator: str) -> subprocess.CompletedProcess[str]:
        command = [*emulator, program, "-i", f"x={tmp_path / 'x.npy'}", "-o", str(tmp_path / "y.npy")]
        return subprocess.run(command, capture_output=True, text=True, timeout=60)

    # The real CPU first, then what qemu makes of old ones: a version without AVX, one with it, and none at all.
    cpus = [()] + [
        ("qemu-x86_64", "-cpu", cpu) for cpu in ("Nehalem", "Haswell") if shutil.which("qemu-x86_64")
    ]
    for emulator in cpus:
        (tmp_path / "y.npy").unlink(missing_ok=True)
        done = run(*emulator)
        assert done.returncode == 0, done.stderr
        np.testing.assert_allclose(np.load(tmp_path / "y.npy"), wanted, atol=1e-4)
    if shutil.which("qemu-x86_64"):
        done = run("qemu-x86_64", "-cpu", "core2duo")
        assert done.returncode == 3
        assert re.match(r"small: this CPU lacks .*sse4\.2", done.stderr)


@pytest.mark.deep  # the C libraries of both take half a minute each to compile
@pytest.mark.parametrize(
    ("target", "cpu", "emulated", "lacks"),
    [
        ("armv7-linux-musleabihf", "cortex-a7", {"qemu-arm": ("cortex-a7", "cortex-a8")}, "vfp4 hwdiv-arm"),
        (
            *("armv7-linux-musleabihf", None, {"qemu-arm": ("cortex-a9", "cortex-a9,neon=off")}),
            "lacks neon, which all programs for this target use",
        ),
        (
            "aarch64-linux-musl",
            "neoverse-n1",
            {"qemu-aarch64": ("neoverse-n1", "cortex-a53")},
            "rcpc dotprod",
        ),
        ("riscv64-linux-musl", "veyron-v1", {"qemu-riscv64": (None, "sifive-u54")}, "zba zbb zbs"),
    ],
)
def test_a_cpu_that_lacks_something_is_told(
    small: netwright.Model,
    weights: dict[str, np.ndarray],
    tmp_path: Path,
    target: str,
    cpu: str | None,
    emulated: dict[str, tuple[str | None, str]],
    lacks: str,
) -> None:
    """The kernel tells ARM's features, but here no kernel tells RISC-V's."""
    if reason := lacking(target):
        pytest.skip(reason)
    program, x = tmp_path / "small", np.ones((5, 40), np.float32)
    np.save(tmp_path / "x.npy", x)
    save(small.load, small.network, weights, program, Request(cpu=cpu, target=target, selftest_bytes=0))
    ((emulator, (able, old)),) = emulated.items()
    command = [program, "-i", f"x={tmp_path / 'x.npy'}", "-o", str(tmp_path / "y.npy")]
    done = subprocess.run([emulator, "-cpu", old, *command], capture_output=True, text=True, timeout=60)
    assert (done.returncode, lacks in done.stderr) == (3, True), done.stderr
    assert not (tmp_path / "y.npy").exists()
    if able is not None:
        subprocess.run([emulator, "-cpu", able, *command], check=True, timeout=60)
        wanted = evaluate(small.network.graphs["predict"], {"x": x, **weights}, {"N": 5})["y"]
        np.testing.assert_allclose(np.load(tmp_path / "y.npy"), wanted, atol=1e-4)


def test_the_best_version_comes_first() -> None:
    chosen = chosen_targets("x86_64-linux-musl", "x86-64-v2,v4,v3")
    assert [target.cpu for target in chosen] == ["x86-64-v4", "x86-64-v3", "x86-64-v2"]
    assert {*required(chosen[2])} < {*required(chosen[1])} < {*required(chosen[0])}


@pytest.mark.parametrize(
    ("platform", "cpu", "said"),
    [
        ("wasm32-wasi", "generic,bleeding-edge", "can't ask for their CPU"),
        (None, "x86-64-v3,cortex-a72", "not of one system"),
        ("aarch64-linux-gnu", "haswell", "no CPU 'haswell' for aarch64"),
        ("wasm32-wasi", "native", "native is this computer's CPU"),
        ("aarch64-linux", None, "did you mean aarch64-"),
    ],
)
def test_what_there_is_no_program_for(platform: str | None, cpu: str | None, said: str) -> None:
    with pytest.raises(TargetError, match=said):
        chosen_targets(platform, cpu)


def test_versions_are_of_programs_that_predict(small: netwright.Model, tmp_path: Path) -> None:
    for kind in ("object", "llvm"):
        with pytest.raises(RequestError, match="name one CPU"):
            save(small.load, small.network, None, tmp_path / "x", Request(kind, "x86-64-v2,v3"))
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("target", "kind", "instead"),
    [
        ("thumbv7em-none-eabi", "exe", "--emit static"),
        ("wasm32-web", "shared", "--emit exe"),
        ("wasm32-wasi", "shared", "--emit static"),
        ("x86_64-windows-gnu", "object", "--emit static"),
    ],
)
def test_kinds_that_a_target_does_not_have(
    small: netwright.Model,
    weights: dict[str, np.ndarray],
    tmp_path: Path,
    target: str,
    kind: Emit,
    instead: str,
) -> None:
    with pytest.raises(RequestError, match=instead):
        save(small.load, small.network, weights, tmp_path / "x", Request(kind, target=target))
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("request_", "said"),
    [
        (Request(entries=("train_step",), target="x86_64-windows-gnu"), "made for Linux and macOS"),
        (Request(entries=("train_step",), target="wasm32-web"), "made for Linux and macOS"),
        (Request(entries=("train_step",), cpu="x86-64-v2,v3"), "name one CPU"),
        (Request(entries=("predict", "train_step")), "runs one entry"),
    ],
)
def test_where_no_program_trains(
    small: netwright.Model, tmp_path: Path, request_: Request, said: str
) -> None:
    with pytest.raises(RequestError, match=said):
        save(small.load, small.network, None, tmp_path / "x", request_)
    assert not list(tmp_path.iterdir())


def test_a_module_is_not_called_as_its_script(
    small: netwright.Model, weights: dict[str, np.ndarray], tmp_path: Path
) -> None:
    with pytest.raises(RequestError, match="choose another name"):
        save(small.load, small.network, weights, tmp_path / "x.js", Request(target="wasm32-web"))


def test_llvm_knows_every_target() -> None:
    """And sizes are 64-bit numbers on all, while pointers have the target's size."""
    for platform in PLATFORMS:
        target = chosen_target(platform.name, None)
        assert machine(target).triple == platform.triple
        support = write_support(target)
        assert "define i64 @netwright.plan(i64 %count" in support
        assert ("2305843009213693952" in support) == target.is_64_bit, platform.name


def test_without_threads_there_is_nothing_to_wait_for() -> None:
    for name in ("wasm32-web", "thumbv7em-none-eabi", "x86_64-windows-gnu"):
        support = write_support(chosen_target(name, None))
        assert "atomic" not in support, name
        assert "declare i32 @clock_gettime" not in support
