"""``python -m tests.ranks --kills 20`` kills ranks of a training at random moments.

After each kill the job must end by itself, the checkpoint must be whole, and the training goes on from it on another
number of ranks. At last the weights must be, bit for bit, those of a training that was never disturbed.
"""

from __future__ import annotations

import argparse
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from netwright.runtime.files.tensors import TensorFile
from netwright.runtime.training.checkpoint import read_history
from netwright.runtime.training.distributed.mpi import _find_library

from .test_training import MPIRUN

SPEC = """
netwright: 1
model: killed
dims: {N: batch}
inputs: {x: {shape: [N, 12, 12, 1]}}
layers:
  - {name: c, type: conv2d, filters: 8, kernel_size: 3}
  - {name: norm, type: batch_norm}
  - {name: f, type: flatten}
  - {name: d, type: dropout, rate: 0.2}
  - {name: out, type: dense, units: 4}
outputs: {y: out}
train:
  data: {train: train.npz}
  loss: {type: softmax_cross_entropy, output: y, target: t}
  optimizer: {type: adam, learning_rate: 0.001}
  checkpoint: {every: {steps: 1}}
  batch_size: 32
  parts: 4
  epochs: 40
"""
EPOCHS = 40


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.ranks", description=__doc__)
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    _find_library()
    with tempfile.TemporaryDirectory() as folder:
        return kill(Path(folder), given.kills, random.Random(given.seed))


def kill(folder: Path, kills: int, draw: random.Random) -> int:
    (folder / "killed.yaml").write_text(SPEC, encoding="utf-8")
    rng = np.random.default_rng(0)
    x = rng.normal(size=(320, 12, 12, 1)).astype(np.float32)
    np.savez(folder / "train.npz", x=x, t=rng.integers(0, 4, 320))
    checkpoint, done = folder / "w.checkpoint", 0
    while done < kills:
        ranks = draw.choice([2, 3, 4])
        job = begun(folder, ranks, "w", resume=checkpoint.exists())
        victim = wait_for_rank(job, draw, ranks, checkpoint)
        time.sleep(draw.uniform(0, 2))
        if job.poll() is not None:  # it had nothing left to do
            if job.returncode:
                raise SystemExit(f"the training failed: {job.communicate()[1]}")
            checkpoint.unlink()
            continue
        os.kill(victim, signal.SIGKILL)
        began = time.monotonic()
        job.communicate(timeout=120)
        if job.returncode == 0 and len(read_history(checkpoint)[1]) == EPOCHS:  # the rank had just ended
            checkpoint.unlink()
            continue
        if job.returncode == 0:
            raise SystemExit("the job did not notice that a rank was killed")
        place = "no checkpoint yet"
        if checkpoint.exists():
            TensorFile(checkpoint)  # raises if it is damaged
            place = f"a checkpoint of {len(read_history(checkpoint)[1])} epochs"
        done += 1
        print(
            f"kill {done}: one of {ranks} ranks, ended after {time.monotonic() - began:.1f} s with "
            f"{job.returncode}; {place}",
            flush=True,
        )
    finish(folder, 3, "w", resume=checkpoint.exists())
    finish(folder, 1, "whole", resume=False)
    disturbed, whole = TensorFile(folder / "w.safetensors"), TensorFile(folder / "whole.safetensors")
    for name in whole.headers:
        if not np.array_equal(disturbed.read(name), whole.read(name)):
            raise SystemExit(f"{name} is not what an undisturbed training computes")
    print(f"{kills} kills: no checkpoint was lost, and the weights are the same, bit for bit")
    return 0


def begun(folder: Path, ranks: int, name: str, *, resume: bool) -> subprocess.Popen[str]:
    goes_on = ["--resume", f"{name}.checkpoint"] if resume else ["--force"]
    command = [sys.executable, "-m", "netwright", "train", "killed.yaml", "--weights", f"{name}.safetensors"]
    command += [*goes_on, "--threads", "1"]
    start = [str(MPIRUN), "-n", str(ranks)] if ranks > 1 else []
    return subprocess.Popen(
        [*start, *command], cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )


def finish(folder: Path, ranks: int, name: str, *, resume: bool) -> None:
    job = begun(folder, ranks, name, resume=resume)
    _, said = job.communicate(timeout=600)
    if job.returncode:
        raise SystemExit(f"the training failed: {said}")


def wait_for_rank(job: subprocess.Popen[str], draw: random.Random, ranks: int, checkpoint: Path) -> int:
    """The process of a rank, once the training runs: a step writes a checkpoint."""
    before = checkpoint.stat().st_mtime_ns if checkpoint.exists() else 0
    while job.poll() is None:
        if checkpoint.exists() and checkpoint.stat().st_mtime_ns != before:
            break
        time.sleep(0.01)
    return draw.choice(below(job.pid, "netwright")) if job.poll() is None else job.pid


def below(process: int, command: str) -> list[int]:
    """The processes that a process started, and those started by them, whose command line has this word."""
    listed: list[int] = []
    children = Path(f"/proc/{process}/task/{process}/children")
    for child in map(int, children.read_text().split()) if children.exists() else ():
        line = Path(f"/proc/{child}/cmdline")
        if line.exists() and command in line.read_text() and "mpirun" not in line.read_text():
            inner = below(child, command)
            listed += inner or [child]
        else:
            listed += below(child, command)
    return listed


if __name__ == "__main__":
    if shutil.which("mpirun") is None and MPIRUN is None:
        raise SystemExit("MPI is not installed: pip install 'netwright[distributed]'")
    raise SystemExit(main())
