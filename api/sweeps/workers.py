"""Trains runs in processes of their own, several at once."""

from __future__ import annotations

import os
import selectors
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

from netwright.runtime.engines.processors import processor_count
from netwright.runtime.training.interrupt import InterruptRequest

from ..trainings.info import is_run, is_running
from ..trainings.reading import Run

#: So much of what a process printed last is kept, in characters, to explain why it failed.
_KEPT = 4000


@dataclass(frozen=True)
class Job:
    """A run to train for so many epochs: in the folder ``path``, by ``spec``, with these settings."""

    path: Path
    spec: Path
    epochs: int
    settings: tuple[str, ...] = ()
    options: tuple[str, ...] = ()
    """Further options of `netwright train`, such as `--engine reference`."""

    @property
    def run(self) -> Run | None:
        """The run as far as it is there."""
        return Run(self.path) if is_run(self.path) else None

    @property
    def is_done(self) -> bool:
        """Whether nothing is left to train: it has more epochs, finished, stopped early, or diverged."""
        run = self.run
        if run is None or run.state == "running":
            return False
        ending, state, epochs = run.info.get("ending"), run.state, len(run.history)
        enough = epochs == self.epochs or ending == "stopped early"
        return (
            epochs > self.epochs
            or (state == "finished" and enough)
            or (state == "failed" and ending == "diverged")
        )

    def command(self, threads: int) -> list[str]:
        """The command that trains it, or goes on with it."""
        if self.run is not None:
            place = ["--resume", str(self.path)]
        else:
            settings = [part for setting in self.settings for part in ("--set", setting)]
            place = ["--runs", str(self.path.parent), "--name", self.path.name, *settings, *self.options]
        start = [sys.executable, "-m", "netwright.cli.sweep_child", str(os.getpid())]
        start += ["train", str(self.spec), "--epochs", str(self.epochs)]
        start += ["--no-report"]  # of many trials, few are looked at: `netwright report` writes it later
        return [*start, *place, "--threads", str(threads)]


@dataclass
class _Process:
    job: Job
    process: subprocess.Popen[bytes]
    said: bytes = b""


@dataclass
class Outcome:
    """What became of jobs: the errors of those that failed, by their names, and the signal that ended all."""

    errors: dict[str, str] = field(default_factory=dict)
    signal: int | None = None


def train_all(jobs: Iterable[Job], at_once: int, told: Callable[[Job], None]) -> Outcome:
    """Trains what is left of the ``jobs``, up to ``at_once`` at a time, and calls ``told`` after each.

    A signal that asks to stop is passed on, so that every run writes its checkpoint. The processes end by themselves if
    this one is killed; a run that is still trained by such a process is waited for.
    """
    outcome = Outcome()
    waiting = [job for job in jobs if not job.is_done]
    threads = max(1, processor_count() // at_once)
    running: list[_Process] = []
    with InterruptRequest() as interrupt, selectors.DefaultSelector() as selector:
        passed_on = False
        try:
            while running or (waiting and not interrupt.requested):
                if interrupt.requested and not passed_on:
                    passed_on = True
                    for process in running:
                        process.process.send_signal(interrupt.signal or signal.SIGTERM)
                while waiting and len(running) < at_once and not interrupt.requested:
                    if is_running(waiting[0].path):
                        break
                    running.append(_started(waiting.pop(0), threads, selector))
                _listen(selector)
                for process in [process for process in running if process.process.poll() is not None]:
                    _listen(selector)
                    running.remove(process)
                    _end(process, selector, outcome)
                    told(process.job)
        except BaseException:
            for process in running:
                process.process.kill()
                process.process.wait()
            raise
        outcome.signal = interrupt.signal
    return outcome


def _started(job: Job, threads: int, selector: selectors.BaseSelector) -> _Process:
    # A session of its own: a Ctrl-C of the terminal reaches this process alone, which passes it on once.
    process = subprocess.Popen(
        job.command(threads),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        start_new_session=True,
        env=_environment(),
    )
    assert process.stdout is not None
    os.set_blocking(process.stdout.fileno(), False)
    started = _Process(job, process)
    selector.register(process.stdout, selectors.EVENT_READ, started)
    return started


def _environment() -> Mapping[str, str]:
    return {**os.environ, "COLUMNS": "100", "NO_COLOR": "1"}


def _listen(selector: selectors.BaseSelector) -> None:
    """Reads what processes print, for a short time."""
    if not selector.get_map():
        time.sleep(0.05)
        return
    for key, _ in selector.select(0.1):
        stream: IO[bytes] = key.fileobj  # type: ignore[assignment]
        text = stream.read()
        if text:
            key.data.said = (key.data.said + text)[-_KEPT:]
        elif text == b"":
            selector.unregister(stream)


def _end(ended: _Process, selector: selectors.BaseSelector, outcome: Outcome) -> None:
    stream = ended.process.stdout
    assert stream is not None
    if stream in {key.fileobj for key in selector.get_map().values()}:
        ended.said = (ended.said + (stream.read() or b""))[-_KEPT:]
        selector.unregister(stream)
    stream.close()
    code = ended.process.returncode
    if code not in (0, 128 + signal.SIGINT, 128 + signal.SIGTERM):
        lines = ended.said.decode(errors="replace").strip().splitlines()
        errors = [line for line in lines if line.startswith(("error", "Error"))]
        outcome.errors[ended.job.path.name] = (errors or lines or [f"it ended with {code}"])[-1]
