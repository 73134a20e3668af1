"""Writes sunspots-train.npz and sunspots-valid.npz from statsmodels' copy of the yearly sunspot numbers.

    pip install statsmodels
    python make_data.py [FOLDER]

Both hold x, [N, T, 1], the numbers of T years in a row, and y, [N, T, 1], those of one year later each. Training
takes every window of 32 years up to 1946; 1947 to 2008 are one sequence, of which no year is trained on.
"""

import sys
from pathlib import Path

import numpy as np
from statsmodels.datasets import sunspots

FIRST_YEAR = 1700
FIRST_HELD_OUT = 1947
WINDOW = 32


def windows(numbers: np.ndarray, length: int) -> dict[str, np.ndarray]:
    """Every stretch of `length` years that is followed by one more, and the same stretch one year on."""
    view = np.lib.stride_tricks.sliding_window_view(numbers, length)[..., np.newaxis]
    return {"x": view[:-1], "y": view[1:]}


def main(folder: Path) -> None:
    numbers = sunspots.load_pandas().data["SUNACTIVITY"].to_numpy(np.float32)
    trained, held_out = np.split(numbers, [FIRST_HELD_OUT - FIRST_YEAR])
    np.savez_compressed(folder / "sunspots-train.npz", **windows(trained, WINDOW))
    np.savez_compressed(folder / "sunspots-valid.npz", **windows(held_out, len(held_out) - 1))


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parent)
