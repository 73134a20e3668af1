"""Trains on a data set that is far larger than memory, and measures how much memory that takes.

    python -m tests.large [--gigabytes 20] [--most 1.0]

The data are two .npy files, of which most is a hole, so that they take next to no space on the disk; they are read
like any others. A process of its own trains on all of them for an epoch, in random order, with `netwright train`. The
largest resident memory of that process is printed, and compared with the limit, in GB. Exit code 1: it was more.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

WIDTH = 16384
SPEC = f"""
netwright: 1
model: large
dims: {{N: batch}}
inputs: {{x: {{shape: [N, {WIDTH}]}}}}
layers:
  - {{name: first, type: slice, axes: 1, stops: 64}}
  - {{name: y, type: dense, units: 1}}
outputs: {{y: y}}
train:
  data: {{train: {{type: arrays, path: {{x: x.npy, t: t.npy}}}}}}
  targets: {{t: {{shape: [N, 1], dtype: float32}}}}
  loss: {{type: mse, output: y, target: t}}
  epochs: 1
  batch_size: 64
"""
#: Runs the command and says the largest resident memory of its process, in bytes.
CHILD = """
import resource, sys
from netwright.cli import main
try:
    main(sys.argv[1:], standalone_mode=False)
finally:
    print("peak", resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024))
"""


def write(folder: Path, size: int) -> int:
    """Files of about ``size`` bytes; the number of samples."""
    rows = size // (4 * WIDTH)
    x = np.lib.format.open_memmap(folder / "x.npy", "w+", np.float32, (rows, WIDTH))
    x[:: max(1, rows // 1000), :8] = 1  # the rest are zeros that no disk holds
    x.flush()
    np.save(folder / "t.npy", np.arange(rows, dtype=np.float32)[:, np.newaxis] % 2)
    (folder / "large.yaml").write_text(SPEC, encoding="utf-8")
    return rows


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--gigabytes", type=float, default=20.0, help="the size of the data")
    parser.add_argument("--most", type=float, default=1.0, help="the most memory, in GB")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        rows = write(folder, int(options.gigabytes * 1e9))
        disk = sum(path.stat().st_blocks * 512 for path in folder.iterdir())
        start = time.perf_counter()
        command = [
            sys.executable,
            "-c",
            CHILD,
            "train",
            folder / "large.yaml",
            "--weights",
            folder / "w.safetensors",
        ]
        done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
        seconds = time.perf_counter() - start
    peak = int(done.stdout.split()[-1])
    print(
        f"{rows:,} samples, {options.gigabytes:g} GB ({disk / 1e6:.0f} MB on the disk), an epoch in {seconds:.1f} s"
    )
    print(f"largest resident memory: {peak / 1e9:.2f} GB, of at most {options.most:g}")
    return int(peak > options.most * 1e9)


if __name__ == "__main__":
    sys.exit(main())
