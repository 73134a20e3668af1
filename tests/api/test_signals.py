"""Ctrl-C and SIGTERM, sent at many moments: exit codes 130 and 143, checkpoints that go on, nothing half written."""

from __future__ import annotations

import os
import random
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import Result

from netwright.runtime.training.checkpoint import read_history

from ..forked import Forked, forked

INT, TERM = signal.SIGINT, signal.SIGTERM
TRAIN = ["train", "tiny.yaml", "--weights", "w.safetensors", "--force", "--epochs", "100000"]


class Command:
    """A process of the command that has begun to load itself: Python alone takes some time before."""

    def __init__(self, folder: Path, arguments: list[str], **options):
        self.errors = folder.with_name(f"{folder.name}.errors")
        command = [sys.executable, "-X", "importtime", "-m", "netwright", *arguments]
        environment = {**os.environ, "PYTHONUNBUFFERED": "1"}
        with self.errors.open("wb") as errors:
            self.process = subprocess.Popen(
                command,
                cwd=folder,
                env=environment,
                stdout=subprocess.PIPE,
                stderr=errors,
                text=True,
                **options,
            )
        while not re.search(r"\| +click", self.errors.read_text(errors="replace")):
            assert self.process.poll() is None, "the process has ended"
            time.sleep(0.002)

    def end(self) -> str:
        """Waits for the end; gives what was printed, without the times of imports."""
        output, _ = self.process.communicate(timeout=120)
        lines = self.errors.read_text().splitlines()
        assert not any(line.startswith("Traceback") for line in lines)
        return output + "\n".join(line for line in lines if not line.startswith("import time:"))


@pytest.mark.alike(2)
@pytest.mark.parametrize(
    ("number", "arguments", "longest", "late"),
    [
        (INT, TRAIN, 2.0, True),
        pytest.param(TERM, TRAIN, 2.0, False, marks=pytest.mark.deep),
        (INT, [*TRAIN, "--threads", "2"], 2.0, False),
        (TERM, [*TRAIN, "--engine", "reference"], 2.0, True),
        pytest.param(
            INT, ["compile", "tiny.yaml", "-o", "out", "--emit", "asm"], 1.0, False, marks=pytest.mark.deep
        ),
        (TERM, ["compile", "tiny.yaml", "-o", "out.so", "--emit", "shared"], 1.0, True),
        (INT, ["report", "tiny.yaml", "-o", "out.html"], 1.0, True),
        (TERM, ["summary", "tiny.yaml"], 1.0, False),
    ],
    ids=lambda value: " ".join(value[:1] + value[-1:]) if isinstance(value, list) else str(value),
)
def test_signals_at_many_moments(
    tiny: Path, tmp_path: Path, number: int, arguments: list[str], longest: float, late: bool, deep: bool
) -> None:
    """Early and late; by default each command at one of the two."""
    before = {*os.listdir(tmp_path), "w.checkpoint"}
    rng = random.Random(repr(arguments))
    for round in (0, 1) if deep else (int(late),):
        command = Command(tmp_path, arguments)
        time.sleep(rng.uniform(round, round + 1) * longest / 2)
        command.process.send_signal(number)
        command.end()
        assert command.process.returncode == 128 + number or (
            command.process.returncode == 0 and arguments[0] != "train"
        )
        left = set(os.listdir(tmp_path)) - before
        assert left <= (
            {"out", "out.so", "out.h", "out.html"} if command.process.returncode == 0 else {"out.so"}
        )
        for name in left:
            (tmp_path / name).unlink()
        if (tmp_path / "w.checkpoint").exists():
            assert read_history(tmp_path / "w.checkpoint")[0] == "tiny"


@pytest.mark.parametrize("number", [INT, TERM])
def test_a_training_ends_after_its_step_and_goes_on_from_there(
    cli: Callable[..., Result], tiny: Path, tmp_path: Path, number: int
) -> None:
    command = Forked(*TRAIN, cwd=tmp_path, env={**os.environ, "PYTHONUNBUFFERED": "1"})
    assert command.stdout is not None
    assert command.stdout.readline().split() == ["train", "valid"]  # the heading of the first epoch
    command.send_signal(number)
    said = "\n".join(command.communicate())
    assert command.returncode == 128 + number
    assert "interrupted in epoch" in said
    assert "--resume w.checkpoint" in said
    _, history = read_history(tmp_path / "w.checkpoint")
    assert history
    done = cli(*TRAIN[:-1], len(history) + 1, "--resume", "w.checkpoint")
    assert done.exit_code == 0, done.output
    assert f" {len(history) + 1}/" in done.stdout


def test_ignored_signals_stay_ignored(tiny: Path, tmp_path: Path) -> None:
    command = Command(
        tmp_path,
        ["summary", "tiny.yaml", "--quick"],
        preexec_fn=lambda: [signal.signal(number, signal.SIG_IGN) for number in (INT, TERM)],
    )
    command.process.send_signal(INT)
    command.process.send_signal(TERM)
    assert "67 parameters" in command.end()
    assert command.process.returncode == 0


API = """
import signal, sys
import netwright
from netwright.runtime.training.progress import Silent

class Killed(Silent):
    def step(self, epoch, batch, samples, totals):
        if epoch == 2:
            signal.raise_signal({number})

{before}
program = netwright.load("tiny.yaml").compile(engine="reference", entries=["loss", "train_step"])
result = program.train(epochs=9, checkpoint="c", observer=Killed())
print(result.ending, result.signal)
"""


@pytest.mark.parametrize(
    ("number", "before", "code", "said"),
    [
        ("signal.SIGINT", "", 0, "interrupted 2\n"),
        ("signal.SIGTERM", "", -TERM, ""),
        ("signal.SIGTERM", "signal.signal(signal.SIGTERM, lambda *_: sys.exit(7))", 7, ""),
        ("signal.SIGTERM", "signal.signal(signal.SIGTERM, signal.SIG_IGN)", 0, "finished None\n"),
    ],
)
def test_signals_in_a_program_of_ones_own(
    tiny: Path, tmp_path: Path, number: str, before: str, code: int, said: str
) -> None:
    program = API.format(number=number, before=before)
    done = forked(code=program, cwd=tmp_path)
    assert (done.returncode, done.stdout) == (code, said), done.stderr
    assert len(read_history(tmp_path / "c")[1]) == (9 if said.startswith("finished") else 1)
