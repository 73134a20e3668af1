"""Specs as text, run in the reference interpreter and as native code, which have to agree."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import ArrayLike, NDArray

from netwright.compiler.autodiff import gradients
from netwright.compiler.codegen.jit import compile_jit, jit_pool
from netwright.compiler.driver import lower
from netwright.compiler.frontend.network import Network, initial_values
from netwright.compiler.graph.graph import Graph
from netwright.compiler.graph.node import Value
from netwright.compiler.interpreter import bind_dims, evaluate
from netwright.compiler.ops.values.reduce import ReduceAttributes
from netwright.runtime.engines.native import NativeEngine
from netwright.runtime.engines.workers import process_pool
from netwright.runtime.sessions.session import Session

from ..frontend.helpers import network
from ..machines import AVX512


def spec(layers: str, output: str = "y", **inputs: str) -> str:
    """A spec from the text of its layers (a list in brackets) and its inputs' shapes, such as `x="[N, 3]"` or
    `x="[N, 3] int64"`; floats are float64."""
    declared = []
    for name, text in inputs.items():
        shape, _, dtype = text.partition("]")
        declared.append(f"  {name}: {{shape: {shape}], dtype: {dtype.strip() or 'float64'}}}")
    head = "dims: {N: batch, T: {role: time, min: 4}}\ninputs:\n"
    return f"{head}{chr(10).join(declared)}\nlayers: {layers}\noutputs: {{{output}}}\n".replace(
        "{y}", "{y: y}"
    )


def drawn_weights(net: Network, seed: int = 5) -> dict[str, NDArray]:
    """Random parameters, positive statistics."""
    rng = np.random.default_rng(seed)
    found = {}
    for name, one in net.parameters.items():
        value = rng.normal(size=one.type.shape)  # type: ignore[arg-type]
        found[name] = (np.abs(value) + 0.5 if one.kind == "statistic" else value).astype(one.type.dtype)
    return found


def values(
    text: str, weights: Mapping[str, ArrayLike] | None = None, **inputs: ArrayLike
) -> dict[str, NDArray]:
    """The outputs of a spec, the same from the interpreter and from native code."""
    net = network(text)
    graph = net.graphs["predict"]
    given = {name: np.asarray(array, net.inputs[name].dtype) for name, array in inputs.items()}
    kept = initial_values(net)
    for name, array in (weights or {}).items():
        kept[name] = np.asarray(array, kept[name].dtype)
    everything = {**kept, **given}
    used = {name: everything[name] for name in graph.inputs}
    dims = bind_dims(graph, {name: array.shape for name, array in used.items()})
    expected = evaluate(graph, used, dims)
    found = run_native(net, kept, given)
    for name, array in expected.items():
        exact = array.dtype.kind != "f"
        tolerance = 0 if exact else 1e-9 if array.dtype == np.float64 else 2e-5
        np.testing.assert_allclose(found[name], array, rtol=tolerance, atol=tolerance, err_msg=name)
    return expected


def run_native(
    net: Network, weights: Mapping[str, NDArray], inputs: Mapping[str, NDArray]
) -> dict[str, NDArray]:
    """Entry `predict` compiled and run, with two threads."""
    graphs = {"predict": net.graphs["predict"]}
    lowered = lower(net.model, graphs, [*net.dims.values()], version="test", target="host", machine=AVX512)
    native = compile_jit(lowered.program)
    entries = lowered.program.entries
    engine = NativeEngine(
        lowered.manifest,
        {name: native.address(name) for name in entries},
        {name: native.plan_address(name) for name in entries},
        constants=lowered.constants,
        keepalive=native,
        threads=2,
        pool=process_pool(jit_pool()),
        grain=1,
    )
    session = Session(engine, {name: weights[name] for name in session_weights(engine)})
    return session.run("predict", {info.name: inputs[info.name] for info in session.input_info("predict")})


def session_weights(engine: NativeEngine) -> list[str]:
    """The names of the weights that a program reads."""
    return [info.name for info in engine.manifest.buffers if info.role in ("parameter", "statistic")]


def check_gradients(
    text: str,
    weights: Mapping[str, ArrayLike] | None = None,
    wrt: list[str] | None = None,
    tolerance: float = 1e-6,
    **inputs: ArrayLike,
) -> None:
    """The gradient of a random projection of the float outputs is that of central differences."""
    net = network(text)
    given = {**(weights or drawn_weights(net)), **inputs}
    arrays: dict[str, NDArray] = {}
    graph = net.graphs["predict"].copy()
    for name in graph.inputs:
        arrays[name] = np.asarray(given[name], graph.type(graph.inputs[name]).dtype)
    names = wrt or [name for name, array in arrays.items() if array.dtype == np.float64]
    dims = bind_dims(graph, {name: array.shape for name, array in arrays.items()})
    rng = np.random.default_rng(3)
    total: Value | None = None
    for name, value in list(graph.outputs.items()):
        if graph.type(value).dtype == "float64":
            arrays[f"direction {name}"] = rng.normal(size=evaluate(graph, arrays, dims)[name].shape)
            term = _projected(graph, value, graph.input(f"direction {name}", graph.type(value)))
            total = term if total is None else graph.apply("add", total, term)
    assert total is not None
    graph.set_output("total", total)
    differentiated, found = gradients(graph, "total", names)
    for name, value in found.items():
        differentiated.set_output(f"d {name}", value)
    results = evaluate(differentiated, arrays, dims)
    for name in names:
        expected = _differences_by_sample(graph, arrays, dims, name)
        if expected is None:
            expected = _differences(graph, arrays, dims, name)
        np.testing.assert_allclose(
            results[f"d {name}"], expected, rtol=tolerance, atol=tolerance, err_msg=name
        )


#: How far an element is moved for a central difference.
STEP = 1e-5


def _differences(graph: Graph, arrays: Mapping[str, NDArray], dims: Mapping[str, int], name: str) -> NDArray:
    """The central differences of `total` by each element of an input."""
    found = np.zeros_like(arrays[name])
    for index in np.ndindex(found.shape):
        sides = []
        for step in (STEP, -STEP):
            moved = arrays[name].copy()
            moved[index] += step
            sides.append(evaluate(graph, {**arrays, name: moved}, dims)["total"])
        found[index] = (sides[0] - sides[1]) / (2 * STEP)
    return found


def _differences_by_sample(
    graph: Graph, arrays: Mapping[str, NDArray], dims: Mapping[str, int], name: str
) -> NDArray | None:
    """The same from one evaluation, on a batch with a sample for each moved element. None where the input or an output
    is not of a batch, or where samples are not computed each by itself."""
    outputs = [one for one in graph.outputs if one != "total"]
    values = {**graph.inputs, **{one: graph.outputs[one] for one in outputs}}
    of_batch = {one for one, value in values.items() if [*map(str, graph.type(value).shape[:1])] == ["N"]}
    if not of_batch.issuperset((name, *outputs)):
        return None
    shape = arrays[name].shape
    places = [*np.ndindex(shape)]
    samples = [place[0] for place in places]
    # Samples with an element moved up, those with one moved down, and all as they are.
    order = [*samples, *samples, *range(shape[0])]
    batch = {one: array[order] if one in of_batch else array for one, array in arrays.items()}
    for row, (_, *inner) in enumerate(places):
        batch[name][(row, *inner)] += STEP
        batch[name][(row + len(places), *inner)] -= STEP
    computed, whole = evaluate(graph, batch, {**dims, "N": len(order)}), evaluate(graph, arrays, dims)
    totals = np.zeros(len(order))
    for one in outputs:
        if not np.allclose(
            computed[one][2 * len(places) :], whole[one], rtol=1e-12, atol=1e-12, equal_nan=True
        ):
            return None
        if f"direction {one}" in batch:
            totals += (computed[one] * batch[f"direction {one}"]).reshape(len(order), -1).sum(1)
    up, down = totals[: len(places)], totals[len(places) : 2 * len(places)]
    return ((up - down) / (2 * STEP)).reshape(shape)


def _projected(graph: Graph, value: Value, direction: Value) -> Value:
    axes = tuple(range(graph.type(value).rank))
    return graph.apply("reduce", graph.apply("mul", value, direction), attrs=ReduceAttributes("sum", axes))
