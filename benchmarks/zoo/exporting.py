"""Writes the ONNX file of a network of torchvision or timm, in a process of its own:
`python -m benchmarks.zoo.exporting SOURCE/MODEL PATH`.

The weights are random, seeded, and such that every layer counts (``settle`` of tests/zoo). One image of the size that
the network is made for.
"""

from __future__ import annotations

import inspect
import os
import sys
from pathlib import Path
from typing import Any

import torch

from tests.zoo import torchvision_models
from tests.zoo.exporting import export, settle


def main() -> None:
    """Writes beside the file first, so that what is there is whole."""
    name, path = sys.argv[1], Path(sys.argv[2])
    source, _, model = name.partition("/")
    torch.manual_seed(0)
    module, shape = _MAKERS[source](model)
    unfinished = path.with_suffix(".part")
    image = torch.randn(1, *shape)
    export(settle(module), [image], unfinished, dynamo=False, names=["image"], open_axes={})
    os.replace(unfinished, path)


def _torchvision(model: str) -> tuple[Any, tuple[int, ...]]:
    models = torchvision_models.library().models
    families = (models, models.segmentation, models.video)
    build = next(getattr(family, model) for family in families if hasattr(family, model))
    options: dict[str, Any] = {"weights": None}
    if "weights_backbone" in inspect.signature(build).parameters:
        options["weights_backbone"] = None
    if model in ("googlenet", "inception_v3"):
        options |= {"init_weights": False, "aux_logits": False}
    module = build(**options)
    if models.segmentation.__name__ in type(module).__module__:
        module = torchvision_models.first(module, "out")
    if models.video.__name__ in type(module).__module__:
        return module, (3, 8, 112, 112)
    return module, (3, 299, 299) if model == "inception_v3" else (3, 224, 224)


def _timm(model: str) -> tuple[Any, tuple[int, ...]]:
    torchvision_models.library()  # timm imports it
    import timm

    module = timm.create_model(model, pretrained=False, exportable=True)
    return module, tuple(module.default_cfg["input_size"])


_MAKERS = {"torchvision": _torchvision, "timm": _timm}

if __name__ == "__main__":
    main()
