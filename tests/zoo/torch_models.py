"""PyTorch networks as people write them: recurrences, encoders and decoders, upsampling, one-dimensional ones."""

from __future__ import annotations

from pathlib import Path

from .entries import Entry
from .exporting import OPSET, export, settle

#: The networks (classes of torch_series.py and torch_images.py), with the open axes of their inputs.
_BATCH = {"x": {0: "batch"}}
_SERIES = {"x": {0: "batch", 1: "steps"}}
_SIGNAL = {"x": {0: "batch", 2: "steps"}}
_IMAGE = {"x": {0: "batch", 2: "height", 3: "width"}}
_PAIR = {"x": {0: "batch"}, "other": {0: "batch"}}
_STATES = {"x": {0: "batch", 1: "steps"}, "h": {1: "batch"}, "c": {1: "batch"}}
OPEN_AXES = {
    "Lstm": _SERIES,
    "BidirectionalLstm": _SERIES,
    "StackedGru": _SERIES,
    "GruEncoder": _SERIES,
    "PlainRnn": _SERIES,
    "LstmWithStates": _STATES,
    "LstmCells": _BATCH,
    "GruCells": _BATCH,
    "Crnn": {"x": {0: "batch", 3: "width"}},
    "ConvLstm": _BATCH,
    "SequenceToSequence": _SERIES,
    "AttentionPooling": _SERIES,
    "TemporalConvolutions": _SIGNAL,
    "WaveNet": _SIGNAL,
    "KeywordSpotter": _SIGNAL,
    "DemucsLike": _BATCH,
    "UNet": _IMAGE,
    "SegNet": _BATCH,
    "Autoencoder": _BATCH,
    "DcganGenerator": _BATCH,
    "SubpixelUpscaler": _IMAGE,
    "ResidualUpscaler": _IMAGE,
    "FeaturePyramid": _IMAGE,
    "Siamese": _PAIR,
    "SpatialTransformer": _BATCH,
    "VolumeNet": {"x": {0: "batch"}},
    "LeNet": _BATCH,
    "SmallInception": _BATCH,
    "StandardizedConvolutions": _BATCH,
    "PatchMixer": _BATCH,
    "StyleTransfer": _IMAGE,
    "YoloHead": _BATCH,
}
#: What an exporter can't do.
_NOT_EXPORTED = {("SegNet", "legacy")}
#: Sizes that have to divide.
_MULTIPLES = {"UNet": {"height": "4k", "width": "4k"}}
_SIZES = {"batch": (2, 3), "steps": (9, 14), "height": (32, 48), "width": (48, 32)}

ENTRIES = tuple(
    Entry(
        "torch",
        name,
        exporter,
        sizes={size: _SIZES[size] for one in axes.values() for size in one.values()},
        dims=_MULTIPLES.get(name, {}),
    )
    for exporter in ("legacy", "dynamo")
    for name, axes in OPEN_AXES.items()
    if (name, exporter) not in _NOT_EXPORTED
)


def make(entry: Entry, path: Path) -> None:
    """Writes the ONNX file of an entry."""
    import torch

    from . import torch_images, torch_series

    torch.manual_seed(0)
    over_series = hasattr(torch_series, entry.model)
    home, usual = (torch_series, torch_series.SERIES) if over_series else (torch_images, torch_images.IMAGE)
    args = [torch.randn(shape) for shape in home.SHAPES.get(entry.model, (usual,))]
    module = settle(getattr(home, entry.model)())
    axes, opset = (
        OPEN_AXES[entry.model],
        20 if entry.model == "SpatialTransformer" else OPSET,
    )  # affine_grid is of 20
    export(
        module, args, path, dynamo=entry.exporter == "dynamo", names=list(axes), open_axes=axes, opset=opset
    )
