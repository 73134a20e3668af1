"""Draws garments-train.npz and garments-valid.npz in the folder build: 28×28 grey pictures of ten kinds of garments.

    pip install "netwright[data]"
    python make_data.py [FOLDER]

Each picture is drawn anew: its cut, size, place, tilt, cloth and light vary, so that no two are alike, and some kinds
(shirt, coat, pullover) differ in little more than a collar, a row of buttons or the length.
"""

import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np

try:
    from PIL import Image, ImageDraw
except ImportError:
    sys.exit('drawing needs Pillow: pip install "netwright[data]"')

SIZE, FINER = 28, 8  # pixels of a picture, and how many times finer it is drawn
TRAINED, HELD_OUT = 6000, 1000

Point = tuple[float, float]


class Picture:
    """A garment being drawn, in units of its width: x from -0.5 to 0.5, y from 0, the top, to 1."""

    def __init__(self, rng: np.random.Generator):
        self.rng = rng
        self.image = Image.new("L", (SIZE * FINER, SIZE * FINER), 0)
        self.pen = ImageDraw.Draw(self.image)
        self.cloth = int(rng.uniform(110, 235))
        self.seam = int(self.cloth * rng.uniform(0.35, 0.6))
        self.width, self.height = rng.uniform(0.82, 1.0, 2)

    def vary(self, low: float, high: float) -> float:
        return float(self.rng.uniform(low, high))

    def place(self, points: list[Point]) -> list[Point]:
        side = SIZE * FINER
        return [
            (side * (0.5 + 0.92 * self.width * x), side * (0.5 + 0.9 * self.height * (y - 0.5)))
            for x, y in points
        ]

    def fill(self, points: list[Point], shade: int | None = None) -> None:
        self.pen.polygon(self.place(points), fill=self.cloth if shade is None else shade)

    def both(self, half: list[Point], shade: int | None = None) -> None:
        """Fills an outline of which the right half is given, from top to bottom."""
        self.fill([*half, *((-x, y) for x, y in reversed(half))], shade)

    def line(self, points: list[Point], shade: int | None = None, wide: float = 0.03) -> None:
        self.pen.line(
            self.place(points), fill=self.seam if shade is None else shade, width=round(wide * SIZE * FINER)
        )

    def finished(self) -> np.ndarray:
        """The picture, tilted and moved a little, with the weave of its cloth, as [28, 28, 1] bytes."""
        moved = self.image.rotate(
            self.vary(-6, 6), Image.Resampling.BILINEAR, translate=tuple(self.rng.integers(-8, 9, 2).tolist())
        )
        pixels = np.asarray(moved.resize((SIZE, SIZE), Image.Resampling.BOX), np.float64)
        rows = np.arange(SIZE)
        stripes = 1 + self.vary(0, 0.25) * np.sin(rows * self.vary(0.5, 2.5))
        pixels *= stripes[:, None] if self.rng.random() < 0.5 else stripes[None, :]
        pixels *= 1 + 0.3 * (self.rng.random((SIZE, SIZE)) - 0.5)
        return np.clip(pixels, 0, 255).astype(np.uint8)[..., np.newaxis]


def top(p: Picture, length: float, sleeve: float, neck: float) -> float:
    """A body with sleeves: to where they reach, and how far the neck is cut out. Returns half the body's width."""
    waist, shoulder = p.vary(0.2, 0.27), p.vary(0.24, 0.3)
    cuff, arm = p.vary(0.4, 0.48), p.vary(0.1, 0.14)
    end = 0.12 + sleeve * 0.62
    out = shoulder + (cuff - shoulder) * min(1.0, 0.45 + sleeve)
    p.both(
        [(0.09, 0.03), (shoulder, 0.08), (out, end), (out - arm, end + 0.03), (waist, 0.3), (waist, length)]
    )
    p.both([(0.09, 0.02), (0.06, 0.03 + neck)], shade=0)
    return waist


def t_shirt(p: Picture) -> None:
    top(p, p.vary(0.82, 0.95), p.vary(0.22, 0.38), p.vary(0.02, 0.07))


def trousers(p: Picture) -> None:
    hip, hem, gap = p.vary(0.17, 0.24), p.vary(0.09, 0.16), p.vary(0.02, 0.06)
    p.both([(hip, 0.02), (hip + 0.03, 0.3), (gap + hem, 0.98), (gap, 0.98), (0.0, 0.36)])


def pullover(p: Picture) -> None:
    waist = top(p, p.vary(0.82, 0.95), p.vary(0.85, 1.1), p.vary(0.0, 0.03))
    if p.rng.random() < 0.6:  # the ribbed hem
        p.line([(-waist, 0.8), (waist, 0.8)])


def dress(p: Picture) -> None:
    waist, hem, shoulder = p.vary(0.1, 0.15), p.vary(0.2, 0.34), p.vary(0.13, 0.19)
    p.both([(0.06, 0.02), (shoulder, 0.05), (shoulder, 0.2), (waist, 0.4), (hem, 0.98)])
    p.both([(0.06, 0.01), (0.03, p.vary(0.06, 0.14))], shade=0)


