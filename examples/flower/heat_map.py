"""Draws a network's map of a photograph over it: red where it sees a flower, dark where it sees none.

    python heat_map.py build/photos/flower.png build/flower.npz build/flower-map.jpg

The map is the array `map` [1, rows, columns, 1] of what the executable wrote. Each of its cells is what the network makes
of a window of 46×46 pixels; the next one is 8 pixels further.
"""

import sys

import numpy as np
from PIL import Image

STEP, WINDOW = 8, 46


def spread(map: np.ndarray, rows: int, columns: int) -> np.ndarray:
    """A map [cells, cells] in the size of the photograph, each cell in the middle of its window; 0 at the borders."""
    image = Image.fromarray(map.astype(np.float32))
    large = np.asarray(image.resize((map.shape[1] * STEP, map.shape[0] * STEP), Image.Resampling.BILINEAR))
    spread = np.zeros((rows, columns), np.float32)
    first = (WINDOW - STEP) // 2
    spread[first : first + large.shape[0], first : first + large.shape[1]] = large
    return spread


def main(photo: str, outputs: str, drawing: str) -> None:
    pixels = np.asarray(Image.open(photo).convert("RGB"), np.float32)
    with np.load(outputs) as arrays:
        chances = spread(arrays["map"][0, :, :, 0], *pixels.shape[:2])[..., np.newaxis]
    grey = pixels.mean(axis=-1, keepdims=True) * np.array([0.35, 0.35, 0.5])
    glow = 0.5 * pixels + 0.5 * np.array([255, 40, 0])
    Image.fromarray((grey + chances * (glow - grey)).clip(0, 255).astype(np.uint8)).save(drawing)
    print(f"wrote {drawing}: a flower in {(chances > 0.5).mean():.1%} of the picture")


if __name__ == "__main__":
    main(*sys.argv[1:])
