"""Writes reverse-train.npz and reverse-valid.npz: numbers of 2 to 6 digits, and the digits backwards.

    python make_data.py [FOLDER]

Numbers are drawn at random; none is in both files.
"""

import sys
from pathlib import Path

import numpy as np

LONGEST = 6
BEGIN, END = 10, 11
TRAINED, HELD_OUT = 1200, 200


def example(digits: np.ndarray) -> dict[str, np.ndarray]:
    """One number, padded to `LONGEST` digits and one step more for the end."""
    count, steps = len(digits), LONGEST + 1
    answer = np.append(digits[::-1], END)
    return {
        "digits": np.pad(digits, (0, LONGEST - count)),
        "count": np.int64(count),
        "previous": np.pad(np.insert(answer[:-1], 0, BEGIN), (0, steps - count - 1)),
        "answer": np.pad(answer, (0, steps - count - 1)),
        "counts": np.arange(steps) <= count,
    }


def main(folder: Path) -> None:
    rng = np.random.default_rng(0)
    numbers: set[tuple[int, ...]] = set()
    while len(numbers) < TRAINED + HELD_OUT:
        numbers.add(tuple(map(int, rng.integers(0, 10, rng.integers(2, LONGEST + 1)))))
    drawn = [np.array(number, np.int64) for number in sorted(numbers)]
    rng.shuffle(drawn)
    for name, part in (("train", drawn[:TRAINED]), ("valid", drawn[TRAINED:])):
        examples = [example(digits) for digits in part]
        arrays = {key: np.stack([one[key] for one in examples]) for key in examples[0]}
        np.savez_compressed(folder / f"reverse-{name}.npz", **arrays)


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parent)