def coat(p: Picture) -> None:
    waist = top(p, p.vary(0.94, 1.0), p.vary(0.85, 1.1), p.vary(0.06, 0.14))
    p.line([(0, 0.1), (0, 1.0)], shade=0 if p.rng.random() < 0.5 else None)
    for side in (-1, 1):  # pockets
        p.line([(side * waist * 0.4, 0.66), (side * waist * 0.9, 0.66)])


def sandal(p: Picture) -> None:
    ground, heel = p.vary(0.62, 0.72), p.vary(0.02, 0.2)
    p.fill(
        [(-0.48, ground), (0.3, ground - heel), (0.47, ground - heel), (0.47, ground), (-0.48, ground + 0.07)]
    )
    if heel > 0.1:
        p.fill([(0.0, ground + 0.05), (0.33, ground - heel + 0.06), (0.3, ground + 0.07)], shade=0)
    for start in (-0.34, -0.1, 0.22)[: p.rng.integers(2, 4)]:
        rise = p.vary(0.12, 0.24)
        p.line(
            [(start, ground), (start + 0.1, ground - heel / 2 - rise), (start + 0.22, ground - heel)],
            p.cloth,
            0.05,
        )


def shirt(p: Picture) -> None:
    top(p, p.vary(0.82, 0.96), p.vary(0.3, 1.05), p.vary(0.05, 0.1))
    for side in (-1, 1):  # the collar
        p.line([(side * 0.09, 0.03), (side * 0.02, 0.13)])
    for y in np.arange(0.18, 0.8, p.vary(0.1, 0.14)):
        p.fill([(-0.015, y), (0.015, y), (0.015, y + 0.03), (-0.015, y + 0.03)], p.seam)


def sneaker(p: Picture) -> None:
    ground, high = p.vary(0.68, 0.78), p.vary(0.18, 0.26)
    p.fill(
        [
            (-0.48, ground),
            (-0.44, ground - 0.12),
            (0.05, ground - high - 0.08),
            (0.24, ground - high),
            (0.44, ground - high - 0.08),
            (0.47, ground),
        ]
    )
    p.fill([(-0.48, ground), (0.48, ground), (0.48, ground + 0.06), (-0.48, ground + 0.06)], p.seam)
    for step in range(3):
        x = -0.2 + 0.1 * step
        p.line([(x, ground - 0.17 - 0.03 * step), (x + 0.1, ground - 0.1 - 0.03 * step)])


def bag(p: Picture) -> None:
    wide, upper, lower = p.vary(0.32, 0.47), p.vary(0.34, 0.48), p.vary(0.8, 0.94)
    p.both([(wide - p.vary(0, 0.08), upper), (wide, lower)])
    grip, rise = wide * p.vary(0.4, 0.8), p.vary(0.15, 0.3)
    p.line(
        [(-grip, upper), (-grip * 0.8, upper - rise), (grip * 0.8, upper - rise), (grip, upper)],
        p.cloth,
        0.04,
    )
    if p.rng.random() < 0.7:
        p.line([(-wide * 0.9, upper + 0.14), (wide * 0.9, upper + 0.14)])


def boot(p: Picture) -> None:
    ground, shaft = p.vary(0.8, 0.9), p.vary(0.1, 0.3)
    p.fill(
        [
            (-0.46, ground),
            (-0.4, ground - 0.16),
            (0.02, ground - 0.32),
            (0.04, shaft),
            (0.4, shaft),
            (0.44, ground),
        ]
    )
    p.fill(
        [
            (-0.46, ground),
            (0.1, ground),
            (0.2, ground - 0.02),
            (0.44, ground - 0.02),
            (0.44, ground + 0.08),
            (0.22, ground + 0.08),
            (0.14, ground + 0.05),
            (-0.46, ground + 0.05),
        ],
        p.seam,
    )


#: The kinds, in the order of their numbers.
KINDS: list[Callable[[Picture], None]] = [
    t_shirt, trousers, pullover, dress, coat, sandal, shirt, sneaker, bag, boot,
]  # fmt: skip


def drawn(kind: int, rng: np.random.Generator) -> np.ndarray:
    """A picture of a kind, by its number."""
    picture = Picture(rng)
    KINDS[kind](picture)
    return picture.finished()


def main(folder: Path) -> None:
    folder.mkdir(exist_ok=True)
    rng = np.random.default_rng(0)
    for name, count in (("train", TRAINED), ("valid", HELD_OUT)):
        label = rng.permutation(np.arange(count) % len(KINDS))
        image = np.stack([drawn(kind, rng) for kind in label])
        path = folder / f"garments-{name}.npz"
        np.savez_compressed(path, image=image, label=label.astype(np.int64))
        print(f"wrote {path}: {count:,} pictures of {len(KINDS)} kinds of garments")


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parent / "build")
