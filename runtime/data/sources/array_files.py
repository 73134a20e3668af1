"""`type: arrays`: arrays as NumPy writes them."""

from __future__ import annotations

from pathlib import Path

from netwright.specs.models.data import ArraysData

from ..dataset import Dataset, open_dataset
from ..wanted import Wanted


def open_set(spec: ArraysData, folder: Path, wanted: Wanted) -> Dataset:
    """The arrays of a .npz file or of .npy files; only headers are read. Raises DataError."""
    if isinstance(spec.path, str):
        return open_dataset(folder / spec.path)
    return open_dataset({name: folder / path for name, path in spec.path.items()})
