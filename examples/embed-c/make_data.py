"""Makes up what an accelerometer tells of somebody who rests, walks and runs: gait-train.npz, gait-valid.npz, and
motion.f32, twelve seconds as bare numbers."""

import numpy as np

RATE, STEPS = 50, 100
#: Strides per second and their strength in m/s², of each kind.
STRIDES, STRENGTH = np.array([0.0, 1.8, 2.8]), np.array([0.0, 3.0, 9.0])


def moved(kinds: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """The acceleration `[…, 3]` at each step, for the kind of movement at each step."""
    turns = np.cumsum(STRIDES[kinds] * rng.uniform(0.9, 1.1) / RATE, axis=-1) + rng.uniform()
    up = STRENGTH[kinds] * np.sin(2 * np.pi * turns)
    forward = 0.4 * STRENGTH[kinds] * np.sin(4 * np.pi * turns)
    motion = np.stack([forward, np.zeros_like(up), 9.81 + up], axis=-1)
    return (motion + rng.normal(0, 0.4, motion.shape)).astype(np.float32)


def samples(count: int, seed: int) -> dict[str, np.ndarray]:
    """Sequences of two seconds, in which the kind changes once."""
    rng = np.random.default_rng(seed)
    kinds = np.repeat(rng.integers(0, 3, (count, 2)), STEPS // 2, axis=1)
    return {"motion": np.stack([moved(row, rng) for row in kinds]), "meant": kinds}


if __name__ == "__main__":
    np.savez("gait-train.npz", **samples(600, 1))
    np.savez("gait-valid.npz", **samples(100, 2))
    moved(np.repeat([0, 1, 2, 0], 3 * RATE), np.random.default_rng(3)).tofile("motion.f32")
