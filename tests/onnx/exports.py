"""Models as PyTorch's exporters write them, and files of those that take seconds each to export."""

from __future__ import annotations

import io
import lzma
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest

from .models import onnxruntime_outputs


def export(module: Any, *operands: Any, dynamo: bool) -> onnx.ModelProto:
    """Of any number N of samples; ``dynamo``: by the newer exporter. The inputs are `x` and `h`."""
    torch = pytest.importorskip("torch", reason="torch is not installed (pip install torch)")
    pytest.importorskip("onnxscript", reason="onnxscript is not installed (pip install onnxscript)")
    names = ["x", "h"][: len(operands)]
    file = io.BytesIO()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        if not dynamo:
            axes = {name: {0: "N"} for name in names}
            options: dict[str, Any] = {"input_names": names, "dynamic_axes": axes}
            torch.onnx.export(module.eval(), operands, file, dynamo=False, **options)
            return onnx.load_from_string(file.getvalue())
        sizes = tuple({0: torch.export.Dim("N")} for _ in names)
        options = {"input_names": names, "dynamic_shapes": sizes, "verbose": False}
        return torch.onnx.export(module.eval(), operands, dynamo=True, **options).model_proto


@dataclass(frozen=True)
class Exports:
    """Exports a module of one test. What the newer exporter writes is read from ``path``, unless it is exported
    ``anew``; ``update`` writes the file."""

    path: Path
    anew: bool
    update: bool

    def __call__(self, module: Any, *operands: Any, dynamo: bool) -> onnx.ModelProto:
        if not dynamo or (self.anew and not self.update):
            return export(module, *operands, dynamo=dynamo)
        if self.update:
            self._write(export(module, *operands, dynamo=True))
        assert self.path.is_file(), f"no file {self.path}: run pytest --update-golden"
        model = onnx.load_from_string(lzma.decompress(self.path.read_bytes()))
        self._check(model, module, operands)
        return model

    def _write(self, model: onnx.ModelProto) -> None:
        # Where in which file of this computer each node comes from: most of the bytes, and nobody reads them.
        for node in model.graph.node:
            kept = [entry for entry in node.metadata_props if not entry.key.endswith("stack_trace")]
            del node.metadata_props[:]
            node.metadata_props.extend(kept)
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self.path.write_bytes(lzma.compress(model.SerializeToString(deterministic=True)))

    def _check(self, model: onnx.ModelProto, module: Any, operands: Sequence[Any]) -> None:
        """A module that has changed since it was exported gives other answers than the file."""
        wanted = module.eval()(*operands)
        given = {name: value.numpy() for name, value in zip("xh", operands, strict=False)}
        found = onnxruntime_outputs(model, given)
        for ours, theirs in zip(found, wanted if isinstance(wanted, tuple) else (wanted,), strict=True):
            message = f"{self.path} is of another module: run pytest --update-golden"
            np.testing.assert_allclose(ours, theirs.detach().numpy(), rtol=1e-4, atol=1e-5, err_msg=message)
