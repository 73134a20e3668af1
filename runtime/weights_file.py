"""Weights as they are stored: the tensors of a weights file, or those of a checkpoint.

Everything that takes weights from a file reads them here.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from .errors import WeightsError
from .tensors import TensorFile

#: What the metadata of a checkpoint call its format. The number changes with the names of the tensors.
CHECKPOINT = "netwright-checkpoint-2"
_ANY_CHECKPOINT = "netwright-checkpoint-"
#: The prefixes of a checkpoint's weights.
BEST, LAST = "best.", "weights."


class WeightsFile:
    """The weights in a file: ``headers`` has each tensor's shape and dtype, ``metadata`` the file's metadata.

    Of a checkpoint they are the best weights so far, or the last ones if no epoch was compared with others. Raises
    WeightsError if the file can't be read.
    """

    def __init__(self, path: str | Path):
        self._file = TensorFile(path)
        self.metadata = self._file.metadata
        self._prefix = ""
        form = self.metadata.get("format", "")
        if form.startswith(_ANY_CHECKPOINT):
            if form != CHECKPOINT:
                raise WeightsError(f"{path} is a checkpoint of another version of netwright")
            has_best = any(name.startswith(BEST) for name in self._file.headers)
            self._prefix = BEST if has_best else LAST
        self.headers: dict[str, tuple[tuple[int, ...], np.dtype]] = {
            name.removeprefix(self._prefix): header
            for name, header in self._file.headers.items()
            if name.startswith(self._prefix)
        }

    def read(self, name: str) -> NDArray:
        """A tensor by its name among the weights. Raises WeightsError if it can't be read."""
        return self._file.read(self._prefix + name)
