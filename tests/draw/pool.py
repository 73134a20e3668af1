"""Child processes that check networks, replaced when they end, hang, or have done enough."""

from __future__ import annotations

import json
import queue
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from pathlib import Path
from types import TracebackType
from typing import Any, Self

PROJECT = Path(__file__).parents[2]
SECONDS = 300.0
"""Of wall time for one network, with all its steps and engines; compiling alone has a limit of its own."""
LIFE = 200
"""Networks that a process checks before another takes its place: compiled code stays in memory."""


class Worker:
    """One child process. `run` gives a job's outcome, whatever happens to the child."""

    def __init__(self, seconds: float):
        self.seconds = seconds
        self._done = 0
        self._child: subprocess.Popen[str] | None = None

    def run(self, job: dict[str, Any]) -> dict[str, Any]:
        child = self._running()
        assert child.stdin is not None
        assert child.stdout is not None
        late = threading.Event()
        timer = threading.Timer(self.seconds, lambda: (late.set(), child.kill()))
        timer.start()
        try:
            child.stdin.write(json.dumps(job) + "\n")
            child.stdin.flush()
            line = child.stdout.readline()
        except BrokenPipeError:
            line = ""
        finally:
            timer.cancel()
        self._done += 1
        if line.endswith("\n"):
            return job | json.loads(line)
        code = child.wait()
        what = (
            f"took longer than {self.seconds:.0f} s"
            if late.is_set()
            else f"ended the process: {ending(code)}"
        )
        self.stop()
        return job | {"outcome": "FAILED", "what": what, "traceback": "", "seconds": self.seconds}

    def _running(self) -> subprocess.Popen[str]:
        if self._done >= LIFE or (self._child is not None and self._child.poll() is not None):
            self.stop()
        if self._child is None:
            self._child = subprocess.Popen(
                [sys.executable, "-m", "tests.draw.worker"],
                cwd=PROJECT,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
            )
        return self._child

    def stop(self) -> None:
        if self._child is not None:
            self._child.kill()
            self._child.wait()
            for pipe in (self._child.stdin, self._child.stdout):
                if pipe is not None:
                    pipe.close()
        self._child, self._done = None, 0


def ending(code: int) -> str:
    return signal.Signals(-code).name if code < 0 else f"exit code {code}"


class Pool:
    """So many workers; jobs go to whichever is free."""

    def __init__(self, jobs: int, seconds: float = SECONDS):
        self.workers = [Worker(seconds) for _ in range(jobs)]
        self._free: queue.SimpleQueue[Worker] = queue.SimpleQueue()
        for worker in self.workers:
            self._free.put(worker)

    def run(self, job: dict[str, Any]) -> dict[str, Any]:
        worker = self._free.get()
        try:
            return worker.run(job)
        finally:
            self._free.put(worker)

    def map(self, jobs: Iterator[dict[str, Any]], enough: Callable[[], bool]) -> Iterator[dict[str, Any]]:
        """Outcomes as they come, until there are no more jobs or it is ``enough``."""
        with ThreadPoolExecutor(len(self.workers)) as executor:
            waiting: set[Future[dict[str, Any]]] = set()
            more = True
            while more or waiting:
                while more and len(waiting) < len(self.workers):
                    job = None if enough() else next(jobs, None)
                    more = job is not None
                    if job is not None:
                        waiting.add(executor.submit(self.run, job))
                done, waiting = wait(waiting, return_when=FIRST_COMPLETED)
                yield from (one.result() for one in done)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for worker in self.workers:
            worker.stop()
