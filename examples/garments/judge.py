"""Says how many of the held-out pictures the executable is right about."""

from pathlib import Path

import numpy as np

BUILD = Path(__file__).parent / "build"
answers = np.load(BUILD / "logits.npy").argmax(1)
labels = np.load(BUILD / "held-out" / "label.npy")
print(f"the executable is right about {(answers == labels).sum()} of {len(labels)} pictures")
