"""Trains in child processes, ends them by signals at random moments, resumes them, and compares the results."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import sys
import time
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from random import Random
from typing import Any

import netwright
from netwright import build, program
from netwright.cli import main
from netwright.runtime.files.tensors import TensorFile
from netwright.specs.files import STANDARD_STREAM
from netwright.trainings.info import is_run
from netwright.trainings.reading import Run

from .drawn import draw

SIGNALS = (signal.SIGKILL, signal.SIGTERM, signal.SIGINT)
#: How a training may end after each: of itself, or by the signal, which the first moment of a process does not handle.
ENDINGS = {signal.SIGKILL: (0, -9), signal.SIGTERM: (0, 143, -15), signal.SIGINT: (0, 130, -2)}
SECONDS = 300
_compile = build.compile_jit
_TIMED = ("seconds", "time", "samples_per_second")


@dataclass(frozen=True)
class Outcome:
    """What a training leaves, without times."""

    weights: bytes
    tensors: dict[str, bytes]
    history: list[Any]
    records: list[dict[str, Any]]
    table: int
    """The rows of the table of epochs."""


class KillError(AssertionError):
    """A resumed training differs, or could not be resumed."""


def start(arguments: Sequence[str], log: Path) -> int:
    """Forks a process that is `netwright …`, with its output in ``log``. Returns its number.

    A fork has the modules and the machine code of this process, so that it costs little; it starts with the signal
    handlers of a new one.
    """
    compiled = _compiled(arguments[1])
    program.build = lambda *_, **__: compiled
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # NumPy's threads are idle, ours have not begun
        child = os.fork()
    if child:
        return child
    code = 99
    try:
        output = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
        os.dup2(output, 1)
        os.dup2(output, 2)
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, signal.SIG_DFL)
        sys.argv = ["netwright", *arguments]
        main()
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else 0 if end.code is None else 98
    except BaseException:
        import traceback

        traceback.print_exc()
    finally:
        with contextlib.suppress(Exception):
            sys.stdout.flush()
            sys.stderr.flush()
        os._exit(code)


class _Compiled:
    """Takes the place of `build` and of a `Build`: compiles what it gets first, and has that ready from then on."""

    def __init__(self, spec: str):
        program.build = self._build
        netwright.load(spec).compile(entries=("loss", "train_step"), threads=1)

    def _build(self, *network: Any, **how: Any) -> _Compiled:
        self.lowered = build.build(*network, **how)
        self._program = self.lowered.lowered.program
        self._code = _compile(self._program, self.lowered.target)
        return self

    def _compiled(self, program: Any, *options: Any, **more: Any) -> Any:
        # What varies samples is a program, too.
        return self._code if program is self._program else _compile(program, *options, **more)

    def engine(self, threads: int | None = None, pin: bool = False) -> Any:
        build.compile_jit, build.program_cache = self._compiled, lambda: None
        return self.lowered.engine(threads, pin)


_compiled = cache(_Compiled)


def wait(child: int) -> int:
    """The exit code of a child, or minus its signal."""
    ends = time.monotonic() + SECONDS
    while time.monotonic() < ends:
        number, status = os.waitpid(child, os.WNOHANG)
        if number:
            return os.waitstatus_to_exitcode(status)
        time.sleep(0.002)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    raise KillError(f"a training took longer than {SECONDS} s")


@cache
def undisturbed(number: int, folder: Path) -> tuple[Path, Outcome, float]:
    """The training of a number without a signal, in ``folder``: its spec, what it leaves, and how long it took."""
    spec = draw(number, folder / "spec")
    _compiled(str(spec))
    began = time.monotonic()
    place = folder / "whole"
    code = wait(start(_arguments(spec, folder, "whole"), folder / "log"))
    if code != 0:
        raise KillError(f"the training itself ends with {code}:\n{(folder / 'log').read_text()}")
    return spec, outcome(place), time.monotonic() - began


def outcome(folder: Path) -> Outcome:
    """What the run in a folder left."""
    run = Run(folder)
    if run.state != "finished":
        raise KillError(f"{folder} is {run.state}")
    if leftover := [path.name for path in folder.iterdir() if path.name.startswith(".")]:
        raise KillError(f"half-written files stay behind: {leftover}")
    file = TensorFile(folder / "weights.checkpoint")
    place = json.loads(file.metadata["training"])
    history = [
        {key: value for key, value in record.items() if key not in _TIMED} for record in place["history"]
    ]
    records = [{key: value for key, value in record.items() if key not in _TIMED} for record in run.records]
    tensors = {name: file.read(name).tobytes() for name in file.headers}
    rows = (folder / "metrics.csv").read_text().splitlines()
    return Outcome(run.weights.read_bytes(), tensors, history, records, len(rows) - 1)


def disturb(number: int, folder: Path, spec: Path, whole: Outcome, seconds: float) -> dict[str, int]:
    """Begins the training, ends it two to five times by signals, and resumes it each time; then compares. Returns the
    signals that came while it ran, by their names. Raises KillError.
    """
    random = Random(number)
    name = f"killed-{number}"
    place, log = folder / name, folder / f"log-{number}"
    sent: dict[str, int] = {}
    for _ in range(random.choice((2, 3, 4, 5))):
        kind = random.choice(SIGNALS)
        child = start(_next(spec, folder, name), log)
        if random.random() < 0.75:
            _await_lines(place / "metrics.jsonl", random.randrange(len(whole.records) + 1), child)
            time.sleep(random.uniform(0, 0.03))
        else:
            time.sleep(random.uniform(0, seconds))
        with contextlib.suppress(ProcessLookupError):
            os.kill(child, kind)
        code = wait(child)
        if code not in ENDINGS[kind]:
            raise KillError(f"after {kind.name} the training ended with {code}:\n{log.read_text()}")
        sent[kind.name if code else "late"] = sent.get(kind.name if code else "late", 0) + 1
        if code == 0:
            break
    code = wait(start(_next(spec, folder, name), log))
    if code != 0:
        raise KillError(f"the last resume ended with {code}:\n{log.read_text()}")
    _compare(outcome(place), whole, log)
    return sent


def _arguments(spec: Path, folder: Path, name: str) -> list[str]:
    assert str(spec) != STANDARD_STREAM
    return ["train", str(spec), "--runs", str(folder), "--name", name, "--threads", "1", "--no-report"]


def _next(spec: Path, folder: Path, name: str) -> list[str]:
    """The command that begins a run, or goes on with it."""
    if is_run(folder / name):
        return ["train", str(spec), "--resume", str(folder / name), "--threads", "1", "--no-report"]
    return _arguments(spec, folder, name)


def _await_lines(path: Path, count: int, child: int) -> None:
    """Waits until a file has so many lines, or the process is over."""
    ends = time.monotonic() + SECONDS
    while time.monotonic() < ends:
        if count == 0 or (path.exists() and path.read_bytes().count(b"\n") >= count):
            return
        if os.waitid(os.P_PID, child, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None:
            return
        time.sleep(0.001)


def _compare(resumed: Outcome, whole: Outcome, log: Path) -> None:
    differing = [name for name in whole.tensors if whole.tensors[name] != resumed.tensors.get(name)]
    for what, same in (
        ("weights", resumed.weights == whole.weights),
        (f"values of the checkpoint: {differing}", not differing),
        ("history", resumed.history == whole.history),
        ("metrics", resumed.records == whole.records),
        ("rows of metrics.csv", resumed.table == whole.table),
    ):
        if not same:
            raise KillError(f"a resumed training differs from an undisturbed one: {what}\n{log.read_text()}")
