"""Draws the sequences of both problems, in the folder build.

    python make_data.py

adding: of T numbers, uniform from 0 to 1, one of the first half and one of the second half are marked. The total is the
sum of the two.

copying: four symbols, then nothing for T steps, then the request to repeat them, for four steps. The answer is the four
symbols.

Both problems are those of Hochreiter and Schmidhuber, "Long short-term memory" (1997), as Arjovsky, Shah and Bengio,
"Unitary evolution recurrent neural networks" (2016) put them.
"""

from pathlib import Path

import numpy as np

FOLDER = Path(__file__).parent / "build"
#: How many sequences there are to train on, by their length.
ADDING = {100: 6400, 400: 6400, 1000: 1600, 2000: 1600}
COPYING = {100: 6400}
HELD_OUT = 512  # of each length, to validate, and as many others to test
LENGTHS = (100, 400, 1000, 2000)

SYMBOLS, LENGTH = 8, 4  # 1 … 8, of which four are to be kept
NOTHING, REPEAT = 0, 9


def adding(rng: np.random.Generator, count: int, steps: int) -> dict[str, np.ndarray]:
    """`x`, float32 [count, steps, 2]: numbers and marks; `total`, float32 [count, 1]."""
    rows = np.arange(count)[:, np.newaxis]
    half = steps // 2
    marked = np.stack([rng.integers(0, half, count), rng.integers(half, steps, count)], axis=1)
    numbers, marks = rng.random((count, steps)), np.zeros((count, steps))
    marks[rows, marked] = 1
    total = numbers[rows, marked].sum(axis=1, keepdims=True)
    return {"x": np.stack([numbers, marks], axis=-1).astype(np.float32), "total": total.astype(np.float32)}


def copying(rng: np.random.Generator, count: int, steps: int) -> dict[str, np.ndarray]:
    """`symbols`, int64 [count, steps + 8]; `answer`, int64 [count, 4]: which of the eight symbols, from 0."""
    answer = rng.integers(0, SYMBOLS, (count, LENGTH))
    pause = np.full((count, steps), NOTHING)
    repeat = np.full((count, LENGTH), REPEAT)
    return {"symbols": np.concatenate([answer + 1, pause, repeat], axis=1), "answer": answer}


def main() -> None:
    FOLDER.mkdir(exist_ok=True)
    rng = np.random.default_rng(0)
    for draw, trained in ((adding, ADDING), (copying, COPYING)):
        for steps in LENGTHS:
            counts = {
                "train": trained.get(steps, 0),
                "valid": HELD_OUT if steps in trained else 0,
                "test": HELD_OUT,
            }
            for part, count in counts.items():
                if count:
                    np.savez(FOLDER / f"{draw.__name__}-{steps}-{part}.npz", **draw(rng, count, steps))
        print(f"wrote the sequences of {draw.__name__} to build: {', '.join(map(str, LENGTHS))} steps")
    sequence = adding(rng, 1, 400)
    np.save(FOLDER / "sequence.npy", sequence["x"])
    print(f"the total of build/sequence.npy is {sequence['total'].item():.3f}")


if __name__ == "__main__":
    main()
