"""Sub-networks on every window: what windows share is computed once, and nothing else changes."""

from __future__ import annotations

from math import prod

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from netwright.compiler.graph.graph import Graph
from netwright.compiler.interpreter import evaluate
from netwright.compiler.passes.base import PassContext
from netwright.compiler.passes.dead_code import RemoveDeadCode
from netwright.compiler.passes.fold_constants import FoldConstants
from netwright.compiler.passes.windows.share_windows import ShareWindows
from netwright.compiler.pipeline import BEFORE_GRADIENTS
from netwright.compiler.scan_window_work import ScanWindowWork, scan_window_work
from netwright.specs.dims import evaluate as size_of

from ..frontend.helpers import codes, warnings
from .harness import drawn_weights, network, spec, values


def scan(window: str, stride: str, *layers: str) -> str:
    inside = "\n".join(f"      - {{name: l{i}, {one}}}" for i, one in enumerate(layers))
    return f"""
  - name: y
    type: scan_window
    window: {window}
    stride: {stride}
    layers:
{inside}
"""


def shared(text: str) -> tuple[Graph, Graph]:
    graph = RemoveDeadCode().run(network(text).graphs["predict"], PassContext())
    return graph, RemoveDeadCode().run(
        ShareWindows().run(FoldConstants().run(graph, PassContext()), PassContext()), PassContext()
    )


def check_same(text: str, x: np.ndarray) -> Graph:
    """Interpreted with and without sharing; gives the shared graph."""
    net = network(text)
    before, after = shared(text)
    arrays = {**drawn_weights(net), "x": x}
    used = {name: arrays[name] for name in before.inputs}
    dims = {"N": len(x), "T": x.shape[1]}
    expected = evaluate(before, used, dims)["y"]
    np.testing.assert_allclose(evaluate(after, used, dims)["y"], expected, rtol=1e-10, atol=1e-11)
    prepared = evaluate(BEFORE_GRADIENTS.run(net.graphs["predict"]), used, dims)["y"]
    np.testing.assert_allclose(prepared, expected, rtol=1e-10, atol=1e-11)
    return after


NETWORK = (
    "type: conv2d, filters: 3, kernel_size: 3, activation: relu",
    "type: max_pool2d, pool_size: 2, stride: 1, rounding: floor",
    "type: batch_norm",
    "type: conv2d, filters: 2, kernel_size: [2, 1], dilation: [2, 1], activation: tanh",
    "type: flatten",
    "type: dense, units: 4, activation: sigmoid",
    "type: dense, units: 2",
)


def test_a_convolutional_network_on_every_window_is_one_on_the_image() -> None:
    text = spec(scan("[7, 6]", "[1, 2]", *NETWORK), x="[N, 12, 13, 2]")
    x = np.random.default_rng(0).normal(size=(2, 12, 13, 2))
    after = check_same(text, x)
    ops = [node.op for node in after]
    assert "windows" not in ops
    assert (ops.count("conv"), ops.count("dot")) == (3, 1)
    values(text, drawn_weights(network(text)), x=x)


def test_multiplications_are_counted_with_and_without_sharing() -> None:
    text = spec(
        scan("8", "1", "type: conv1d, filters: 4, kernel_size: 3", "type: flatten", "type: dense, units: 2"),
        x="[N, T, 3]",
    ).replace("min: 4", "min: 8")
    (work,) = scan_window_work(network(text).graphs["predict"])
    assert work.scan == "y"
    for length in (8, 20):
        windows = length - 7
        dims = {"N": 2, "T": length}
        convolution, dense = 3 * 3 * 4, 6 * 4 * 2
        assert size_of(work.before, dims) == 2 * windows * (6 * convolution + dense)
        assert size_of(work.after, dims) == 2 * ((length - 2) * convolution + windows * dense)
    none = spec("[{name: y, type: dense, units: 2}]", x="[N, 3]")
    assert scan_window_work(network(none).graphs["predict"]) == ()


