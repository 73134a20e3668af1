"""A drawn network, compiled for a target, with the inputs that it is run on and what the interpreter answers."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from netwright.artifacts.files import Request, save
from netwright.compiler.codegen.files.platforms import platform_named
from netwright.specs.load import load_spec_text

from ..draw.check import agree
from ..draw.networks import draw
from ..engines.harness import Arrays, Model, as_text


class Unsuitable(Exception):
    """No program can be made of the network, for any target: its sizes do not follow from its inputs."""


@dataclass
class Job:
    """A compiled network: ``program`` in ``folder``, which also holds each input as NAME.npy."""

    number: int
    model: Model
    dims: Mapping[str, int]
    weights: Arrays
    inputs: Arrays
    folder: Path
    program: Path

    def compare(self, answers: Mapping[str, NDArray]) -> None:
        """Raises `Finding` unless the answers are the interpreter's up to rounding, and `Sensitive` where roundings
        make as much of a difference to the interpreter itself."""
        table = {**self.weights, **self.inputs}
        expected = self.model.interpret("predict", table, self.dims)
        given = {name: array for name, array in answers.items() if name in expected}
        assert given.keys() == expected.keys(), f"{sorted(answers)} in place of {sorted(expected)}"
        agree(self.model, "predict", table, self.dims, given, expected)


def make(number: int, seed: int, target: str | None, cpu: str | None, folder: Path) -> Job:
    """Draws a network and compiles it. Raises Unsuitable, and whatever the compiler raises."""
    case = draw(number, seed)
    spec = {key: value for key, value in case.spec.items() if key != "train"}
    model = Model(spec, entries=("predict",))
    dims, weights = case.bindings[-1], model.weights(case.seed)
    inputs = model.batch(dims, case.seed, targets=False)
    read = {*model.network.graphs["predict"].inputs}
    inputs = {name: array for name, array in inputs.items() if name in read}
    folder.mkdir(parents=True, exist_ok=True)
    for name, array in inputs.items():
        np.save(folder / f"{name}.npy", array)
    load = load_spec_text(as_text(spec), "spec.json")
    (folder / "spec.json").write_text(json.dumps(spec))
    library = target is not None and platform_named(target).makes == "static library"
    name, kind, entries = ("program.a", "static", ("predict",)) if library else ("program", "exe", None)
    request = Request(kind, cpu, entries, target=target)
    try:
        paths = save(load, model.network, weights, folder / name, request)
    except ValueError as error:
        if "stays unknown" in str(error):
            raise Unsuitable(str(error)) from error
        raise
    return Job(number, model, dims, weights, inputs, folder, paths[0])
