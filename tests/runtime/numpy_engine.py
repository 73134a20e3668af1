"""A small real engine in NumPy, and two models for it: what sessions and the training loop are tested on.

`linear` is least squares with momentum, a running mean as statistic and a packed offset; `leaky` is the smallest
recurrence, h(t) = a·h(t-1) + x(t), y(t) = w·h(t), trained in windows with carried state.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
from numpy.typing import NDArray

from netwright.runtime.engines.engine import code_error, find_entry
from netwright.specs.dims import evaluate, parse_dim
from netwright.specs.manifest import BufferInfo, DimInfo, EntryInfo, Manifest, ScoreInfo

Program = Callable[[Mapping[str, NDArray]], int | None]


class NumpyEngine:
    """Runs an entry as a Python function on the buffers; checks that it was called as the protocol says."""

    def __init__(self, manifest: Manifest, programs: Mapping[str, Program]):
        self.manifest = manifest
        self.programs = programs
        self.calls: list[str] = []

    def run(self, entry: str, dims: Mapping[str, int], buffers: Mapping[str, NDArray]) -> None:
        info = find_entry(self.manifest, entry)
        for buffer in self.manifest.buffers:
            if buffer.name in {*info.reads, *info.writes}:
                array = buffers[buffer.name]
                assert array.dtype == buffer.dtype
                assert array.shape == tuple(evaluate(parse_dim(size), dims) for size in buffer.shape)
                assert array.flags.c_contiguous
        self.calls.append(entry)
        if code := self.programs[entry](buffers):
            raise code_error(self.manifest, entry, code)

    def fast_call(self, *_: object) -> None:
        """There is none."""


def buffer(name: str, role: str, shape: str, dtype: str = "float32") -> BufferInfo:
    return BufferInfo.model_validate({"name": name, "role": role, "dtype": dtype, "shape": shape.split()})


def entry(name: str, reads: str, writes: str) -> EntryInfo:
    return EntryInfo(name=name, symbol=f"m_{name}", reads=reads.split(), writes=writes.split(), slots=0)


RESULTS = "loss.numerator loss.count metric.mae.numerator metric.mae.count"


SCORES = [
    ScoreInfo(name="loss", formula="mean", sums=["loss.numerator", "loss.count"], weights=[1.0]),
    ScoreInfo(name="mae", formula="mean", sums=["metric.mae.numerator", "metric.mae.count"], weights=[1.0]),
]


def results() -> list[BufferInfo]:
    return [buffer(name, "output", "", "float64") for name in RESULTS.split()]


def score(b: Mapping[str, NDArray], error: NDArray) -> None:
    b["loss.numerator"][...] = (error.astype(np.float64) ** 2).sum()
    b["metric.mae.numerator"][...] = np.abs(error).astype(np.float64).sum()
    b["loss.count"][...] = b["metric.mae.count"][...] = error.size


def linear(
    *, max_batch: int | None = None, rate: float = 0.05, packs_in_training: bool = False
) -> NumpyEngine:
    """y [N, 2] from x [N, 3]: momentum 0.9, a running mean of x that predictions subtract."""
    weights = "head.kernel head.bias norm.mean"
    state = "optimizer.m.head.kernel optimizer.m.head.bias optimizer.step"
    packed = " packed.offset" if packs_in_training else ""
    manifest = Manifest(
        netwright="0.1.0",
        model="linear",
        target="numpy",
        dims=[DimInfo(name="N", max=max_batch, role="batch")],
        buffers=[
            buffer("x", "input", "N 3"),
            buffer("y", "input", "N 2"),
            buffer("out", "output", "N 2"),
            *results(),
            buffer("head.kernel", "parameter", "3 2"),
            buffer("head.bias", "parameter", "2"),
            buffer("norm.mean", "statistic", "3"),
            buffer("optimizer.m.head.kernel", "state", "3 2"),
            buffer("optimizer.m.head.bias", "state", "2"),
            buffer("optimizer.step", "state", "", "int64"),
            buffer("packed.offset", "packed", "2"),
        ],
        entries=[
            entry("prepare", weights, "packed.offset"),
            entry("predict", "x head.kernel packed.offset", "out"),
            entry("loss", f"x y {weights}", RESULTS),
            entry("train_step", f"x y {weights} {state}", f"{weights} {state} {RESULTS}{packed}"),
        ],
        scores=SCORES,
    )

    def prepare(b: Mapping[str, NDArray]) -> None:
        b["packed.offset"][...] = b["head.bias"] - b["norm.mean"] @ b["head.kernel"]

    def predict(b: Mapping[str, NDArray]) -> None:
        b["out"][...] = b["x"] @ b["head.kernel"] + b["packed.offset"]

    def error(b: Mapping[str, NDArray]) -> NDArray:
        return (b["x"] - b["norm.mean"]) @ b["head.kernel"] + b["head.bias"] - b["y"]

    def train_step(b: Mapping[str, NDArray]) -> None:
        x, wrong = b["x"] - b["norm.mean"], error(b)
        score(b, wrong)
        b["optimizer.step"] += 1
        step = rate / (1 + 0.001 * float(b["optimizer.step"]))
        for name, gradient in (("head.kernel", x.T @ wrong), ("head.bias", wrong.sum(0))):
            moment = b[f"optimizer.m.{name}"]
            moment *= 0.9
            moment += 2 * gradient / wrong.size
            b[name][...] -= (step * moment).astype(np.float32)
        b["norm.mean"][...] = 0.99 * b["norm.mean"] + 0.01 * b["x"].mean(0)
        if packs_in_training:
            prepare(b)

    def loss(b: Mapping[str, NDArray]) -> int:
        score(b, error(b))
        return 1 if (b["x"] > 1e6).any() else 0

    return NumpyEngine(
        manifest, {"prepare": prepare, "predict": predict, "loss": loss, "train_step": train_step}
    )


def linear_values() -> dict[str, NDArray]:
    return {
        "head.kernel": np.full((3, 2), 0.1, np.float32),
        "head.bias": np.zeros(2, np.float32),
        "norm.mean": np.zeros(3, np.float32),
    }


def linear_data(count: int = 100, seed: int = 0) -> dict[str, NDArray]:
    """Inputs and noisy targets of a known line."""
    random = np.random.default_rng(seed)
    x = random.normal(size=(count, 3)).astype(np.float32)
    kernel = np.array([[1, -1], [2, 0], [0.5, 3]], np.float32)
    noise = 0.01 * random.normal(size=(count, 2)).astype(np.float32)
    return {"x": x, "y": x @ kernel + np.float32(0.3) + noise}


def leaky(*, rate: float = 0.02, min_steps: int = 1) -> NumpyEngine:
    """y [N, T, 1] from x [N, T, 1] with steps past each sequence's length not counted."""
    weights = "cell.a cell.w"
    manifest = Manifest(
        netwright="0.1.0",
        model="leaky",
        target="numpy",
        dims=[DimInfo(name="N", role="batch"), DimInfo(name="T", min=min_steps, role="time")],
        buffers=[
            buffer("x", "input", "N T 1"),
            buffer("n", "input", "N", "int64"),
            buffer("y", "input", "N T 1"),
            *results(),
            buffer("cell.a", "parameter", "1"),
            buffer("cell.w", "parameter", "1"),
            buffer("carry.cell.h", "state", "N 1"),
            buffer("optimizer.step", "state", "", "int64"),
        ],
        entries=[
            entry("loss", f"x n y {weights}", RESULTS),
            entry(
                "train_step",
                f"x n y {weights} carry.cell.h optimizer.step",
                f"{weights} carry.cell.h optimizer.step {RESULTS}",
            ),
        ],
        scores=SCORES,
    )

    def roll(b: Mapping[str, NDArray], h: NDArray) -> tuple[NDArray, ...]:
        """Error, and the derivatives of the output with respect to a and w (truncated at the window's start)."""
        batch, steps, _ = b["x"].shape
        dh = np.zeros_like(h)
        wrong, da, dw = (np.zeros((batch, steps, 1), np.float32) for _ in range(3))
        for t in range(steps):
            valid = (t < b["n"])[:, None]
            dh = np.where(valid, h + b["cell.a"] * dh, dh)
            h = np.where(valid, b["cell.a"] * h + b["x"][:, t], h)
            wrong[:, t] = np.where(valid, b["cell.w"] * h - b["y"][:, t], 0)
            da[:, t], dw[:, t] = b["cell.w"] * dh, h
        return wrong, da, dw, h

    def finish(b: Mapping[str, NDArray], wrong: NDArray) -> int:
        score(b, wrong)
        b["loss.count"][...] = b["metric.mae.count"][...] = b["n"].sum()
        return 2 if (b["n"] > b["x"].shape[1]).any() or (b["n"] < 0).any() else 0

    def loss(b: Mapping[str, NDArray]) -> int:
        return finish(b, roll(b, np.zeros((len(b["x"]), 1), np.float32))[0])

    def train_step(b: Mapping[str, NDArray]) -> int:
        wrong, da, dw, h = roll(b, b["carry.cell.h"])
        b["carry.cell.h"][...] = h
        b["optimizer.step"] += 1
        count = max(int(b["n"].sum()), 1)
        for name, derivative in (("cell.a", da), ("cell.w", dw)):
            b[name] -= np.float32(rate * 2 / count) * (wrong * derivative).sum()
        return finish(b, wrong)

    return NumpyEngine(manifest, {"loss": loss, "train_step": train_step})


def leaky_values() -> dict[str, NDArray]:
    return {"cell.a": np.array([0.2], np.float32), "cell.w": np.array([0.5], np.float32)}


def leaky_data(count: int = 5, steps: int = 11, seed: int = 0) -> dict[str, NDArray]:
    """Sequences of a known recurrence, a = 0.7 and w = 1.5, with lengths from 1 to `steps`."""
    random = np.random.default_rng(seed)
    x = random.normal(size=(count, steps, 1)).astype(np.float32)
    y, h = np.zeros_like(x), np.zeros((count, 1), np.float32)
    for t in range(steps):
        h = 0.7 * h + x[:, t]
        y[:, t] = 1.5 * h
    return {"x": x, "n": random.integers(1, steps + 1, count), "y": y}
