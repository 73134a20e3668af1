"""Layers, losses and optimizers against PyTorch: forward, backward, update."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import pytest

from netwright.compiler.autodiff import gradients
from netwright.compiler.frontend.network import Network
from netwright.compiler.interpreter import evaluate
from netwright.compiler.ops.values.reduce import ReduceAttributes

from .helpers import network, run

torch = pytest.importorskip("torch", reason="PyTorch is not installed (extra: torch)")
functional = torch.nn.functional
pytestmark = pytest.mark.torch

Arrays = dict[str, np.ndarray]


def drawn(net: Network, **shapes: tuple[int, ...]) -> tuple[Arrays, Arrays]:
    """Random weights and inputs."""
    rng = np.random.default_rng(7)
    weights = {name: rng.normal(size=p.type.shape) * 0.5 for name, p in net.parameters.items()}  # type: ignore[arg-type]
    return weights, {name: rng.normal(size=shape) for name, shape in shapes.items()}


def compare(text: str, model: Callable[[Mapping[str, Any]], Any], **shapes: tuple[int, ...]) -> None:
    """Output ``y`` and the gradients of Σ y·sin(position), in float64, of a spec and of a function of tensors."""
    net = network(text)
    weights, inputs = drawn(net, **shapes)
    output = run(net, values=weights, **inputs)["y"]
    tensors = {name: torch.tensor(a, requires_grad=True) for name, a in {**weights, **inputs}.items()}
    expected = model(tensors)
    np.testing.assert_allclose(output, expected.detach().numpy(), rtol=1e-9, atol=1e-10)

    graph = net.graphs["predict"].copy()
    slope = np.sin(np.arange(output.size)).reshape(output.shape)
    seed = graph.input("seed", graph.type(graph.outputs["y"]))
    product = graph.apply("mul", graph.outputs["y"], seed)
    total = graph.apply("reduce", product, attrs=ReduceAttributes("sum", tuple(range(output.ndim))))
    graph.set_output("total", total)
    wanted = [*net.parameters, *shapes]
    graph, found = gradients(graph, "total", wanted)
    for name, value in found.items():
        graph.set_output(f"d {name}", value)
    results = evaluate(graph, {**weights, **inputs, "seed": slope})
    (expected * torch.tensor(slope)).sum().backward()
    for name in wanted:
        np.testing.assert_allclose(
            results[f"d {name}"], tensors[name].grad.numpy(), rtol=1e-8, atol=1e-9, err_msg=name
        )


def spec(layers: str, *inputs: str) -> str:
    declared = ", ".join(
        f"{one.split('=')[0]}: {{shape: {one.split('=')[1]}, dtype: float64}}" for one in inputs
    )
    return f"""
