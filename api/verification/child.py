"""Predicts with a shared library in a process of its own: ``python -m netwright.verification.child LIBRARY FOLDER``.

FOLDER has ``inputs.npz`` and ``weights.npz``, and gets ``out.npz``.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np

from netwright.runtime.arrays.named import WEIGHT_ROLES
from netwright.runtime.engines.shared import load_shared
from netwright.runtime.files.npz import write_npz
from netwright.runtime.sessions.session import Session


def main(library: Path, folder: Path) -> None:
    """Writes the outputs of the library's `predict`. Raises ExecutionError, WeightsError and InputError."""
    engine = load_shared(library)
    with np.load(folder / "weights.npz", allow_pickle=False) as arrays:
        weights = {**dict(arrays), **engine.embedded}
    roles = (*WEIGHT_ROLES, "packed")
    known = {buffer.name for buffer in engine.manifest.buffers if buffer.role in roles}
    with np.load(folder / "inputs.npz", allow_pickle=False) as arrays:
        inputs = dict(arrays)
    session = Session(engine, {name: array for name, array in weights.items() if name in known})
    write_npz(folder / "out.npz", session.predict(**inputs))


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
