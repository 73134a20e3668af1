"""Which tests reach which lines of the modules under test, and how much processor time each takes."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from types import FrameType
from typing import Any


@dataclass
class Reach:
    """By test, in the order of ``seconds``: the lines that it runs, as (file, line)."""

    lines: dict[str, set[tuple[str, int]]] = field(default_factory=dict)
    seconds: dict[str, float] = field(default_factory=dict)

    def tests(self, path: str, lines: Iterable[int]) -> list[str]:
        """The tests that run one of these lines, the fastest first."""
        wanted = {(path, line) for line in lines}
        found = [test for test, reached in self.lines.items() if not wanted.isdisjoint(reached)]
        return sorted(found, key=lambda test: self.seconds[test])

    def run(self, test: str, files: frozenset[str], body: Callable[[], Any]) -> None:
        """Runs a test and notes what it reached."""
        reached = self.lines.setdefault(test, set())

        def in_function(frame: FrameType, event: str, _: Any) -> Any:
            if event == "line":
                reached.add((frame.f_code.co_filename, frame.f_lineno))
            return in_function

        def at_call(frame: FrameType, event: str, argument: Any) -> Any:
            code = frame.f_code
            if code.co_filename not in files:
                return None
            reached.add((code.co_filename, frame.f_lineno))
            return in_function

        begun = time.process_time()
        sys.settrace(at_call)
        try:
            body()
        finally:
            sys.settrace(None)
            self.seconds[test] = time.process_time() - begun
