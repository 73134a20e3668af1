"""Trains for an epoch on a sparse `.npy` file and prints the peak of resident memory; 1 if it is above the limit.

    python -m tests.large [--size 20] [--limit 1]

The file's cells are zeros that take no place on disk, but are read like any others: as many samples as `--size` GB
hold, shuffled.
"""

from __future__ import annotations

import argparse
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from numpy.lib import format as npy

FEATURES = 1024
SPEC = f"""
netwright: 1
model: large
dims: {{N: batch}}
inputs: {{x: {{shape: [N, {FEATURES}]}}}}
layers:
  - {{name: hidden, type: dense, units: 16, activation: relu}}
  - {{name: head, type: dense, units: 4}}
outputs: {{y: head}}
train:
  data: {{train: {{type: arrays, path: {{x: x.npy, label: label.npy}}}}}}
  loss: {{type: softmax_cross_entropy, output: y, target: label}}
  optimizer: {{type: sgd, learning_rate: 0.01}}
  epochs: 1
  batch_size: 256
"""


def write_sparse(path: Path, shape: tuple[int, ...], dtype: type) -> None:
    """A `.npy` file of zeros that are a hole in the file."""
    header = {"descr": npy.dtype_to_descr(np.dtype(dtype)), "fortran_order": False, "shape": shape}
    with path.open("wb") as file:
        npy.write_array_header_2_0(file, header)
        file.truncate(file.tell() + int(np.prod(shape)) * np.dtype(dtype).itemsize)


def main() -> int:
    parser = argparse.ArgumentParser(description="Training on a data set larger than memory")
    parser.add_argument("--size", type=float, default=20, help="GB of the inputs")
    parser.add_argument("--limit", type=float, default=1, help="GB of resident memory")
    options = parser.parse_args()
    samples = int(options.size * 1e9) // (FEATURES * 4)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "large.yaml").write_text(SPEC)
        write_sparse(folder / "x.npy", (samples, FEATURES), np.float32)
        write_sparse(folder / "label.npy", (samples,), np.int64)
        began = time.monotonic()
        command = [sys.executable, "-m", "netwright", "train", "large.yaml", "--weights", "large.safetensors"]
        subprocess.run(command, cwd=folder, check=True)
        seconds = time.monotonic() - began
    peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * 1024 / 1e9
    print(
        f"{samples:,} samples, {options.size:g} GB, in {seconds:.0f} s; peak of resident memory {peak:.3f} GB"
    )
    return int(peak > options.limit)


if __name__ == "__main__":
    sys.exit(main())
