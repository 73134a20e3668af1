"""All entries of the zoo, from every source."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from . import keras_models, packages, timm_models, torch_models, torchvision_models
from .entries import Entry

#: How the models of a source come to be: writes an ONNX file.
MAKERS: dict[str, Callable[[Entry, Path], None]] = {
    "torchvision": torchvision_models.make,
    "timm": timm_models.make,
    "torch": torch_models.make,
    "keras": keras_models.make,
}

ENTRIES: tuple[Entry, ...] = (
    *torch_models.ENTRIES,
    *torchvision_models.ENTRIES,
    *timm_models.ENTRIES,
    *keras_models.ENTRIES,
    *packages.ENTRIES,
)


def make(entry: Entry, path: Path) -> None:
    """Writes the ONNX file of an entry. Imports its library, so is best called in a process of its own."""
    MAKERS.get(entry.source, packages.make)(entry, path)