dims: {{N: batch, T: {{role: time, min: 8}}}}
inputs: {{{declared}}}
layers:
{layers}
outputs: {{y: a}}
"""


def channels_first(x: Any) -> Any:
    return x.movedim(-1, 1)


def channels_last(x: Any) -> Any:
    return x.movedim(1, -1)


@pytest.mark.parametrize("rank", [1, 2, 3])
@pytest.mark.parametrize(
    ("options", "arguments"),
    [
        ("kernel_size: 3", {}),
        ("kernel_size: 2, stride: 2", {"stride": 2}),
        ("kernel_size: 3, dilation: 2", {"dilation": 2}),
        ("kernel_size: 3, groups: 2", {"groups": 2}),
        ("kernel_size: 5, padding: same", {"padding": 2}),
    ],
)
def test_convolutions(rank: int, options: str, arguments: dict[str, int]) -> None:
    shape = (2, 7, 6, 5)[: rank + 1]
    layer = f"  - {{name: a, type: conv{rank}d, filters: 4, {options}}}"

    def model(t: Mapping[str, Any]) -> Any:
        kernel = t["a.kernel"].permute(-1, -2, *range(rank))
        convolve = getattr(functional, f"conv{rank}d")
        return channels_last(convolve(channels_first(t["x"]), kernel, t["a.bias"], **arguments))

    compare(spec(layer, f"x=[N, {', '.join(map(str, shape[1:]))}, 2]"), model, x=(*shape, 2))


def test_a_convolution_over_an_open_length() -> None:
    def model(t: Mapping[str, Any]) -> Any:
        kernel = t["a.kernel"].permute(2, 1, 0)
        return channels_last(functional.conv1d(channels_first(t["x"]), kernel, t["a.bias"], stride=3))

    layer = "  - {name: a, type: conv1d, filters: 3, kernel_size: 4, stride: 3}"
    compare(spec(layer, "x=[N, T, 2]"), model, x=(2, 12, 2))


@pytest.mark.parametrize("rank", [1, 2, 3])
@pytest.mark.parametrize("kind", ["max", "mean"])
@pytest.mark.parametrize(("size", "stride", "padding"), [(2, 2, 0), (3, 2, 1), (3, 1, 1), (2, 3, 0)])
@pytest.mark.parametrize("rounding", ["ceil", "floor"])
def test_pools(rank: int, kind: str, size: int, stride: int, padding: int, rounding: str) -> None:
    shape = (2, 8, 7, 6)[: rank + 1]
    pads = ", ".join([f"[{padding}, {padding}]"] * rank)
    layer = (
        f"  - {{name: a, type: {kind}_pool{rank}d, pool_size: {size}, stride: {stride}, padding: [{pads}], "
        f"rounding: {rounding}}}"
    )
    more = {} if kind == "max" else {"count_include_pad": False}

    def model(t: Mapping[str, Any]) -> Any:
        pool = getattr(functional, f"{'max' if kind == 'max' else 'avg'}_pool{rank}d")
        return channels_last(
            pool(channels_first(t["x"]), size, stride, padding, ceil_mode=rounding == "ceil", **more)
        )

    compare(spec(layer, f"x=[N, {', '.join(map(str, shape[1:]))}, 3]"), model, x=(*shape, 3))


@pytest.mark.parametrize("kind", ["max", "mean"])
@pytest.mark.parametrize("length", [8, 9, 10, 11, 12])
@pytest.mark.parametrize(("size", "stride", "padding"), [(2, 2, 0), (3, 2, 1), (2, 3, 0), (3, 3, 1)])
def test_pools_over_an_open_length(kind: str, length: int, size: int, stride: int, padding: int) -> None:
    options = f"pool_size: {size}, stride: {stride}, padding: [[{padding}, {padding}]]"
    layer = f"  - {{name: a, type: {kind}_pool1d, {options}}}"
    more = {} if kind == "max" else {"count_include_pad": False}

    def model(t: Mapping[str, Any]) -> Any:
        pool = functional.max_pool1d if kind == "max" else functional.avg_pool1d
        return channels_last(pool(channels_first(t["x"]), size, stride, padding, ceil_mode=True, **more))

    compare(spec(layer, "x=[N, T, 3]"), model, x=(2, length, 3))


def test_batch_norm_in_training() -> None:
    text = """
inputs: {x: {shape: [6, 4, 3], dtype: float64}}
layers: [{name: a, type: batch_norm, momentum: 0.8}, {name: b, type: dense, units: 1}]
outputs: {y: b}
train:
  data: {train: t.npz}
  loss: {type: mse, output: y, target: t}
  optimizer: {type: sgd, learning_rate: 0.1}
