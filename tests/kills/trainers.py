"""Trainers ended by signals at random moments and resumed: `python -m tests.kills.trainers CHECKPOINT TRAINER …`."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from random import Random

#: SIGKILL comes most often: nothing can prepare for it.
SIGNALS = (signal.SIGKILL, signal.SIGKILL, signal.SIGTERM, signal.SIGINT)


def disturb(command: Sequence[str], checkpoint: Path, *, count: int, seed: int = 0) -> Counter[int]:
    """Runs a trainer, which keeps ``checkpoint``, and ends it ``count`` times at most, until it finishes undisturbed.
    Returns how often it ended with each code; a training that ends by itself begins again.
    """
    random, endings = Random(seed), Counter[int]()
    command = [*command, "--checkpoint", str(checkpoint), "--quiet", "--force"]
    began = time.monotonic()
    subprocess.run(command, check=True, timeout=300)
    seconds = time.monotonic() - began
    checkpoint.unlink()
    for _ in range(count):
        process = subprocess.Popen(_resumed(command, checkpoint), stderr=subprocess.DEVNULL)
        time.sleep(random.uniform(0, 0.6 * seconds))
        process.send_signal(random.choice(SIGNALS))
        endings[process.wait(timeout=300)] += 1
    subprocess.run(_resumed(command, checkpoint), check=True, timeout=300)
    for path in checkpoint.parent.glob(".netwright-*"):  # SIGKILL leaves what was half-written
        path.unlink()
    return endings


def _resumed(command: Sequence[str], checkpoint: Path) -> list[str]:
    return [*command, "--resume", str(checkpoint)] if checkpoint.exists() else [*command]


if __name__ == "__main__":
    print(disturb(sys.argv[2:], Path(sys.argv[1]), count=100))
