"""`type: arrays`: arrays as NumPy writes them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

from netwright.specs.files import STANDARD_STREAM
from netwright.specs.models.data import ArraysData

from ...errors import DataError, listed
from ...files.npy import read_npy
from ..dataset import Dataset, open_dataset
from ..fitting import check_against
from ..input_files import list_files
from ..inputs import STANDARD_INPUT, InputBatch, Inputs, Place, input_name, samples_of_files
from ..wanted import Wanted


def open_set(spec: ArraysData, folder: Path, wanted: Wanted) -> Dataset:
    """The arrays of a .npz file or of .npy files; only headers are read. Raises DataError."""
    if isinstance(spec.path, str):
        return open_dataset(folder / spec.path)
    return open_dataset({name: folder / path for name, path in spec.path.items()})


def read_inputs(spec: ArraysData, paths: Sequence[Path], wanted: Wanted, size: int) -> Inputs:
    """Arrays to predict for: .npz files with an array per input, folders of .npy files that are named like the inputs,
    folders with .npz files in and below them, and .npy files (or `-`) for a model with one input. Raises DataError for
    other paths.
    """
    names = [info.name for info in wanted.inputs]
    files: list[Path] = []
    for path in paths:
        whole = is_folder_of(names, path)
        files += [path] if whole else list_files([path], (".npz", ".npy"), "array", others=_is_piped(path))

    def read(path: Path) -> Inputs:
        data = _open(path, names)
        if problems := check_against(data.headers, wanted.inputs, list(wanted.dims.values())):
            raise DataError("\n  ".join([f"{input_name(path)} does not fit the model:", *problems]))
        for start in range(0, len(data), size):
            arrays = data.read(slice(start, start + size), names)
            rows = range(start, min(start + size, len(data)))
            yield InputBatch([Place(str(input_name(path)), "sample", row) for row in rows], arrays)

    return samples_of_files(files, read, wanted)


def is_folder_of(names: Iterable[str], path: Path) -> bool:
    """Whether a path is a folder with a .npy file for each of these arrays."""
    return path.is_dir() and all((path / f"{name}.npy").exists() for name in names)


def _is_piped(path: Path) -> bool:
    return str(path) == STANDARD_STREAM


def _open(path: Path, names: Sequence[str]) -> Dataset:
    if path.suffix != ".npy" and not _is_piped(path):
        return open_dataset(path)
    if len(names) > 1:
        raise DataError(
            f"{input_name(path)} is one array, the model takes {listed(names)}: put them into a .npz file"
        )
    if _is_piped(path):
        return Dataset({names[0]: read_npy(path)}, STANDARD_INPUT)
    return open_dataset({names[0]: path})