def test_recurrences_in_windows_count_all_their_steps() -> None:
    text = spec(
        scan("4", "2", "type: rnn, units: 2, return_sequences: false", "type: dense, units: 1"),
        x="[3, 10, 5]",
    )
    rows = 3 * 4
    work = rows * (4 * (5 * 2 + 2 * 2) + 2)
    assert scan_window_work(network(text).graphs["predict"]) == (ScanWindowWork("y", work, work),)


def test_windows_that_do_not_meet_stay_apart() -> None:
    """The convolution would go over cells that no window has."""
    text = spec(scan("4", "6", "type: conv1d, filters: 2, kernel_size: 3", "type: flatten"), x="[N, 16, 2]")
    _, after = shared(text)
    assert {node.op for node in after} >= {"windows"}
    check_same(text, np.random.default_rng(0).normal(size=(2, 16, 2)))


def test_padding_inside_windows_is_each_windows_own() -> None:
    layers = (
        "type: conv1d, filters: 2, kernel_size: 3, padding: same",
        "type: flatten",
        "type: dense, units: 2",
    )
    text = spec(scan("5", "1", *layers), x="[N, T, 2]").replace("min: 4", "min: 5")
    check_same(text, np.random.default_rng(0).normal(size=(2, 9, 2)))


@st.composite
def scans(draw: st.DrawFn) -> tuple[str, tuple[int, ...]]:
    rank = draw(st.integers(1, 2))
    window = [draw(st.integers(1, 7)) for _ in range(rank)]
    stride = [draw(st.integers(1, 4)) for _ in range(rank)]
    sizes = [one + draw(st.integers(0, 6)) for one in window]
    left, layers = list(window), []
    for _ in range(draw(st.integers(0, 3))):
        kernel = [draw(st.integers(1, min(3, size))) for size in left]
        step = [draw(st.integers(1, 3)) for _ in left]
        kind = draw(st.sampled_from(["conv", "max_pool", "mean_pool", "dense"]))
        if kind == "dense":
            layers.append("type: dense, units: 2, activation: relu")
            continue
        written = f"stride: {step}, {'kernel_size' if kind == 'conv' else 'pool_size'}: {kernel}"
        more = ", filters: 2, activation: tanh" if kind == "conv" else ", rounding: floor"
        layers.append(f"type: {kind}{rank}d, {written}{more}")
        left = [(size - one) // by + 1 for size, one, by in zip(left, kernel, step, strict=True)]
    layers += ["type: flatten", "type: dense, units: 2"]
    open_length = rank == 1 and draw(st.booleans())
    shape = "T" if open_length else ", ".join(map(str, sizes))
    text = spec(scan(str(window), str(stride), *layers), x=f"[N, {shape}, 2]")
    return text.replace("min: 4", f"min: {window[0]}"), tuple(sizes)


@given(scans())
def test_sharing_changes_no_value(case: tuple[str, tuple[int, ...]]) -> None:
    text, sizes = case
    x = np.random.default_rng(prod(sizes)).normal(size=(2, *sizes, 2))
    check_same(text, x)
    for work in scan_window_work(network(text).graphs["predict"]):
        dims = {"N": 1, "T": sizes[0]}
        assert size_of(work.before, dims) > 0


@pytest.mark.parametrize(
    ("window", "stride", "shape", "message"),
    [
        ("4", "3", "[N, 12, 2]", "the last 2 of 12 steps"),
        ("[4, 3]", "[3, 2]", "[N, 11, 6, 2]", "the last of 11 rows and the last of 6 columns"),
        ("4", "2", "[N, 12, 2]", None),
        ("4", "3", "[N, T, 2]", None),
    ],
)
def test_border_cells_that_no_window_has(window: str, stride: str, shape: str, message: str | None) -> None:
    text = spec(scan(window, stride, "type: flatten", "type: dense, units: 2"), x=shape)
    found = [one.message for one in warnings(text)]
    assert found == ([f"the stride drops border cells: no window covers {message}"] if message else [])


def test_a_scan_reads_one_signal() -> None:
    text = spec(
        "[{name: y, type: scan_window, window: 2, inputs: [x, x], layers: [{type: relu, name: r}]}]",
        x="[N, T, 2]",
    )
    assert codes(text) == ["NW0306"]
