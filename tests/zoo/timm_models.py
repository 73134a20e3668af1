"""timm's networks, on small images."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from . import torchvision_models
from .entries import Entry
from .exporting import export, settle

_LISTED = Path(__file__).with_suffix(".txt")


def _entries() -> Iterator[Entry]:
    for line in _LISTED.read_text(encoding="utf-8").splitlines():
        if not line.startswith("#"):
            model, _, variants = line.partition(": ")
            for variant in variants.split():
                exporter, _, shape = variant.partition("/")
                yield Entry("timm", model, exporter, shape)


ENTRIES = tuple(_entries())

#: The side of the images: networks with attention or position weights keep the one they are made for.
_SIDE = 64
#: Networks that make less than a window of that.
_LARGER = {"inception_v4": 128}


def make(entry: Entry, path: Path) -> None:
    """Writes the ONNX file of an entry."""
    torchvision_models.library()  # timm imports it, and does not know how to do without its operators
    import timm
    import torch

    torch.manual_seed(0)
    module = timm.create_model(entry.model, pretrained=False, exportable=True)
    config: dict[str, Any] = module.default_cfg
    if config.get("fixed_input_size"):
        side = config["input_size"][-1]
    else:
        side = max(_LARGER.get(entry.model, _SIDE), *(config.get("min_input_size") or (3, 0, 0))[1:])
    image = torch.randn(1 if entry.shape == "fixed" else 2, 3, side, side)
    module = settle(module)
    open_axes = {} if entry.shape == "fixed" else {"image": {0: "batch"}}
    export(module, [image], path, dynamo=entry.exporter == "dynamo", names=["image"], open_axes=open_axes)
