"""Compiled kernels against the loop interpreter: right ones pass, wrong ones are found and named."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner

import netwright
from netwright.build import build, entry_graphs
from netwright.cli import main
from netwright.compiler.codegen.jit import kernel_objects
from netwright.compiler.codegen.llvm.modules import program_modules
from netwright.compiler.codegen.objects.compile import compile_object
from netwright.compiler.codegen.targets.target import Target, host_target
from netwright.compiler.codegen.verification import VerificationError, verify_kernels
from netwright.compiler.loop.interpreter.run import run_function
from netwright.compiler.loop.interpreter.sampling import sample
from netwright.compiler.loop.text.parsing import parse_function
from netwright.specs.load import load_spec_text

from ..forked import modules_forked
from .codegen_harness import single_kernel_program

SPEC = """
netwright: 1
model: checked
dims: {N: batch, T: time}
inputs: {x: {shape: [N, T, 3]}, ids: {shape: [N, T], dtype: int64}}
layers:
  - {name: table, type: embedding, input_dim: 5, output_dim: 3, inputs: [ids]}
  - {name: sum, type: add, inputs: [x, table]}
  - {name: conv, type: conv1d, filters: 5, kernel_size: 3, padding: same, activation: relu}
  - {name: pool, type: max_pool1d, pool_size: 2, padding: same}
  - {name: memory, type: gru, units: 4, return_sequences: false}
  - {name: head, type: dense, units: 3}
outputs: {y: head}
train:
  data: {train: none.npz}
  loss: {type: mse, output: y, target: t}
  optimizer: {type: adam}
"""
#: One kernel of `predict`, and few of the rest.
SMALL = """
netwright: 1
model: small
dims: {N: batch}
inputs: {x: {shape: [N, 3]}}
layers:
  - {name: head, type: dense, units: 3}
outputs: {y: head}
train:
  data: {train: none.npz}
  loss: {type: mse, output: y, target: t}
  optimizer: {type: sgd, learning_rate: 0.1}
"""
ADD = """
kernel add(N >= 1)
  read p0: float32[N, 5]
  write p1: float32[N, 5]
  parallel for i in 0 .. N:
    for j in 0 .. 5 step 8:
      let v = p0[i, j]{8, count 5 - j}
      p1[i, j]{count 5 - j} = add(v, 1.0:float32x8)
"""
SUM = """
kernel sum(N >= 1)
  read p0: int32[N]
  write p1: int32[1]
  parallel for one in 0 .. 1:
    let total = 0:int32
    for i in 0 .. N:
      total = add(total, p0[i])
    p1[0] = total
"""

SCATTER = """
kernel scatter(N >= 1)
  read p0: int64[N]
  read p1: float32[N]
  write p2: float32[N]
  parallel for one in 0 .. 1:
    for r in 0 .. N:
      p2[r] = 0.0:float32
    for i in 0 .. N:
      index row = p0[i] in 0 .. N else 1
      p2[row] = p1[i]
