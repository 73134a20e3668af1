"""PyTorch modules to ONNX files: seeded weights that hide nothing, and both exporters."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

OPSET = 17
#: Counted up when `settle` changes, so that files made before it are made again.
REVISION = 3


def settle(module: Any, seed: int = 0) -> Any:
    """Gives a module weights that make every layer count, and returns it in eval mode.

    What starts as one number throughout (the scale of a normalization, a layer's scale of 1e-6, a bias of 0) is drawn,
    since a branch that starts at zero would hide its errors. Running statistics are near those of fresh layers: the
    data's own would, in a deep network that was never trained, blow up what little tells its samples apart, and
    rounding with it.
    """
    import torch

    torch.manual_seed(seed)
    with torch.no_grad():
        for parameter in module.parameters():
            if (
                parameter.numel() > 1
                and parameter.is_floating_point()
                and (parameter == parameter.flatten()[0]).all()
            ):
                if float(parameter.flatten()[0]) == 0:
                    parameter.normal_(0, 0.1)
                else:
                    parameter.uniform_(0.8, 1.2)
        for one in module.modules():
            if getattr(one, "running_var", None) is not None:
                one.running_mean.normal_(0, 0.1)
                one.running_var.uniform_(0.8, 1.2)
    return module.eval()


def export(
    module: Any,
    args: Sequence[Any],
    path: Path,
    *,
    dynamo: bool,
    names: Sequence[str],
    open_axes: Mapping[str, Mapping[int, str]],
    opset: int = OPSET,
) -> None:
    """Writes the ONNX file of a module. ``open_axes`` names the open axes of each input."""
    import torch

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        if dynamo:
            made: dict[str, Any] = {}
            shapes = tuple(
                {
                    axis: made.setdefault(size, torch.export.Dim(size))
                    for axis, size in open_axes.get(name, {}).items()
                }
                for name in names
            )
            torch.onnx.export(
                module,
                tuple(args),
                str(path),
                dynamo=True,
                input_names=list(names),
                dynamic_shapes=shapes if open_axes else None,
                external_data=False,
                verbose=False,
            )
            return
        torch.onnx.export(
            module,
            tuple(args),
            str(path),
            dynamo=False,
            opset_version=opset,
            input_names=list(names),
            dynamic_axes={name: dict(axes) for name, axes in open_axes.items()} or None,
        )
