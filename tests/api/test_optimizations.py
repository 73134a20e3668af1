"""What the compiler is said to make of a network is what it makes of it."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import Result

from netwright.build import build, entry_graphs
from netwright.compiler.codegen.targets.target import named_target
from netwright.compiler.loop import ir
from netwright.inspection.optimizations import optimizations
from netwright.model import Model, load
from netwright.specs.dims import parse_dim
from netwright.specs.load import load_spec_text

EXAMPLES = Path(__file__).parents[2] / "examples"
LENET, SUNSPOTS = EXAMPLES / "lenet" / "lenet.yaml", EXAMPLES / "sunspots" / "sunspots.yaml"
SCANNER = """\
netwright: 1
model: scanner
dims: {N: batch, T: {role: time, min: 32}}
inputs: {x: {shape: [N, T, 4]}}
layers:
  - name: scan
    type: scan_window
    window: 32
    combine: max
    layers:
      - {name: f, type: flatten}
      - {name: h, type: dense, units: 16, activation: relu}
      - {name: o, type: dense, units: 1}
outputs: {y: scan}
"""


def calls(body: tuple[ir.Stmt, ...]) -> int:
    return sum(
        1 if isinstance(one, ir.Call) else calls(one.body) if isinstance(one, ir.For) else 0 for one in body
    )


@pytest.mark.parametrize("path", [LENET, SUNSPOTS], ids=lambda path: path.stem)
@pytest.mark.parametrize("entry", ["predict", "train_step"])
def test_the_kernels_are_those_of_the_program(path: Path, entry: str) -> None:
    model = load(path)
    program = build(
        model.network, entry_graphs(model.network, [entry]), named_target("native")
    ).lowered.program
    found = optimizations(model, entry)
    # A program also copies: where a recurrence starts, and what is updated in place.
    assert 0 < len(found.kernels) <= calls(program.entries[entry].function.body)
    assert f"{len(found.kernels)} kernels, in order:" in found.to_text()


def test_a_convolution_takes_its_pool_along() -> None:
    found = optimizations(load(LENET))
    kernel = next(one for one in found.kernels if "conv1" in one.layers and len(one.operations) > 1)
    assert kernel.layers == ("conv1", "pool1")
    assert {"conv", "reduce_window"} <= set(kernel.operations)
    assert kernel.saved == parse_dim("28224*N")


def test_what_was_not_fused_says_why_and_what_it_costs() -> None:
    found = optimizations(load(LENET))
    by_layer = {one.layer: one for one in found.unfused}
    assert by_layer["fc1"].rule == "a product reads each element of its operands many times"
    assert by_layer["fc1"].saved == parse_dim("3200*N")  # 400 floats, written and read again
    assert (
        "  fc1: dot: a product reads each element of its operands many times (3,200·N bytes)"
        in found.to_text()
    )
    overlapping = """\
netwright: 1
model: overlapping
dims: {N: batch}
inputs: {x: {shape: [N, 8, 8, 4]}}
layers:
  - {name: c, type: conv2d, filters: 32, kernel_size: 3}
  - {name: p, type: max_pool2d, pool_size: 3, stride: 1}
outputs: {y: p}
"""
    (one,) = optimizations(Model(load_spec_text(overlapping, "s.yaml"))).unfused
    assert (one.layer, one.operation, one.rule) == (
        "p",
        "reduce_window",
        "overlapping windows would compute cells again",
    )


def test_recurrences_have_kernels_for_each_step() -> None:
    found = optimizations(load(SUNSPOTS))
    assert "hoist_scan_inputs" in [change.name for change in found.changes]
    inside = [kernel for kernel in found.kernels if kernel.loop == "memory"]
    assert any("3 sigmoid" in kernel.operations for kernel in inside)
    assert str(inside[0]).startswith("each step of memory: ")


def test_scans_share_their_work() -> None:
    found = optimizations(Model(load_spec_text(SCANNER, "s.yaml")))
    assert "share_windows" in [change.name for change in found.changes]
    assert any("conv" in kernel.operations for kernel in found.kernels)
    assert not any("windows" in operation for kernel in found.kernels for operation in kernel.operations)
    (scan,) = found.scans
    assert ("the windows of scan share their work" in found.to_text()) == (scan.before != scan.after)


def test_command(cli: Callable[..., Result]) -> None:
    assert "conv1, pool1: conv · reduce_window · add · max" in cli("explain", LENET).stdout
    found = json.loads(cli("explain", SUNSPOTS, "--entry", "train_step", "--format", "json").stdout)
    assert found["entry"] == "train_step"
    assert found["operations"]["before"] > 100
    how = [(loop["layer"], loop["operation"], loop["algorithm"]) for loop in found["loops"]]
    assert how == [("memory", "loop", "threads divide the samples")] * 2
    assert cli("explain", LENET.parent / "none.yaml").exit_code == 1
    assert cli("explain", SUNSPOTS, "--set", "layers.memory.units=0").exit_code == 1


def test_loops_that_threads_do_not_divide_say_why(cli: Callable[..., Result]) -> None:
    speech = EXAMPLES / "speech" / "speech.yaml"
    section = cli("explain", speech, "--entry", "train_step").stdout.partition("Loops over steps")[2]
    assert (
        "memory: loop: threads divide the samples: each is computed by itself, as every other one" in section
    )
    assert "threads meet in each step: pad: not shown to compute samples along N by themselves" in section