"""
    net = network(text)
    rng = np.random.default_rng(3)
    weights = {name: rng.normal(size=p.type.shape) ** 2 + 0.1 for name, p in net.parameters.items()}  # type: ignore[arg-type]
    x, target = rng.normal(size=(6, 4, 3)), rng.normal(size=(6, 4, 1))
    after = run(net, "train_step", weights, x=x, t=target)

    norm = torch.nn.BatchNorm1d(3, momentum=0.2, dtype=torch.float64)
    t = {name: torch.tensor(value) for name, value in weights.items()}
    norm.weight.data, norm.bias.data = t["a.gamma"], t["a.beta"]
    norm.running_mean, norm.running_var = t["a.mean"].clone(), t["a.variance"].clone()
    dense = torch.nn.Linear(3, 1, dtype=torch.float64)
    dense.weight.data, dense.bias.data = t["b.kernel"].T.clone(), t["b.bias"].clone()
    y = dense(norm(torch.tensor(x).reshape(24, 3)))
    loss = functional.mse_loss(y, torch.tensor(target).reshape(24, 1))
    loss.backward()
    assert after["loss.numerator"] / after["loss.count"] == pytest.approx(float(loss.detach()))
    np.testing.assert_allclose(after["a.gamma"], (norm.weight - 0.1 * norm.weight.grad).detach(), rtol=1e-9)
    np.testing.assert_allclose(after["a.beta"], (norm.bias - 0.1 * norm.bias.grad).detach(), rtol=1e-9)
    np.testing.assert_allclose(after["a.mean"], norm.running_mean, rtol=1e-9)
    # PyTorch keeps the unbiased variance: 24/23 of ours in the batch's part.
    biased = (norm.running_var - 0.8 * t["a.variance"]) * 23 / 24 + 0.8 * t["a.variance"]
    np.testing.assert_allclose(after["a.variance"], biased, rtol=1e-9)


def test_batch_norm_in_prediction() -> None:
    net = network(spec("  - {name: a, type: batch_norm}", "x=[N, 5, 3]"))
    rng = np.random.default_rng(3)
    weights = {name: rng.normal(size=3) ** 2 + 0.1 for name in net.parameters}
    x = rng.normal(size=(2, 5, 3))
    t = {name: torch.tensor(value) for name, value in weights.items()}
    expected = functional.batch_norm(
        channels_first(torch.tensor(x)), t["a.mean"], t["a.variance"], t["a.gamma"], t["a.beta"]
    )
    np.testing.assert_allclose(run(net, values=weights, x=x)["y"], channels_last(expected), rtol=1e-9)


def test_layer_norm() -> None:
    def model(t: Mapping[str, Any]) -> Any:
        return functional.layer_norm(t["x"], (5,), t["a.gamma"], t["a.beta"])

    compare(spec("  - {name: a, type: layer_norm}", "x=[N, T, 5]"), model, x=(2, 8, 5))


@pytest.mark.parametrize(
    ("activation", "function"),
    [
        ("relu", lambda x: functional.relu(x)),
        ("{type: leaky_relu, negative_slope: 0.2}", lambda x: functional.leaky_relu(x, 0.2)),
        ("{type: elu, alpha: 1.5}", lambda x: functional.elu(x, 1.5)),
        ("gelu", lambda x: functional.gelu(x)),
        ("sigmoid", lambda x: torch.sigmoid(x)),
        ("tanh", lambda x: torch.tanh(x)),
        ("softplus", lambda x: functional.softplus(x, threshold=1e9)),
        ("softmax", lambda x: functional.softmax(x, -1)),
        ("{type: log_softmax, axis: 1}", lambda x: functional.log_softmax(x, 1)),
    ],
)
def test_dense_with_activations(activation: str, function: Callable[[Any], Any]) -> None:
    def model(t: Mapping[str, Any]) -> Any:
        return function(t["x"] @ t["a.kernel"] + t["a.bias"])

    layer = f"  - {{name: a, type: dense, units: 4, activation: {activation}}}"
    compare(spec(layer, "x=[N, T, 5]"), model, x=(3, 8, 5))


def torch_recurrence(
    kind: str, t: Mapping[str, Any], prefixes: list[str], layers: int, bidirectional: bool
) -> Any:
    """PyTorch's recurrence with our parameters, in its own gate order."""
    order = {"rnn": [0], "lstm": [0, 1, 2, 3], "gru": [1, 0, 2]}[kind]

    def gates(x: Any) -> Any:
        return torch.cat([x.chunk(len(order), -1)[i] for i in order], -1)

    kernels = [t[f"{prefix}.kernel"] for prefix in prefixes]
    hidden = t[f"{prefixes[0]}.recurrent_kernel"].shape[0]
    weights = []
    for prefix in prefixes:
        bias = gates(t[f"{prefix}.bias"])
        recurrent = gates(t[f"{prefix}.recurrent_bias"]) if kind == "gru" else torch.zeros_like(bias)
        weights += [gates(t[f"{prefix}.kernel"]).T, gates(t[f"{prefix}.recurrent_kernel"]).T, bias, recurrent]
    count = layers * (2 if bidirectional else 1)
    start = torch.zeros(count, t["x"].shape[0], hidden, dtype=torch.float64)
    first = (start, start) if kind == "lstm" else start
    run_torch = getattr(torch._VF, "rnn_tanh" if kind == "rnn" else kind)
    assert kernels
    return run_torch(t["x"], first, weights, True, layers, 0.0, False, bidirectional, True)[0]


