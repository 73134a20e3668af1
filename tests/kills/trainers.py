"""Trainers ended by signals at random moments and resumed: `python -m tests.kills.trainers --count 100`.

Each drawn training is compiled to an executable. Undisturbed, ended and resumed, and gone on with in process, it has to
leave what the training in process does, bit for bit.
"""

from __future__ import annotations

import argparse
import json
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from random import Random
from typing import Any

import yaml

import netwright
from netwright.artifacts.files import Request, save
from netwright.runtime.files.tensors import TensorFile

from .drawn import draw

#: SIGKILL comes most often: nothing can prepare for it.
SIGNALS = (signal.SIGKILL, signal.SIGKILL, signal.SIGTERM, signal.SIGINT)


def disturb(command: Sequence[str], checkpoint: Path, *, count: int, seed: int = 0) -> Counter[int]:
    """Runs a trainer, which keeps ``checkpoint``, ends it ``count`` times by SIGNALS in random order, and lets it
    finish. Returns how often it ended with each code; one that ended by itself before its signal begins again.
    """
    random, endings = Random(seed), Counter[int]()
    command = [*command, "--checkpoint", str(checkpoint), "--quiet", "--force"]
    began = time.monotonic()
    subprocess.run(command, check=True, timeout=300)
    seconds = time.monotonic() - began
    checkpoint.unlink()
    kinds = random.sample(SIGNALS * (count // len(SIGNALS) + 1), count)
    while kinds:
        process = subprocess.Popen(_resumed(command, checkpoint), stderr=subprocess.DEVNULL)
        time.sleep(random.uniform(0, 0.6 * seconds))
        process.send_signal(kinds[-1])
        endings[process.wait(timeout=300)] += 1
        if process.returncode == 0:
            checkpoint.unlink()
        else:
            kinds.pop()
    subprocess.run(_resumed(command, checkpoint), check=True, stderr=subprocess.DEVNULL, timeout=300)
    for path in checkpoint.parent.glob(".netwright-*"):  # SIGKILL leaves what was half-written
        path.unlink()
    return endings


def _resumed(command: Sequence[str], checkpoint: Path) -> list[str]:
    return [*command, "--resume", str(checkpoint)] if checkpoint.exists() else [*command]


def left(folder: Path, name: str) -> tuple[bytes, dict[str, bytes], dict[str, Any]]:
    """The weights file, the checkpoint's tensors, and its progress without times and places."""
    file = TensorFile(folder / f"{name}.checkpoint")
    place = json.loads(file.metadata["training"])
    for key in ("seconds", "recorded", "origin"):
        place.pop(key)
    for record in place["history"]:
        record.pop("seconds")
    tensors = {key: file.read(key).tobytes() for key in file.headers}
    return (folder / f"{name}.safetensors").read_bytes(), tensors, place


def simple(number: int, folder: Path) -> Path:
    """The training of a number without what executables can't do."""
    path = draw(number, folder)
    spec = yaml.safe_load(path.read_text(encoding="utf-8"))
    spec["layers"] = [layer for layer in spec["layers"] if layer["type"] != "standardize"]
    path.write_text(yaml.safe_dump(spec, sort_keys=False), encoding="utf-8")
    return path


def in_process(spec: Path, name: str, **options: Any) -> None:
    """Trains as `netwright train` does."""
    model = netwright.load(spec)
    program = model.compile(entries=("loss", "train_step"))
    program.train(checkpoint=spec.parent / f"{name}.checkpoint", **options)
    program.save_weights(spec.parent / f"{name}.safetensors")


def compare(number: int, folder: Path, kills: int) -> Counter[int]:
    """Trains a number in process and by an executable, which is ended so often. Raises AssertionError."""
    spec = simple(number, folder)
    model = netwright.load(spec)
    save(model.load, model.network, None, folder / "trainer", Request(entries=("train_step",)))
    in_process(spec, "python")
    data = [
        word
        for name in ("train", "valid")
        if (folder / f"{name}.npz").exists()
        for word in ("-d", f"{name}={folder / name}.npz")
    ]
    command = [str(folder / "trainer"), *data, "--weights"]
    subprocess.run([*command, str(folder / "whole.safetensors"), "-q"], check=True, timeout=300)
    whole = left(folder, "python")
    assert left(folder, "whole") == whole, f"training {number} differs"
    endings = disturb(
        [*command, str(folder / "killed.safetensors")], folder / "killed.checkpoint", count=kills, seed=number
    )
    assert left(folder, "killed") == whole, f"training {number} differs after kills"
    first = [*command, str(folder / "both.safetensors"), "-q", "--epochs", "1"]
    subprocess.run(first, check=True, timeout=300)
    in_process(spec, "both", resume=folder / "both.checkpoint")
    assert left(folder, "both") == whole, f"training {number} differs when it is resumed in process"
    return endings


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.kills.trainers", description=__doc__)
    parser.add_argument("--count", type=int, default=100, help="how many signals that ended a training")
    parser.add_argument("--start", type=int, default=0, help="the number of the first training")
    parser.add_argument("--kills", type=int, default=10, help="how many signals for each training")
    arguments = parser.parse_args()
    endings, failed, number = Counter[int](), 0, arguments.start
    while sum(endings.values()) - endings[0] < arguments.count:
        with tempfile.TemporaryDirectory(prefix="trainers-") as name:
            try:
                endings += compare(number, Path(name), arguments.kills)
            except (AssertionError, subprocess.CalledProcessError) as error:
                failed += 1
                print(f"--- number {number}: {error}", flush=True)
        number += 1
        shown = ", ".join(f"{count} of {code}" for code, count in sorted(endings.items()))
        print(f"{number - arguments.start} trainings ended with {shown}; {failed} failed", flush=True)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
