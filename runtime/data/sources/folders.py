"""What folders of files by class share: their listing, and a data set that reads the files of a batch."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Container, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from netwright.specs.manifest import BufferInfo

from ...errors import DataError, listed
from ..classes import number_names
from ..kept import KeptSamples, stamp
from ..samples import Header, Rows, Samples
from ..wanted import Wanted

#: Decoded files of a data set are kept up to this many bytes.
KEPT_BYTES = 256 << 20
#: What systems put into folders by themselves.
_IGNORED = {"thumbs.db", "desktop.ini"}


@dataclass(frozen=True)
class Listing:
    """The files of a folder, with the targets of each, and the names of their classes. ``kinds`` are the positions of a
    file of each kind.
    """

    path: Path
    files: tuple[Path, ...]
    targets: Mapping[str, NDArray]
    classes: Mapping[str, tuple[str, ...]]
    kinds: Sequence[int]

    def place(self, row: int) -> str:
        """The file of a sample, from the folder on."""
        return str(self.files[row].relative_to(self.path))


def list_folder(path: Path, wanted: Wanted, target: BufferInfo, suffixes: Iterable[str]) -> Listing:
    """The files in the folders of a folder, class by class, in the order of their names. Raises DataError for a folder
    that is no class, for files that don't end in one of the ``suffixes``, and for more than two classes where the
    target takes 0 and 1.
    """
    suffixes = tuple(suffixes)
    folders = [folder for folder in _entries(path) if folder.is_dir()]
    if not folders:
        raise DataError(f"{path}: no folder is in it; it needs one per class")
    names = [folder.name for folder in folders]
    if all(name.isascii() and name.isdigit() for name in names):
        names.sort(key=int)
    classes = wanted.classes.get(target.name) or tuple(names)
    if wanted.is_yes_or_no(target) and len(classes) > 2:
        raise DataError(
            f"{path}: {target.name} is 0 or 1, there are {len(classes)} classes: {listed(classes)}"
        )
    numbers = number_names(names, classes, lambda name: str(path / name))
    files: list[Path] = []
    labels: list[int] = []
    for folder in folders:
        for file in _entries(folder):
            if file.suffix.lower() not in suffixes or not file.is_file():
                what = "a folder" if file.is_dir() else "no file of this type"
                allowed = ", ".join(suffixes)
                raise DataError(f"{file} is {what}; {folder} may hold files that end in {allowed}")
            files.append(file)
            labels.append(numbers[folder.name])
    if not files:
        raise DataError(f"{path}: its folders are empty")
    array = np.array(labels, np.int64)
    kinds = np.unique(array, return_index=True)[1].tolist()
    if wanted.is_yes_or_no(target):
        array = array.astype(target.dtype).reshape(-1, *[1] * (len(target.shape) - 1))
    return Listing(path, tuple(files), {target.name: array}, {target.name: classes}, kinds)


def _entries(path: Path) -> list[Path]:
    entries = sorted(path.iterdir(), key=lambda entry: entry.name)
    return [entry for entry in entries if entry.name[0] != "." and entry.name.lower() not in _IGNORED]


class FolderSamples(Samples):
    """Files that are read when their samples are asked for, and kept while there is room (``KEPT_BYTES``) and they stay
    as they are. Readers say what is in a file."""

    def __init__(
        self,
        listing: Listing,
        input: str,
        header: Header,
        more: Mapping[str, Header] | None = None,
    ):
        count = (len(listing.files),)
        headers = {
            input: Header(count + header.shape, header.dtype),
            **{name: Header(array.shape, array.dtype) for name, array in listing.targets.items()},
            **{name: Header(count + header.shape, header.dtype) for name, header in (more or {}).items()},
        }
        super().__init__(str(listing.path), headers, listing.classes)
        self.listing, self._input = listing, input
        self._paths = [str(file) for file in listing.files]
        own = {name: self.headers[name] for name in headers if name not in listing.targets}
        self._kept = KeptSamples(own, KEPT_BYTES)

    @abstractmethod
    def read_file(self, path: Path, names: Container[str]) -> dict[str, NDArray]:
        """The arrays with these ``names`` of one sample; its class is known. Raises DataError, which names the file."""

    def read(self, rows: Rows, names: Iterable[str]) -> dict[str, NDArray]:
        numbers = np.arange(len(self))[rows]
        names = list(names)
        arrays: dict[str, NDArray] = {}
        own = [name for name in names if name not in self.listing.targets]
        if own:
            arrays |= self._read_files(numbers, own)
        return arrays | {name: array[rows] for name, array in self.listing.targets.items() if name in names}

    def _read_files(self, numbers: NDArray[np.int64], names: Sequence[str]) -> dict[str, NDArray]:
        stamps = [stamp(self._paths[number]) for number in numbers.tolist()]
        present = self._kept.present(numbers, stamps)
        if present.all():
            return self._kept.read(numbers, names)
        headers = {name: self.headers[name] for name in names}
        arrays = {
            name: np.empty((len(numbers), *header.shape[1:]), header.dtype)
            for name, header in headers.items()
        }
        if present.any():
            for name, array in self._kept.read(numbers[present], names).items():
                arrays[name][present] = array
        for i in np.flatnonzero(~present).tolist():
            number = int(numbers[i])
            sample = self.read_file(self.listing.files[number], names)
            for name in names:
                arrays[name][i] = sample[name]
            self._kept.keep(number, stamps[i], sample)
        return arrays

    def place(self, row: int) -> str:
        return self.listing.place(row)

    def try_some(self) -> None:
        """Reads a file of each kind."""
        for position in self.listing.kinds:
            self.read_file(self.listing.files[position], self.headers)

    def load(self) -> None:
        """A mistake in the spec shows in the first files."""
        self.try_some()