@pytest.mark.parametrize("kind", ["rnn", "lstm", "gru"])
def test_recurrences(kind: str) -> None:
    layer = f"  - {{name: a, type: {kind}, units: 4}}"
    compare(spec(layer, "x=[N, T, 3]"), lambda t: torch_recurrence(kind, t, ["a"], 1, False), x=(2, 8, 3))


@pytest.mark.parametrize("kind", ["rnn", "lstm", "gru"])
def test_stacked_bidirectional_recurrences(kind: str) -> None:
    layer = f"  - {{name: a, type: {kind}, units: 4, layers: 2, bidirectional: true}}"
    prefixes = [f"a.{layer}.{direction}" for layer in (0, 1) for direction in ("forward", "backward")]
    compare(spec(layer, "x=[N, T, 3]"), lambda t: torch_recurrence(kind, t, prefixes, 2, True), x=(2, 8, 3))


def test_a_given_state_and_the_last_output() -> None:
    layer = "  - {name: a, type: lstm, inputs: [x], units: 4, return_sequences: false, initial_state: {h: h, c: c}}"

    def model(t: Mapping[str, Any]) -> Any:
        zero = torch.zeros(16, dtype=torch.float64)
        weights = [t["a.kernel"].T, t["a.recurrent_kernel"].T, t["a.bias"], zero]
        first = (t["h"][None], t["c"][None])
        return torch._VF.lstm(t["x"], first, weights, True, 1, 0.0, False, False, True)[0][:, -1]

    compare(spec(layer, "x=[N, T, 3]", "h=[N, 4]", "c=[N, 4]"), model, x=(2, 8, 3), h=(2, 4), c=(2, 4))


