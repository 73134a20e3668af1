"""A case made concrete: the compiled network, its weights, and the arrays of one call."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

import netwright
from netwright.compiler.frontend.network import Network, initial_values
from netwright.compiler.graph.types import FLOATS
from netwright.program import Program
from netwright.specs.dims import evaluate

from .cases import Case
from .networks.builder import Spec

Arrays = dict[str, NDArray]

SEED = 7
#: The entry of a program that a case calls.
ENTRIES = {"inference": "predict", "step": "predict", "training": "train_step"}


@dataclass(frozen=True)
class Problem:
    """A case with everything that a peer needs. Arrays have our layouts: features last, batch first."""

    case: Case
    spec: Spec
    model: netwright.Model
    weights: Mapping[str, NDArray]
    inputs: Arrays
    targets: Arrays

    @property
    def entry(self) -> str:
        """The entry that is called."""
        return ENTRIES[self.case.kind]

    @cached_property
    def fixed(self) -> netwright.Model:
        """The model with all sizes fixed, as peers get it."""
        return netwright.load(self.spec, dims=dict(self.case.sizes))

    def compiled(self, threads: int) -> tuple[Program, float]:
        """Our program with the weights, and the CPU seconds of loading and compiling it (from the cache if it is
        there)."""
        start = time.process_time()
        program = netwright.load(self.spec).compile(dict(self.weights), entries=[self.entry], threads=threads)
        if self.case.kind == "step":
            program.stream()
        return program, time.process_time() - start


def problem(case: Case) -> Problem:
    """The case with seeded weights and inputs."""
    network = case.network()
    model = netwright.load(network.spec)
    weights = initial_values(model.network, SEED)
    if case.kind != "training":
        settle(model.network, weights)
    random = np.random.default_rng(SEED)
    inputs = {
        name: _drawn(
            random,
            type.dtype,
            tuple(evaluate(size, case.sizes) for size in type.shape),
            network.ranges.get(name),
        )
        for name, type in model.network.inputs.items()
    }
    targets: Arrays = {}
    if case.kind == "training":
        for name, target in network.spec["train"]["targets"].items():
            shape = tuple(case.sizes[size] if isinstance(size, str) else size for size in target["shape"])
            targets[name] = _drawn(random, target["dtype"], shape, network.ranges.get(name))
    return Problem(case, network.spec, model, weights, inputs, targets)


def settle(network: Network, weights: dict[str, NDArray]) -> None:
    """Draws what starts as one number throughout (scales, statistics and biases), so that no layer hides its errors."""
    random = np.random.default_rng(SEED)
    for name, array in weights.items():
        if name not in network.parameters or array.size < 2 or not (array == array.flat[0]).all():
            continue
        ones = array.flat[0] == 1
        drawn = random.uniform(0.8, 1.2, array.shape) if ones else random.normal(0, 0.1, array.shape)
        weights[name] = drawn.astype(array.dtype)


def _drawn(
    random: np.random.Generator, dtype: str, shape: tuple[int, ...], bounds: tuple[int, int] | None
) -> NDArray:
    if dtype in FLOATS:
        return random.standard_normal(shape).astype(dtype)
    low, high = bounds or (0, 2)
    return random.integers(low, high, shape).astype(dtype)
