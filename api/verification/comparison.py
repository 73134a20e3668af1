"""Compares what a compiled file computes with the reference, from outside: inputs and outputs go through files."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from netwright.compiler.codegen.files.generated import bound_dims, generated_inputs, small_sizes
from netwright.compiler.frontend.build import bounded_network
from netwright.compiler.interpreter import evaluate
from netwright.compiler.vectors import Tolerance, shake
from netwright.runtime.files.npy import write_npy
from netwright.runtime.files.npz import write_npz
from netwright.specs.files import scratch_folder
from netwright.specs.manifest import Manifest

from ..build import reference
from ..model import Model
from ..weights.network import Weights, read_weights
from .programs import Failure, Program

#: The sizes that are tried: of the batch, and of other open axes.
SIZES = ((1, 3), (3, 5), (8, 17))
#: How long a library may take, in seconds.
_SECONDS = 3600

#: Outputs by name for inputs by name.
Predict = Callable[[Mapping[str, NDArray]], Mapping[str, NDArray]]


@dataclass(frozen=True, slots=True)
class Compared:
    """How far an output is from the reference's, in units in the last place of its largest number, for some sizes."""

    dims: Mapping[str, int]
    output: str
    ulp: float
    allowed: float

    @property
    def agrees(self) -> bool:
        """Whether rounding explains the difference."""
        return self.ulp <= self.allowed

    def __str__(self) -> str:
        sizes = " ".join(f"{name}={size}" for name, size in self.dims.items()) or "its sizes"
        if self.ulp == 0:
            return f"{sizes}: {self.output} is exact"
        says = "is within" if self.agrees else "DIFFERS by"
        return f"{sizes}: {self.output} {says} {self.ulp:.3g} ulp (rounding explains {self.allowed:.3g})"


def compared(model: Model, weights: Weights, predict: Predict) -> Iterator[Compared]:
    """Compares the outputs of ``predict`` at several sizes with those of the interpreter. Raises Failure."""
    network = bounded_network(model.load, model.network)
    graph = network.graphs["predict"]
    manifest = reference(network, {"predict": graph}).manifest
    values = read_weights(network, weights)
    seen: list[Mapping[str, int]] = []
    for batch, size in SIZES:
        dims = small_sizes(manifest, batch, size)
        if dims in seen:
            continue
        seen.append(dims)
        inputs = generated_inputs(manifest, "predict", dims)
        given, bound = {**values, **inputs}, bound_dims(manifest, dims, inputs)
        generator = np.random.default_rng(0)
        off = {**shake(values, generator), **shake(inputs, generator)}
        expected = evaluate(graph, {name: given[name] for name in graph.inputs}, bound)
        shaken = evaluate(graph, {name: off[name] for name in graph.inputs}, bound)
        results = predict(inputs)
        shown = {name: size for name, size in dims.items() if not _is_longest(manifest, name)}
        for name in network.outputs:
            if name not in results:
                raise Failure(f"there is no output {name}: is it compiled from this spec?")
            yield _compare(shown, name, results[name], expected[name], shaken[name])


def _is_longest(manifest: Manifest, name: str) -> bool:
    """Whether a dim is the largest of some lengths, and no size."""
    return any(dim.name == name and dim.longest_of is not None for dim in manifest.dims)


def _compare(
    dims: Mapping[str, int], name: str, actual: NDArray, expected: NDArray, shaken: NDArray
) -> Compared:
    if actual.shape != expected.shape or actual.dtype != expected.dtype:
        raise Failure(
            f"the output {name} is {actual.dtype} {list(actual.shape)}, and by the spec {expected.dtype} "
            f"{list(expected.shape)}"
        )
    tolerance = Tolerance.of(expected, shaken, np.abs(expected.astype(np.float64)), expected.dtype)
    with np.errstate(all="ignore"):
        same = (actual == expected) | ((actual != actual) & (expected != expected))
        distance = np.abs(actual.astype(np.float64) - expected.astype(np.float64)) / tolerance.ulp
    distance = np.where(same, 0.0, np.where(np.isnan(distance), np.inf, distance))
    return Compared(dims, name, float(distance.max(initial=0.0)), tolerance.allowed)


def predict_with_program(program: Program) -> Predict:
    """Predicts with an executable."""

    def predict(inputs: Mapping[str, NDArray]) -> Mapping[str, NDArray]:
        with scratch_folder() as folder:
            given = []
            for number, (name, array) in enumerate(inputs.items()):
                write_npy(folder.path / f"{number}.npy", array)
                given.append(f"{name}={folder.path / f'{number}.npy'}")
            program.predict(given, folder.path / "out.npz")
            return _read(folder.path / "out.npz")

    return predict


def predict_with_library(path: Path, weights: Mapping[str, NDArray] | None) -> Predict:
    """Predicts with a shared library, in a child process, so that a crash is a finding like others. ``weights`` are
    those that the library does not contain."""

    def predict(inputs: Mapping[str, NDArray]) -> Mapping[str, NDArray]:
        with scratch_folder() as folder:
            write_npz(folder.path / "inputs.npz", dict(inputs))
            write_npz(folder.path / "weights.npz", dict(weights or {}))
            child = [
                sys.executable,
                "-m",
                "netwright.verification.child",
                str(path.resolve()),
                str(folder.path),
            ]
            done = subprocess.run(child, capture_output=True, text=True, errors="replace", timeout=_SECONDS)
            if done.returncode:
                said = done.stderr.strip().splitlines()
                how = (
                    f"signal {-done.returncode}" if done.returncode < 0 else said[-1] if said else "an error"
                )
                raise Failure(f"{path} can't predict: {how}")
            return _read(folder.path / "out.npz")

    return predict


def _read(path: Path) -> dict[str, NDArray]:
    with np.load(path, allow_pickle=False) as arrays:
        return dict(arrays)