@pytest.mark.alike(2)
@pytest.mark.parametrize(
    ("optimizer", "make"),
    [
        ("{type: sgd, learning_rate: 0.1}", lambda p: torch.optim.SGD(p, 0.1)),
        (
            "{type: sgd, learning_rate: 0.1, momentum: 0.9, weight_decay: 0.01}",
            lambda p: torch.optim.SGD(p, 0.1, 0.9, weight_decay=0.01),
        ),
        (
            "{type: sgd, learning_rate: 0.1, momentum: 0.9, nesterov: true}",
            lambda p: torch.optim.SGD(p, 0.1, 0.9, nesterov=True),
        ),
        (
            "{type: adam, learning_rate: 0.01, beta_1: 0.8, weight_decay: 0.1}",
            lambda p: torch.optim.Adam(p, 0.01, (0.8, 0.999), weight_decay=0.1),
        ),
        ("{type: adamw, learning_rate: 0.01}", lambda p: torch.optim.AdamW(p, 0.01)),
        (
            "{type: rmsprop, learning_rate: 0.01, momentum: 0.5}",
            lambda p: torch.optim.RMSprop(p, 0.01, momentum=0.5),
        ),
        ("{type: rmsprop, rho: 0.9}", lambda p: torch.optim.RMSprop(p, 0.01, alpha=0.9)),
    ],
)
@pytest.mark.parametrize("clip", [None, 0.5])
def test_optimizers(optimizer: str, make: Callable[[Any], Any], clip: float | None) -> None:
    net = network(f"""
dims: {{N: batch}}
inputs: {{x: {{shape: [N, 3], dtype: float64}}}}
layers: [{{name: a, type: dense, units: 4, activation: tanh}}, {{name: b, type: dense, units: 3}}]
outputs: {{y: b}}
train:
  data: {{train: t.npz}}
  loss: {{type: softmax_cross_entropy, output: y, target: label}}
  optimizer: {optimizer}
  {f"clip_norm: {clip}" if clip else ""}
""")
    weights, inputs = drawn(net, x=(5, 3))
    labels = np.array([0, 2, 1, 1, 0])
    values = dict(weights)
    parameters = {name: torch.nn.Parameter(torch.tensor(value)) for name, value in weights.items()}
    torch_optimizer = make(list(parameters.values()))
    for _ in range(4):
        values |= run(net, "train_step", values, x=inputs["x"], label=labels)
        values = {
            name: value for name, value in values.items() if name in net.parameters or name in net.states
        }
        torch_optimizer.zero_grad()
        hidden = torch.tanh(torch.tensor(inputs["x"]) @ parameters["a.kernel"] + parameters["a.bias"])
        logits = hidden @ parameters["b.kernel"] + parameters["b.bias"]
        functional.cross_entropy(logits, torch.tensor(labels)).backward()
        if clip:
            torch.nn.utils.clip_grad_norm_(list(parameters.values()), clip)
        torch_optimizer.step()
    for name, parameter in parameters.items():
        np.testing.assert_allclose(values[name], parameter.detach().numpy(), rtol=1e-8, err_msg=name)


@pytest.mark.parametrize(
    ("loss", "function"),
    [
        ("mse", functional.mse_loss),
        ("mae", functional.l1_loss),
        ("huber, delta: 0.5", lambda x, t: functional.huber_loss(x, t, delta=0.5)),
        ("binary_cross_entropy", functional.binary_cross_entropy_with_logits),
        ("softmax_cross_entropy", lambda x, t: functional.cross_entropy(x.reshape(-1, 3), t.reshape(-1, 3))),
    ],
)
def test_losses(loss: str, function: Callable[[Any, Any], Any]) -> None:
    net = network(f"""
dims: {{N: batch, T: time}}
inputs: {{x: {{shape: [N, T, 3], dtype: float64}}}}
layers: [{{name: a, type: dense, units: 3}}]
outputs: {{y: a}}
train:
  data: {{train: t.npz}}
  targets: {{t: {{shape: [N, T, 3], dtype: float64}}}}
  loss: {{type: {loss}, output: y, target: t}}
  optimizer: {{type: sgd, learning_rate: 1.0}}
""")
    weights, inputs = drawn(net, x=(5, 4, 3))
    target = np.random.default_rng(5).dirichlet(np.ones(3), (5, 4))
    found = run(net, "loss", weights, x=inputs["x"], t=target)
    after = run(net, "train_step", weights, x=inputs["x"], t=target)
    t = {name: torch.tensor(value, requires_grad=True) for name, value in weights.items()}
    expected = function(torch.tensor(inputs["x"]) @ t["a.kernel"] + t["a.bias"], torch.tensor(target))
    expected.backward()
    assert found["loss.numerator"] / found["loss.count"] == pytest.approx(float(expected.detach()), rel=1e-10)
    for name in weights:
        np.testing.assert_allclose(weights[name] - after[name], t[name].grad, rtol=1e-8, atol=1e-12)
