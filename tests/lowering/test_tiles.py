"""Fast convolutions compute what direct ones do: whole, block by block, with what is fused into them, anywhere."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import netwright
from netwright.compiler.graph.graph import Graph
from netwright.compiler.graph.parse import parse_graph
from netwright.compiler.interpreter import evaluate
from netwright.compiler.machine import Machine
from netwright.compiler.passes.base import PassContext
from netwright.compiler.passes.dead_code import RemoveDeadCode
from netwright.compiler.passes.windows import winograd

from ..machines import AVX2, AVX512, NEON, SSE
from .engines import lowered, run_loops, run_native

#: A convolution with a bias, a rectifier, a residual that is read in place, and a pool of 2×2 cells.
LAYER = """
graph "layer" {{
  %0 = input() {{name="x", role="input"}} : {dtype}[{n}, {h}, {w}, {c}]
  %1 = input() {{name="w", role="parameter"}} : {dtype}[3, 3, {c}, {f}]
  %2 = input() {{name="b", role="parameter"}} : {dtype}[{f}]
  %3 = input() {{name="r", role="input"}} : {dtype}[{n}, {h}, {w}, {f}]
  %4 = pad(%0) {{low=(0, 1, 1, 0), high=(0, 1, 1, 0), interior=(0, 0, 0, 0), fill=0}} : {dtype}[{n}, {h2}, {w2}, {c}]
  %5 = conv(%4, %1) {{stride=(1, 1), dilation=(1, 1), groups=1}} : {dtype}[{n}, {h}, {w}, {f}]
  %6 = broadcast(%2) {{shape=({n}, {h}, {w}, {f}), axes=(3,)}} : {dtype}[{n}, {h}, {w}, {f}]
  %7 = add(%5, %6) : {dtype}[{n}, {h}, {w}, {f}]
  %8 = add(%7, %3) : {dtype}[{n}, {h}, {w}, {f}]
  {rest}
}}
"""
PLAIN = 'return "y"=%8'
POOLED = """%9 = reduce_window(%8) {{op="max", window=(1, 2, 2, 1), stride=(1, 2, 2, 1)}} \
: {dtype}[{n}, {h} // 2, {w} // 2, {f}]
  return "y"=%9"""


def layer(
    n: object, h: object, w: object, c: int, f: int, *, pool: bool = False, dtype: str = "float64"
) -> Graph:
    sizes = {"n": n, "h": h, "w": w, "c": c, "f": f, "dtype": dtype}
    sizes |= {
        f"{name}2": size + 2 if isinstance(size, int) else f"{size} + 2"
        for name, size in (("h", h), ("w", w))
    }
    text = LAYER.replace("{rest}", POOLED if pool else PLAIN).format(**sizes)
    if pool and isinstance(h, int) and isinstance(w, int):
        text = text.replace(f"{h} // 2, {w} // 2", f"{h // 2}, {w // 2}")
    return parse_graph(text)


def tiled(graph: Graph, tile: int, machine: Machine) -> Graph:
    """The graph with its convolution by tiles, whatever it costs and whatever the type."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(winograd, "_refusal", lambda *_: None)
        patch.setattr(winograd, "best_tile", lambda *_, **__: (tile, "because"))
        made = winograd.Winograd().run(graph, PassContext("predict", machine))
    assert made is not graph
    return RemoveDeadCode().run(made, PassContext())


def arrays(n: int, h: int, w: int, c: int, f: int, dtype: str = "float64") -> dict[str, np.ndarray]:
    draw = np.random.default_rng(h * w + c)
    shapes = {"x": (n, h, w, c), "w": (3, 3, c, f), "b": (f,), "r": (n, h, w, f)}
    return {name: draw.normal(size=shape).astype(dtype) for name, shape in shapes.items()}


def kernels_of_blocks(graph: Graph, machine: Machine) -> int:
    """How many kernels have a dim of their own, which says for which block they are called."""
    program, _ = lowered(graph, machine)
    return sum(any(name in ("image", "block") for name, _ in k.dims) for k in program.kernels.values())


@pytest.mark.alike(2)
@pytest.mark.parametrize(("tile", "pool"), [(2, False), (2, True), (4, True)])
@pytest.mark.parametrize("machine", [AVX512, AVX2, NEON, SSE], ids=["avx512", "avx2", "neon", "sse"])
def test_tiles_equal_the_direct_convolution(machine: Machine, tile: int, pool: bool) -> None:
    graph, inputs = layer(2, 7, 6, 3, 5, pool=pool), arrays(2, 7, 6, 3, 5)
    expected = evaluate(graph, inputs)["y"]
    found = run_loops(tiled(graph, tile, machine), inputs, {}, machine, nthreads=2)["y"]
    np.testing.assert_allclose(found, expected, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize(("images", "pool"), [(1, False), (1, True), ("N", True)])
def test_blocks_equal_the_direct_convolution(images: object, pool: bool) -> None:
    """Blocks of two of five rows of tiles, the last of which begins before the one before it has ended."""
    machine = replace(AVX512, l2_bytes=40_000)
    graph = tiled(layer(images, 19, 6, 8, 8, pool=pool), 4, machine)
    assert kernels_of_blocks(graph, machine) == 2
    count = images if isinstance(images, int) else 2
    inputs = arrays(count, 19, 6, 8, 8)
    dims = {} if isinstance(images, int) else {"N": count}
    expected = evaluate(layer(count, 19, 6, 8, 8, pool=pool), inputs)["y"]
    found = run_loops(graph, inputs, dims, machine, nthreads=2)["y"]
    np.testing.assert_allclose(found, expected, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize(("images", "l2_bytes"), [(1, 46_080), (2, 200_000), ("N", 200_000), (1, 10_000)])
def test_what_is_small_is_whole(images: object, l2_bytes: int) -> None:
    """It fits into the cache, is too little for three calls, or less than the weights take."""
    height, features = (19, 8) if l2_bytes > 10_000 else (11, 64)
    graph = tiled(layer(images, height, 6, 8, features), 4, AVX512)
    assert kernels_of_blocks(graph, replace(AVX512, l2_bytes=l2_bytes)) == 0


def test_images_of_open_sizes_are_proved_in_bounds() -> None:
    graph = tiled(layer("N", "H", "W", 4, 5), 4, AVX2)
    for h, w in ((1, 1), (5, 9)):
        inputs = arrays(2, h, w, 4, 5)
        expected = evaluate(layer(2, h, w, 4, 5), inputs)["y"]
        found = run_loops(graph, inputs, {"N": 2, "H": h, "W": w}, AVX2)["y"]
        np.testing.assert_allclose(found, expected, rtol=1e-9, atol=1e-9)


@settings(max_examples=5)
@given(st.data())
def test_drawn_layers_are_as_exact_as_fast_math_promises(data: st.DataObject) -> None:
    """float32 code within 1e-4 of float64, relative to the root mean square, and no better than it should be."""
    n, h, w = (data.draw(st.integers(1, most)) for most in (2, 17, 17))
    c, f = (data.draw(st.sampled_from([1, 3, 16, 24, 64])) for _ in range(2))
    tile, pool = data.draw(st.sampled_from([2, 4])), data.draw(st.booleans()) and min(h, w) > 1
    inputs = arrays(n, h, w, c, f, "float32")
    exact = evaluate(
        layer(n, h, w, c, f, pool=pool), {name: array.astype(np.float64) for name, array in inputs.items()}
    )["y"]
    graph = tiled(layer(n, h, w, c, f, pool=pool, dtype="float32"), tile, AVX512)
    found = run_native(graph, inputs, {}, threads=2)["y"]
    assert np.abs(found - exact).max() <= 1e-4 * np.sqrt(np.mean(exact**2))


def test_a_network_trains_by_tiles(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Weights after a step are those of direct convolutions, and as exact."""
    spec = {
        "netwright": 1,
        "model": "tiled",
        "dims": {"N": "batch"},
        "inputs": {"image": {"shape": ["N", 13, 12, 16]}},
        "layers": [
            {"name": "first", "type": "conv2d", "filters": 32, "kernel_size": 3, "padding": "same"},
            {"name": "second", "type": "conv2d", "filters": 16, "kernel_size": 3, "activation": "relu"},
            {"name": "pool", "type": "global_mean_pool"},
            {"name": "scores", "type": "dense", "units": 3},
        ],
        "outputs": {"scores": "scores"},
        "train": {
            "loss": {"type": "softmax_cross_entropy", "output": "scores", "target": "label"},
            "optimizer": {"type": "sgd", "learning_rate": 0.5},
        },
    }
    model = netwright.load(spec)
    random = np.random.default_rng(0)
    batch = {
        "image": random.standard_normal((3, 13, 12, 16), np.float32),
        "label": random.integers(0, 3, 3),
    }
    reference = model.compile(engine="reference", entries=["train_step"])
    reference.train_step(**batch)
    trained: dict[int | None, dict[str, np.ndarray]] = {}
    for tile in (None, 2):
        monkeypatch.setenv(
            "NETWRIGHT_CACHE_DIR", str(tmp_path / str(tile))
        )  # programs are kept by their networks
        monkeypatch.setattr(winograd, "best_tile", lambda *_, tile=tile, **__: (tile, "because"))
        program = model.compile(entries=["train_step"], threads=1)
        program.train_step(**batch)
        trained[tile] = dict(program.weights)
        for name, array in reference.weights.items():
            np.testing.assert_allclose(trained[tile][name], array, rtol=1e-4, atol=1e-5, err_msg=name)
    assert any(not np.array_equal(trained[2][name], array) for name, array in trained[None].items())
