"""Netwright as a backend of ONNX (`onnx.backend.base.Backend`): models are imported, compiled and run as native code.

Shapes and weights that arrive as inputs at run time are treated as constants: the model is imported for their values,
and that import is kept for later calls with the same values.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx.backend.base import Backend, BackendRep

from ..program import Program
from ..yaml_text import to_yaml
from .errors import NeedsValue, OnnxError
from .files import check
from .importing import Imported, import_graph
from .raw import RawModel
from .reading import OnnxGraph, read_graph
from .spec import UNUSED

#: How many specializations of a model are kept.
KEPT = 16


class NetwrightRep(BackendRep):
    """A model ready to run."""

    def __init__(self, graph: OnnxGraph):
        self.graph = graph
        self._kept: dict[bytes, tuple[Imported, Program | None]] = {}
        self._bound: tuple[str, ...] = ()

    def run(self, inputs: Any, **kwargs: Any) -> tuple[NDArray, ...]:
        """The outputs, for inputs in the model's order (or by name). Raises OnnxError."""
        values = self._named(inputs)
        imported, program = self._specialized(values)
        outputs: dict[str, NDArray] = dict(imported.constants)
        if program is not None:
            given = {here: np.asarray(values[name]) for name, here in imported.inputs.items()}
            given = given or {UNUSED: np.zeros(1, np.float32)}
            results = program.predict(**given)
            for name, here in imported.outputs.items():
                result = results[here]
                outputs[name] = result.astype(imported.narrow.get(name, result.dtype))
        return tuple(outputs[name] for name in self.graph.outputs)

    def _named(self, inputs: Any) -> dict[str, NDArray]:
        names = [port.name for port in self.graph.inputs]
        if isinstance(inputs, Mapping):
            given = dict(inputs)
        else:
            listed = list(inputs) if isinstance(inputs, Sequence) else [inputs]
            if len(listed) > len(names):
                raise OnnxError(f"{len(listed)} inputs are given, the model has {len(names)}")
            given = dict(zip(names, listed, strict=False))
        missing = [name for name in names if name not in given]
        if missing:
            raise OnnxError(f"the input {missing[0]!r} is missing")
        return {port.name: _as(given[port.name], port.dtype) for port in self.graph.inputs}

    def _specialized(self, values: Mapping[str, NDArray]) -> tuple[Imported, Program | None]:
        """The model imported for the values of those inputs that must be known."""
        while True:
            key = self._key(values)
            if key in self._kept:
                return self._kept[key]
            bound = {name: values[name] for name in self._bound}
            try:
                imported = import_graph(self.graph, "onnx_model", bound=bound, keep_constants=True)
                break
            except NeedsValue as needed:
                more = needed.inputs - set(self._bound)
                if not more:
                    raise OnnxError(str(needed)) from None
                self._bound = (*self._bound, *sorted(more))
        program = None
        if imported.outputs:
            model = check(to_yaml(imported.tree))
            program = model.compile(dict(imported.weights), entries=["predict"])
        while len(self._kept) >= KEPT:
            self._kept.pop(next(iter(self._kept)))
        self._kept[key] = imported, program
        return imported, program

    def _key(self, values: Mapping[str, NDArray]) -> bytes:
        digest = hashlib.sha256()
        for name in self._bound:
            array = values[name]
            digest.update(f"{name} {array.dtype} {array.shape}\n".encode())
            digest.update(np.ascontiguousarray(array).tobytes())
        return digest.digest()


def _as(value: Any, dtype: str) -> NDArray:
    """An input as an array. A Python number or list takes the expected element type."""
    array = np.asarray(value)
    return array.astype(dtype) if array.dtype == object else array


class NetwrightBackend(Backend):
    """The interface that ONNX's test runner and other tools call."""

    @classmethod
    def prepare(cls, model: onnx.ModelProto, device: str = "CPU", **kwargs: Any) -> NetwrightRep:
        """Imports and compiles a model. Raises OnnxError if it certainly can't be imported."""
        if not cls.supports_device(device):
            raise OnnxError(f"there is no device {device}")
        graph = read_graph(RawModel(model))
        with suppress(NeedsValue):  # inputs that must be known may be so at run time
            import_graph(graph, "onnx_model", keep_constants=True)
        return NetwrightRep(graph)

    @classmethod
    def run_model(
        cls, model: onnx.ModelProto, inputs: Any, device: str = "CPU", **kwargs: Any
    ) -> tuple[NDArray, ...]:
        """Prepares and runs a model. Raises OnnxError."""
        return cls.prepare(model, device, **kwargs).run(inputs)

    @classmethod
    def supports_device(cls, device: str) -> bool:
        """Whether the device is the CPU, the only one supported."""
        return device.split(":")[0].upper() == "CPU"


prepare = NetwrightBackend.prepare
run_model = NetwrightBackend.run_model
supports_device = NetwrightBackend.supports_device
