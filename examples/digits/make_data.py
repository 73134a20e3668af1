"""Writes digits-train.npz and digits-valid.npz from scikit-learn's copy of the UCI optical digits.

    pip install scikit-learn
    python make_data.py [FOLDER]

The split is stratified and seeded. (In the data's own order the last images were written by other people than
the first.)
"""

import sys
from pathlib import Path

import numpy as np
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split


def main(folder: Path) -> None:
    digits = load_digits()
    image = digits.images.astype(np.uint8)[..., np.newaxis]
    label = digits.target.astype(np.int64)
    parts = train_test_split(np.arange(len(label)), test_size=360, stratify=label, random_state=0)
    for name, chosen in zip(("train", "valid"), parts, strict=True):
        np.savez_compressed(folder / f"digits-{name}.npz", image=image[chosen], label=label[chosen])


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parent)
