"""Weights as they are stored: the tensors of a weights file, or those of a checkpoint.

Everything that takes weights from a file reads them here.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from netwright.specs.manifest import AVERAGE

from ..errors import WeightsError
from .tensors import TensorFile

#: What the metadata of a checkpoint call its format. The number changes with the names of the tensors.
CHECKPOINT = "netwright-checkpoint-2"
_ANY_CHECKPOINT = "netwright-checkpoint-"
#: What the weights and the checkpoint are called in the folder of a run.
RUN_WEIGHTS, RUN_CHECKPOINT = "weights.safetensors", "weights.checkpoint"
#: The prefixes of a checkpoint's best weights, last weights, and other state.
BEST, LAST, STATE = "best.", "weights.", "state."


class WeightsFile:
    """The weights in a file: ``headers`` has each tensor's shape and dtype, ``metadata`` the file's metadata.

    Of a checkpoint they are the best weights so far, or the last ones if no epoch was compared with others: their
    averages where the training keeps them. Of a run's folder they are in whichever of both files is newer. Raises
    WeightsError if the file can't be read.
    """

    def __init__(self, path: str | Path):
        self._file = TensorFile(_in_folder(Path(path)))
        self.metadata = self._file.metadata
        names = {name: name for name in self._file.headers}
        form = self.metadata.get("format", "")
        if form.startswith(_ANY_CHECKPOINT):
            if form != CHECKPOINT:
                raise WeightsError(f"{path} is a checkpoint of another version of netwright")
            names = _beginning_with(BEST, self._file)
            if not names:
                names = _beginning_with(LAST, self._file) | self._averages()
        self._names = names
        self.headers: dict[str, tuple[tuple[int, ...], np.dtype]] = {
            name: self._file.headers[stored] for name, stored in names.items()
        }

    def read(self, name: str) -> NDArray:
        """A tensor by its name among the weights. Raises WeightsError if it can't be read."""
        return self._file.read(self._names[name])

    def _averages(self) -> dict[str, str]:
        """Averages of weights, which are part of a checkpoint's state, once there was something to average."""
        names = _beginning_with(f"{STATE}{AVERAGE}", self._file)
        counters = (f"{STATE}optimizer.updates", f"{STATE}optimizer.step")
        counter = next((name for name in counters if name in self._file.headers), None)
        return names if names and counter and self._file.read(counter).any() else {}


def _in_folder(path: Path) -> Path:
    """The path of a file, or that of the weights in the folder of a run."""
    files = [
        path / name for name in (RUN_WEIGHTS, RUN_CHECKPOINT) if path.is_dir() and (path / name).exists()
    ]
    return max(files, key=lambda file: file.stat().st_mtime_ns, default=path)


def _beginning_with(prefix: str, file: TensorFile) -> dict[str, str]:
    """The names of tensors with a prefix, by what follows it."""
    return {name.removeprefix(prefix): name for name in file.headers if name.startswith(prefix)}