"""


def model(text: str = SPEC) -> netwright.Model:
    return netwright.Model(load_spec_text(text, "spec.yaml"))


@pytest.fixture
def forks() -> Iterator[None]:
    """Has code run in forks: the start of a process takes longer than what most tests run in it."""
    with modules_forked():
        yield


def test_all_kernels_of_a_network() -> None:
    """Windows, recurrence, lookups, gradients and updates; masked, vectorized, on several threads."""
    network = model().network
    made = build(network, entry_graphs(network, None), host_target())
    found = made.verify()
    assert found.kernels == len({*program_modules(made.lowered.program, host_target()).symbols})
    assert found.large == ()


def check(text: str, change: Callable[[str], str] = lambda code: code, kernel: str | None = None) -> None:
    """Verifies the kernel ``text`` with an object made from other LLVM IR, or from another kernel."""
    program = single_kernel_program(parse_function(text))
    target = host_target()
    compiled = program if kernel is None else single_kernel_program(parse_function(kernel))
    modules = program_modules(compiled, target)
    (name,) = program.kernels
    ((symbol, code),) = modules.kernels.items()
    altered = change(code)
    assert kernel is not None or change("") == "" or altered != code
    program = replace(program, layers={name: ("dense1",)})
    verify_kernels(program, {name: (symbol, compile_object(altered, target, None))}, target)


@pytest.mark.usefixtures("forks")
def test_a_right_kernel_passes() -> None:
    check(ADD)
    check(SUM)


@pytest.mark.usefixtures("forks")
@pytest.mark.parametrize(
    ("before", "after", "said"),
    [
        (
            "fadd",
            "fsub",
            r"kernel add \(layer dense1\): for N = 1 and 1 thread it differs .* of p1: element 0",
        ),
        (
            "i32 %tid to i64",
            "i32 0 to i64",
            "for N = . and 2 threads it differs|N = .. and 3 threads it differs",
        ),
    ],
)
def test_a_miscompiled_kernel_is_named(before: str, after: str, said: str) -> None:
    """Object code whose LLVM IR was altered is code that LLVM got wrong."""
    with pytest.raises(VerificationError, match=said):
        check(ADD, lambda code: code.replace(before, after))


@pytest.mark.usefixtures("forks")
def test_a_mask_that_was_lost_is_found() -> None:
    """Eight lanes where five exist: the guard around the buffer is overwritten."""
    whole = ADD.replace("{count 5 - j}", "").replace("{8, count 5 - j}", "{8}").replace("[N, 5]", "[N, 8]")
    with pytest.raises(
        VerificationError, match=r"writes outside of buffer p1|differs from the loop interpreter"
    ):
        check(ADD, kernel=whole.replace("0 .. 5 step", "0 .. 8 step"))


def test_code_that_ends_the_process() -> None:
    def trap(code: str) -> str:
        return (
            code.replace("entry:\n", "entry:\n  call void @llvm.trap()\n") + "\ndeclare void @llvm.trap()\n"
        )

    with pytest.raises(
        VerificationError, match=r"kernel add \(layer dense1\) ends the process: SIG|can't be run here"
    ):
        check(ADD, trap)


def test_code_for_another_computer() -> None:
    program = single_kernel_program(parse_function(ADD))
    with pytest.raises(VerificationError, match="aarch64-unknown-linux-gnu can't be run here"):
        verify_kernels(program, {}, Target("aarch64-unknown-linux-gnu", "generic"))


def test_a_large_kernel_is_run_in_part() -> None:
    """The same numbers where it was run, and the sum over all elements whole."""
    function = parse_function(ADD)
    dims = {"N": 100_000}
    chosen = sample(function, dims, Random(0))
    x = np.arange(500_000, dtype=np.float32).reshape(100_000, 5)
    y = np.full_like(x, np.nan)
    assert run_function(function, {"p0": x, "p1": y}, dims, iterations=chosen) == 0
    ran = ~np.isnan(y[:, 0])
    assert 1 <= ran.sum() <= 4
    np.testing.assert_array_equal(y[ran], x[ran] + 1)
    whole = sample(parse_function(SUM), {"N": 1000}, Random(0))
    total = np.zeros(1, np.int32)
    run_function(
        parse_function(SUM), {"p0": np.ones(1000, np.int32), "p1": total}, {"N": 1000}, iterations=whole
    )
    assert total[0] == 1000


def test_what_iterations_may_overwrite_is_run_whole() -> None:
    """An index from data may come up again: the last of equal ones counts, and none may be left out."""
    function = parse_function(SCATTER)
    dims = {"N": 4000}
    rows, values = np.zeros(4000, np.int64), np.arange(4000, dtype=np.float32)
    result = np.full(4000, np.nan, np.float32)
    buffers = {"p0": rows, "p1": values, "p2": result}
    assert run_function(function, buffers, dims, iterations=sample(function, dims, Random(0))) == 0
    np.testing.assert_array_equal(result, [3999.0, *[0.0] * 3999])


@pytest.mark.usefixtures("forks")
def test_nothing_is_written_where_a_kernel_is_wrong(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """By the command line: a message that names kernel and layer, another exit code than 0, and no file."""
    spec = tmp_path / "spec.yaml"
    spec.write_text(SMALL, encoding="utf-8")
    arguments = ["compile", str(spec), "--emit", "object", "-o", str(tmp_path / "out.o"), "--verify"]
    right = CliRunner().invoke(main, arguments)
    assert right.exit_code == 0, right.output
    assert re.search(r"verified (\d+) of \1 kernels\n", right.output)
    (tmp_path / "out.o").unlink()

    def wrong(*arguments: Any) -> Any:
        """Real objects, of which one was made from altered code."""
        objects = dict(kernel_objects(*arguments))
        program, target = arguments
        modules = program_modules(program, target)
        name = next(name for name, symbol in modules.symbols.items() if "fmul" in modules.kernels[symbol])
        symbol = modules.symbols[name]
        altered = modules.kernels[symbol].replace("fmul", "fsub")
        return {**objects, name: (symbol, compile_object(altered, target, None))}

    monkeypatch.setattr("netwright.build.kernel_objects", wrong)
    found = CliRunner().invoke(main, arguments)
    assert found.exit_code == 1
    assert "error: the machine code of kernel k" in found.output
    assert "(layer" in found.output
    assert not (tmp_path / "out.o").exists()
    with pytest.raises(VerificationError):
        model(SMALL).compile(verify=True)
    assert CliRunner().invoke(main, [*arguments[:3], "loop", *arguments[4:]]).exit_code == 2
