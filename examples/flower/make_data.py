"""Cuts small crops, with a flower or without, out of the two photographs that come with scikit-learn.

    pip install "netwright[examples]"
    python make_data.py

    build/train/yes/0007.png     one of 600 crops of 48×48 pixels from the left half of the large flower
    build/train/no/0007.png      one of 1,000 from what is around it, and from a photograph without a flower
    build/valid/…                crops from the right halves of both photographs
    build/photos/…               the photographs, and the second one with the flower in its sky; as .png and as .npy

The small flower at the lower edge is in no crop.
"""

import sys
from pathlib import Path

import numpy as np

try:
    from PIL import Image, ImageDraw
    from sklearn.datasets import load_sample_image
except ImportError as error:
    sys.exit(f'{error}: pip install "netwright[examples]" brings what this example needs')

FOLDER = Path(__file__).parent / "build"
SIZE = 48
MIDDLE, RADIUS = np.array([222, 308]), 135  # of the large flower: row and column
OTHER = (340, 250, 427, 500)  # the small one: first row and column, last row and column


def has_flower(row: int, column: int) -> bool | None:
    """Whether a crop with this corner shows the large flower; None if in part, or if it shows the other one."""
    distance = np.linalg.norm(np.array([row, column]) + SIZE / 2 - MIDDLE)
    if row + SIZE > OTHER[0] and OTHER[1] < column + SIZE and column < OTHER[3]:
        return None
    return True if distance < RADIUS - 30 else False if distance > RADIUS + 40 else None


def crops(
    photo: np.ndarray, count: int, left: bool, wanted: bool | None, rng: np.random.Generator
) -> list[np.ndarray]:
    """So many crops from the left or right half of a photograph; of that with the flower, those that are ``wanted``."""
    half = photo.shape[1] // 2
    taken: list[np.ndarray] = []
    while len(taken) < count:
        row = int(rng.integers(photo.shape[0] - SIZE))
        column = int(rng.integers(half - SIZE)) + (0 if left else half)
        if wanted is None or has_flower(row, column) is wanted:
            taken.append(photo[row : row + SIZE, column : column + SIZE])
    return taken


def with_flower_in_the_sky(china: np.ndarray, flower: np.ndarray) -> Image.Image:
    """The second photograph with the flower, smaller and turned, where no flower was in training."""
    (row, column), size = MIDDLE, int(1.6 * RADIUS)
    square = Image.fromarray(flower[row - RADIUS : row + RADIUS, column - RADIUS : column + RADIUS])
    mask = Image.new("L", square.size)
    ImageDraw.Draw(mask).ellipse((8, 8, 2 * RADIUS - 8, 2 * RADIUS - 8), fill=255)
    picture = Image.fromarray(china)
    picture.paste(square.rotate(40).resize((size, size)), (400, 10), mask.resize((size, size)))
    return picture


def main() -> None:
    flower, china = (load_sample_image(name) for name in ("flower.jpg", "china.jpg"))
    rng = np.random.default_rng(0)
    for name, left, (yes, around, elsewhere) in (
        ("train", True, (600, 400, 600)),
        ("valid", False, (150, 100, 150)),
    ):
        images = {
            "yes": crops(flower, yes, left, True, rng),
            "no": crops(flower, around, left, False, rng) + crops(china, elsewhere, left, None, rng),
        }
        for kind, cut in images.items():
            (FOLDER / name / kind).mkdir(parents=True, exist_ok=True)
            for number, image in enumerate(cut):
                Image.fromarray(image).save(FOLDER / name / kind / f"{number:04d}.png")
        print(f"wrote {sum(map(len, images.values())):,} crops of {SIZE}×{SIZE} pixels to build/{name}")
    photos = {
        "flower": Image.fromarray(flower),
        "china": Image.fromarray(china),
        "both": with_flower_in_the_sky(china, flower),
    }
    (FOLDER / "photos").mkdir(exist_ok=True)
    for name, photo in photos.items():
        photo.save(FOLDER / "photos" / f"{name}.png")
        np.save(FOLDER / "photos" / f"{name}.npy", np.asarray(photo)[np.newaxis])
    print(f"wrote {len(photos)} photographs to build/photos")


if __name__ == "__main__":
    main()
