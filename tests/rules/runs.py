"""The plugin that takes pytest's place once it has collected the tests: it forks a process per broken rule."""

from __future__ import annotations

import gc
import os
import pickle
import resource
import select
import signal
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from itertools import pairwise
from typing import Any

import pytest

from netwright import build

from .breaking import CannotBreakError, Functions
from .reach import Reach
from .rules import Broken

MOST_BYTES = 8 << 30
#: How many times its own processor time a test may take.
FACTOR = 10.0


@dataclass(frozen=True)
class Verdict:
    """``by`` is the test that noticed; "" where none did of ``tests`` that ran of those that reach the rule.

    ``cannot`` says why the rule could not be broken; then no test ran.
    """

    by: str = ""
    how: str = ""
    tests: int = 0
    reaching: int = 0
    cannot: str = ""


@dataclass
class Runs:
    """Gives ``told`` a verdict per rule.

    ``seconds`` bounds the processor time of all tests of a rule, ``more`` that of one beyond ``FACTOR`` times its own.
    """

    rules: Sequence[Broken]
    told: Callable[[Broken, Verdict], None]
    jobs: int = 2
    seconds: float = 60.0
    more: float = 10.0
    _failed: str = field(default="", init=False)
    _noticed: dict[str, list[str]] = field(default_factory=dict, init=False)

    def pytest_configure(self, config: pytest.Config) -> None:
        config.option.deep = True  # every case may notice, not only those of a slice

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.failed and not self._failed:
            crash = getattr(report.longrepr, "reprcrash", None)
            self._failed = (crash.message if crash else str(report.longrepr)).split("\n")[0][:100] or "failed"

    def pytest_runtestloop(self, session: pytest.Session) -> bool:
        items = {item.nodeid: item for item in session.items}
        files = frozenset(str(broken.path) for broken in self.rules)
        names = list(items)
        parts = [names[start :: self.jobs] for start in range(self.jobs)]
        reach = Reach()
        for _, found in self._forked((lambda part=part: self._traced(items, part, files)) for part in parts):
            if isinstance(found, str):
                raise pytest.UsageError(f"with no rule broken, {found}")
            reach.lines |= found.lines
            reach.seconds |= found.seconds
        functions = Functions(files)
        gc.collect()
        gc.freeze()  # else each process's first collection would copy all objects
        jobs = ((lambda broken=broken: self._tried(broken, functions, items, reach)) for broken in self.rules)
        for number, found in self._forked(jobs):
            broken = self.rules[number]
            if isinstance(found, str):
                found = Verdict("the process", found)
            if found.by:
                self._noticed.setdefault(str(broken.path), []).insert(0, found.by)
            self.told(broken, found)
        return True

    def _traced(
        self, items: dict[str, pytest.Item], names: Sequence[str], files: frozenset[str]
    ) -> Reach | str:
        """In a process of its own: what each test reaches; one that fails is named instead."""
        reach = Reach()
        for test, following in pairwise([*names, ""]):
            reach.run(test, files, partial(_run, items[test], items.get(following)))
            if self._failed:
                return f"{test} fails: {self._failed}"
        return reach

    def _tried(
        self, broken: Broken, functions: Functions, items: dict[str, pytest.Item], reach: Reach
    ) -> Verdict:
        """In a process of its own: breaks the rule and runs tests until one fails."""
        reaching = reach.tests(str(broken.path), broken.lines) if broken.lines else sorted(items)
        first = [test for test in dict.fromkeys(self._noticed.get(str(broken.path), [])) if test in reaching]
        order = list(dict.fromkeys([*first[:3], *reaching]))
        # The files are as they were, so that the cache would give programs of the whole compiler.
        build.program_cache = lambda: None
        try:
            functions.put(broken)
        except CannotBreakError as error:
            return Verdict(cannot=str(error))
        begun = time.process_time()
        for ran, (test, following) in enumerate(pairwise([*order, ""])):
            if time.process_time() - begun > self.seconds:
                return Verdict(tests=ran, reaching=len(reaching))
            signal.setitimer(signal.ITIMER_VIRTUAL, self.more + FACTOR * reach.seconds.get(test, 0.0))
            _run(items[test], items.get(following))
            if self._failed:
                return Verdict(test, self._failed, ran + 1, len(reaching))
        return Verdict(tests=len(order), reaching=len(reaching))

    def _forked(self, jobs: Iterable[Callable[[], Any]]) -> Iterator[tuple[int, Any]]:
        """What each job gives in a process of its own, with its number; a string where the process ended without."""
        limit = self.seconds * FACTOR + 600  # of the clock: for what hangs without taking time
        running: dict[int, _Child] = {}
        pending = enumerate(jobs)
        try:
            while True:
                while len(running) < self.jobs and (following := next(pending, None)) is not None:
                    child = _fork(*following, time.monotonic() + limit)
                    running[child.pipe] = child
                if not running:
                    return
                ready, _, _ = select.select(list(running), [], [], 1.0)
                late = [pipe for pipe, child in running.items() if time.monotonic() > child.until]
                for pipe in {*ready, *late}:
                    if pipe in ready and (part := os.read(pipe, 1 << 20)):
                        running[pipe].data += part
                    else:
                        child = running.pop(pipe)
                        yield child.number, child.ended(late=pipe in late)
        finally:  # of what is still running, nobody would read the results
            for child in running.values():
                os.killpg(child.process, signal.SIGKILL)
                os.waitpid(child.process, 0)


def _run(item: pytest.Item, following: pytest.Item | None) -> None:
    item.config.hook.pytest_runtest_protocol(item=item, nextitem=following)


@dataclass
class _Child:
    """A process that does one job, and the pipe that it writes to."""

    number: int
    process: int
    pipe: int
    until: float
    data: bytes = b""

    def ended(self, *, late: bool) -> Any:
        os.close(self.pipe)
        if late:
            os.killpg(self.process, signal.SIGKILL)
        _, status = os.waitpid(self.process, 0)
        if late:
            return "did not end"
        return pickle.loads(self.data) if not status else f"ended with {os.waitstatus_to_exitcode(status)}"


def _fork(number: int, job: Callable[[], Any], until: float) -> _Child:
    reader, writer = os.pipe()
    process = os.fork()
    if process:
        os.close(writer)
        return _Child(number, process, reader, until)
    status = 1
    try:
        os.setsid()
        nothing = os.open(os.devnull, os.O_RDWR)
        for stream in (0, 1, 2):
            os.dup2(nothing, stream)
        resource.setrlimit(resource.RLIMIT_AS, (MOST_BYTES, MOST_BYTES))
        signal.signal(signal.SIGVTALRM, _late)
        found = job()
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)
        with os.fdopen(writer, "wb") as pipe:
            pickle.dump(found, pipe)
        status = 0
    finally:
        os._exit(status)


def _late(*_: object) -> None:
    raise TimeoutError("took too long")
