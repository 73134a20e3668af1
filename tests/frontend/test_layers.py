"""Layers in prediction: shapes, parameters, and numbers worked out in NumPy."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from netwright.compiler.frontend.network import initial_values
from netwright.compiler.ops.base import EvaluationError
from netwright.compiler.ops.values.constant import ConstantAttributes
from netwright.specs.dims import evaluate

from .helpers import codes, network, run

RNG = np.random.default_rng(5)


def spec(
    layers: str, shape: str = "[N, 4]", output: str = "a", dtype: str = "float64", more: str = ""
) -> str:
    return f"""
dims: {{N: batch, T: {{role: time, min: 9}}}}
inputs: {{x: {{shape: {shape}, dtype: {dtype}}}{more}}}
layers: [{layers}]
outputs: {{y: {output}}}
"""


def test_a_perceptron_by_hand() -> None:
    layers = "{name: h, type: dense, units: 2, activation: relu}, {name: a, type: dense, units: 1, use_bias: false}"
    net = network(spec(layers, "[N, 2]"))
    weights = {"h.kernel": [[1, -1], [2, 1]], "h.bias": [0, 1], "a.kernel": [[3], [-1]]}
    np.testing.assert_array_equal(run(net, values=weights, x=[[1, 2], [-1, 0]])["y"], [[13], [-2]])


def test_dense_works_on_the_last_axis() -> None:
    net = network(spec("{name: a, type: dense, units: 3}", "[N, T, 4]"))
    assert net.parameters["a.kernel"].type.shape == (4, 3)
    x, values = RNG.normal(size=(2, 9, 4)), initial_values(net)
    np.testing.assert_allclose(run(net, x=x)["y"], x @ values["a.kernel"] + values["a.bias"], rtol=1e-12)


def test_concat_add_multiply_flatten_and_reshape() -> None:
    layers = """
  {name: c, type: concat, inputs: [x, x], axis: 1}, {name: s, type: add, inputs: [x, x, x]},
  {name: m, type: multiply, inputs: [x, s]}, {name: f, type: flatten, inputs: [m]},
  {name: r, type: reshape, shape: [N, -1, 2, 2], inputs: [c]}, {name: k, type: flatten, start_axis: 2}"""
    text = spec(layers, "[N, 2, 4]").replace("y: a", "c: c, s: s, m: m, f: f, r: r, k: k")
    x = RNG.normal(size=(3, 2, 4))
    found = run(network(text), x=x)
    np.testing.assert_array_equal(found["c"], np.concatenate([x, x], 1))
    np.testing.assert_array_equal(found["s"], x + x + x)
    np.testing.assert_array_equal(found["m"], x * (x + x + x))
    np.testing.assert_array_equal(found["f"], found["m"].reshape(3, 8))
    np.testing.assert_array_equal(found["r"], found["c"].reshape(3, 4, 2, 2))
    np.testing.assert_array_equal(found["k"], found["c"].reshape(3, 4, 4))


def test_preprocessing() -> None:
    layers = "{name: r, type: rescale, scale: 0.5, offset: -1}, {name: a, type: standardize, mean: [1, 2], stddev: 4}"
    x = np.array([[0, 255], [10, 20]])
    found = run(network(spec(layers, "[N, 2]", dtype="uint8")), x=x)["y"]
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, (x * 0.5 - 1 - [1, 2]) / 4)


def test_argmax_takes_the_first_of_equals() -> None:
    net = network(spec("{name: a, type: argmax}", "[N, 3]"))
    np.testing.assert_array_equal(run(net, x=[[1, 3, 3], [5, 5, 0]])["y"], [1, 0])
    net = network(spec("{name: a, type: argmax, axis: 1}", "[N, 3, 2]"))
    np.testing.assert_array_equal(run(net, x=[[[1, 2], [4, 0], [3, 9]]])["y"], [[1, 2]])


def test_global_pools() -> None:
    layers = "{name: a, type: global_mean_pool}, {name: b, type: global_max_pool, inputs: [x]}"
    net = network(spec(layers, "[N, T, 2, 3]", "a, z: b"))
    x = RNG.normal(size=(2, 9, 2, 3))
    found = run(net, x=x)
    np.testing.assert_allclose(found["y"], x.mean((1, 2)), rtol=1e-12)
    np.testing.assert_array_equal(found["z"], x.max((1, 2)))


def test_embedding_refuses_an_index_that_is_none_of_its_rows() -> None:
    net = network(spec("{name: a, type: embedding, input_dim: 5, output_dim: 3}", "[N, T]", dtype="int64"))
    tokens = np.arange(18).reshape(2, 9) % 5
    table = initial_values(net)["a.embeddings"]
    np.testing.assert_array_equal(run(net, x=tokens)["y"], table[tokens])
    with pytest.raises(EvaluationError, match="index 5 is out of range"):
        run(net, x=tokens + 1)


def test_shared_parameters_exist_once_under_their_owner() -> None:
    layers = """{name: first, type: conv1d, filters: 2, kernel_size: 3, inputs: [x], share: owner},
  {name: owner, type: conv1d, filters: 2, kernel_size: 3, dilation: 2, kernel_init: ones, inputs: [x]}"""
    net = network(spec(layers, "[N, T, 2]", "first, z: owner"))
    assert list(net.parameters) == ["owner.kernel", "owner.bias"]
    x = np.ones((1, 9, 2))
    found = run(net, x=x)
    assert found["y"].shape == (1, 7, 2)
    assert found["z"].shape == (1, 5, 2)
    np.testing.assert_array_equal(found["y"], 6)  # the owner's initializer counts
    assert [layer.parameters for layer in net.layers] == [("owner.kernel", "owner.bias")] * 2


def test_gates_are_initialized_one_by_one() -> None:
    net = network(spec("{name: a, type: lstm, units: 3}", "[N, T, 4]"))
    values = initial_values(net)
    assert {name: value.shape for name, value in values.items()} == {
        "a.kernel": (4, 12),
        "a.recurrent_kernel": (3, 12),
        "a.bias": (12,),
    }
    np.testing.assert_array_equal(values["a.bias"], [0] * 3 + [1] * 3 + [0] * 6)
    for gate in np.split(values["a.recurrent_kernel"], 4, axis=1):
        np.testing.assert_allclose(gate @ gate.T, np.eye(3), atol=1e-12)
    other = initial_values(net, seed=1)
    assert not np.array_equal(other["a.kernel"], values["a.kernel"])


def test_relu_keeps_nan() -> None:
    net = network(spec("{name: a, type: relu}", "[N, 3]"))
    np.testing.assert_array_equal(run(net, x=[[np.nan, -1, 2]])["y"], [[np.nan, 0, 2]])


def test_softplus_is_exact_at_both_ends() -> None:
    net = network(spec("{name: a, type: softplus}", "[N, 5]", dtype="float32"))
    found = run(net, x=[[-80, -20, 0, 20, 80]])["y"][0]
    np.testing.assert_allclose(found, np.log1p(np.exp([-80.0, -20, 0, 20, 80])), rtol=1e-6)


@given(
    size=st.integers(1, 30),
    window=st.integers(1, 6),
    stride=st.integers(1, 4),
    dilation=st.integers(1, 2),
    padding=st.sampled_from(["valid", "same", "same_upper", "same_lower", "causal", "[[1, 2]]"]),
    open_length=st.booleans(),
)
def test_sizes_and_numbers_of_convolutions(
    size: int, window: int, stride: int, dilation: int, padding: str, open_length: bool
) -> None:
    """Against a sum over the window written out, for fixed and open lengths."""
    span = (window - 1) * dilation + 1
    total = max((-(-size // stride) - 1) * stride + span - size, 0)
    low, high = {
        "valid": (0, 0),
        "same": ((span - 1) // 2, span - 1 - (span - 1) // 2),
        "same_upper": (total // 2, total - total // 2),
        "same_lower": (total - total // 2, total // 2),
        "causal": (span - 1, 0),
        "[[1, 2]]": (1, 2),
    }[padding]
    fits = size + low + high >= span
    if not fits or (open_length and padding in ("same_upper", "same_lower") and span < stride):
        return
    options = f"kernel_size: {window}, stride: {stride}, dilation: {dilation}, padding: '{padding}'"
    options = options.replace("'[[1, 2]]'", "[[1, 2]]")
    layer = f"{{name: a, type: conv1d, filters: 1, use_bias: false, {options}}}"
    shape = "[1, T, 1]" if open_length else f"[1, {size}, 1]"
    net = network(spec(layer, shape).replace("min: 9", f"min: {size}"))
    x = np.arange(1.0, size + 1)
    kernel = np.arange(1.0, window + 1) ** 2
    padded = np.pad(x, (low, high))
    cells = (padded.size - span) // stride + 1
    expected = [padded[i * stride : i * stride + span : dilation] @ kernel for i in range(cells)]
    found = run(net, values={"a.kernel": kernel.reshape(-1, 1, 1)}, x=x.reshape(1, -1, 1))["y"]
    np.testing.assert_allclose(found[0, :, 0], expected, rtol=1e-12)
    assert evaluate(net.outputs["y"].type.shape[1], {"T": size}) == cells


def test_summary_rows() -> None:
    net = network(spec("{name: a, type: lstm, units: 3}", "[N, T, 4]", "a, z: a.c"))
    (row,) = net.layers
    assert (row.name, row.type, row.span.line) == ("a", "lstm", 6)
    assert {port: str(type) for port, type in row.outputs.items()} == {
        "": "float64[N, T, 3]",
        "c": "float64[N, 3]",
    }
    assert {str(value.layer) for value in net.graphs["predict"] if value.op != "input"} == {"a"}


def test_huge_sizes_make_no_tables() -> None:
    big = 1_000_000_007
    layers = [
        "{name: a, type: mean_pool2d, pool_size: 3, stride: 2, padding: same_upper, inputs: [x]}",
        "{name: b, type: pad, padding: [[2, 2], [1, 1]], axes: [1, 2], mode: reflect, inputs: [x]}",
        f"{{name: c, type: resize, sizes: [7, {big}], mode: linear, inputs: [x]}}",
        f"{{name: d, type: resize, sizes: [5, {big}], mode: nearest, inputs: [x]}}",
        "{name: e, type: pool2d, pool_size: 3, padding: same_upper, expression: mean(x), inputs: [x]}",
    ]
    head = f"dims: {{N: batch}}\ninputs: {{x: {{shape: [N, {big}, 4, 2]}}}}\nlayers:\n"
    text = head + "".join(f"  - {one}\n" for one in layers) + "outputs: {a: a, b: b, c: c, d: d, e: e}\n"
    graph = network(text).graphs["predict"]
    constants = [node.attrs for node in graph if isinstance(node.attrs, ConstantAttributes)]
    assert max(len(one.data) for one in constants) < 1000
    assert codes(text.replace("[[2, 2], [1, 1]]", f"[[{big}, 0], [0, 0]]")) == ["NW0204"]


@pytest.mark.parametrize(
    ("layer", "told"),
    [
        ("{name: a, type: conv2d, filters: 4, kernel_size: 1, stride: 2}", False),
        ("{name: a, type: max_pool2d, pool_size: 1, stride: 2, rounding: floor}", False),
        ("{name: a, type: conv2d, filters: 4, kernel_size: 2, stride: 3}", False),
        ("{name: a, type: conv2d, filters: 4, kernel_size: [1, 2], stride: 2}", True),
        ("{name: a, type: conv2d, filters: 4, kernel_size: 3, stride: 2}", True),
        ("{name: a, type: conv2d, filters: 4, kernel_size: 2, stride: 3, dilation: 3}", True),
    ],
)
def test_border_cells_that_a_stride_drops_on_purpose(layer: str, told: bool) -> None:
    """A window that is smaller than its stride leaves cells out everywhere."""
    size = 9 if "dilation" in layer else 8 if "kernel_size: 3" in layer or "kernel_size: 1," in layer else 7
    text = f"inputs: {{x: {{shape: [2, {size}, {size}, 1]}}}}\nlayers:\n  - {layer}\noutputs: {{y: a}}\n"
    assert ("NW0603" in codes(text)) is told
