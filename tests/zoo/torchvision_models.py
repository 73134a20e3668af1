"""torchvision's networks. Their Python is all that is needed: the library's compiled operators are not."""

from __future__ import annotations

import inspect
import sys
from pathlib import Path
from typing import Any

from .entries import Entry
from .exporting import export, settle

#: The networks, with the side of the square images that they are tried on.
_IMAGES = {
    "alexnet": 224,
    "convnext_tiny": 64,
    "deeplabv3_mobilenet_v3_large": 64,
    "deeplabv3_resnet50": 64,
    "densenet121": 64,
    "densenet169": 64,
    "efficientnet_b0": 64,
    "efficientnet_b1": 64,
    "efficientnet_v2_s": 64,
    "fcn_resnet50": 64,
    "googlenet": 64,
    "inception_v3": 96,
    "lraspp_mobilenet_v3_large": 64,
    "maxvit_t": 224,
    "mnasnet0_5": 64,
    "mnasnet0_75": 64,
    "mnasnet1_0": 64,
    "mnasnet1_3": 64,
    "mobilenet_v2": 64,
    "mobilenet_v3_large": 64,
    "mobilenet_v3_small": 64,
    "regnet_x_400mf": 64,
    "regnet_x_800mf": 64,
    "regnet_y_400mf": 64,
    "regnet_y_800mf": 64,
    "resnet18": 64,
    "resnet34": 64,
    "resnet50": 64,
    "resnext50_32x4d": 64,
    "shufflenet_v2_x0_5": 64,
    "shufflenet_v2_x1_0": 64,
    "shufflenet_v2_x1_5": 64,
    "shufflenet_v2_x2_0": 64,
    "squeezenet1_0": 64,
    "squeezenet1_1": 64,
    "swin_t": 64,
    "vgg11": 224,
    "vgg11_bn": 224,
    "vit_b_16": 224,
    "wide_resnet50_2": 64,
}
#: Networks of video clips.
_CLIPS = ("mc3_18", "r2plus1d_18", "r3d_18", "s3d")
#: Networks that end in boxes.
_DETECTORS = ("fasterrcnn_mobilenet_v3_large_320_fpn", "ssdlite320_mobilenet_v3_large")
_DYNAMO = (
    "alexnet",
    "convnext_tiny",
    "densenet121",
    "efficientnet_b0",
    "googlenet",
    "lraspp_mobilenet_v3_large",
    "mnasnet0_5",
    "mobilenet_v2",
    "mobilenet_v3_small",
    "r3d_18",
    "regnet_y_400mf",
    "resnet18",
    "resnet50",
    "shufflenet_v2_x0_5",
    "squeezenet1_1",
)
_FIXED = ("googlenet", "mobilenet_v3_small", "resnet18", "shufflenet_v2_x1_0", "squeezenet1_1")
#: Networks without a layer of fixed size, whose images can have any.
_ANY_SIZE = ("fcn_resnet50", "lraspp_mobilenet_v3_large", "resnet18", "squeezenet1_1")

ENTRIES = (
    *(Entry("torchvision", name, "legacy") for name in (*_IMAGES, *_CLIPS)),
    *(Entry("torchvision", name, "legacy", "fixed") for name in (*_FIXED, *_DETECTORS)),
    *(
        Entry("torchvision", name, "legacy", "sizes", sizes={"height": (64, 96), "width": (96, 64)})
        for name in _ANY_SIZE
    ),
    *(Entry("torchvision", name, "dynamo") for name in _DYNAMO),
    *(Entry("torchvision", name, "dynamo", "fixed") for name in ("mobilenet_v3_small", "resnet18")),
)


def library() -> Any:
    """torchvision, also where its compiled operators are for another PyTorch: their names then stay empty."""
    try:
        import torchvision.models
    except (ImportError, RuntimeError):
        import torch

        for name in [name for name in sys.modules if name.split(".")[0] == "torchvision"]:
            del sys.modules[name]
        operators = torch.library.Library("torchvision", "DEF")
        for name in ("nms", "qnms"):
            operators.define(f"{name}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
        import torchvision.models

        torchvision.operators = operators  # they are gone when nobody holds them
    return torchvision


def make(entry: Entry, path: Path) -> None:
    """Writes the ONNX file of an entry."""
    import torch

    models = library().models
    families = (models, models.segmentation, models.video, models.detection)
    build = next(getattr(one, entry.model) for one in families if hasattr(one, entry.model))
    options: dict[str, Any] = {"weights": None}
    if "weights_backbone" in inspect.signature(build).parameters:
        options["weights_backbone"] = None
    if entry.model in ("googlenet", "inception_v3"):
        options |= {"init_weights": False, "aux_logits": False}
    if entry.model.startswith("vgg"):
        options["num_classes"] = 10
    torch.manual_seed(0)
    module = build(**options)
    samples = 1 if entry.shape == "fixed" else 2
    if entry.model in _CLIPS:
        clip = (16, 224, 224) if entry.model == "s3d" else (4, 64, 64)  # it ends in a pool of 7 × 7
        image = torch.randn(samples, 3, *clip)
    elif entry.model in _DETECTORS:
        image = torch.rand(samples, 3, 320, 320)
    else:
        image = torch.randn(samples, 3, _IMAGES[entry.model], _IMAGES[entry.model])
    if models.segmentation.__name__ in type(module).__module__:
        module = first(module, "out")
    module = settle(module)
    axes = {"open": {0: "batch"}, "fixed": {}, "sizes": {0: "batch", 2: "height", 3: "width"}}[entry.shape]
    open_axes = {"image": axes} if axes else {}
    export(module, [image], path, dynamo=entry.exporter == "dynamo", names=["image"], open_axes=open_axes)


def first(module: Any, key: str) -> Any:
    """A module that gives one value of another's dictionary."""
    import torch

    class First(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.module = module

        def forward(self, image: Any) -> Any:
            return self.module(image)[key]

    return First()
