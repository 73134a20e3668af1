"""Streams that clients go on with by the number or name of a sequence."""

from __future__ import annotations

from collections.abc import Callable
from time import monotonic

from netwright.runtime.sessions.stream import Stream

from .forms import SequenceStep
from .joining import Arrays
from .refusals import Refusal


class OpenSequence:
    """A sequence in progress: how many of its requests are not answered yet, and when the last one was."""

    __slots__ = ("last", "running", "stream")

    def __init__(self, stream: Stream):
        self.stream = stream
        self.running = 0
        self.last = monotonic()

    def push(self, arrays: Arrays) -> Arrays:
        """The answers to some more steps. Raises as `Stream.push` does."""
        return self.stream.push(**arrays)


class Sequences:
    """Up to ``most`` sequences at once. One that no request has gone on with for ``timeout`` seconds is forgotten."""

    def __init__(self, most: int, timeout: float):
        self._most, self._timeout = most, timeout
        self._known: dict[int | str, OpenSequence] = {}

    def __len__(self) -> int:
        return len(self._known)

    def forget_idle(self) -> None:
        """Forgets the sequences that have been idle for too long."""
        before = monotonic() - self._timeout
        for id in [id for id, known in self._known.items() if not known.running and known.last < before]:
            del self._known[id]

    def begin(self, step: SequenceStep, make: Callable[[], Stream]) -> OpenSequence:
        """The sequence that a request goes on with, or begins with a stream that ``make`` makes; ``end`` has to follow
        when it is answered. Raises Refusal for one that has not begun, if there are too many, or if none are served.
        """
        if not self._most:
            raise Refusal(
                400, "sequences are not served: start the server with --sequences, how many at once"
            )
        if step.start:
            if step.id not in self._known and len(self._known) >= self._most:
                self.forget_idle()
            if step.id not in self._known and len(self._known) >= self._most:
                raise Refusal(503, f"{self._most} sequences are in progress: try again later")
            self._known[step.id] = OpenSequence(make())
        known = self._known.get(step.id)
        if known is None or (not known.running and known.last < monotonic() - self._timeout):
            self._known.pop(step.id, None)
            raise Refusal(
                404,
                f"there is no sequence {step.id!r}: it begins with sequence_start, and is forgotten after "
                f"{self._timeout:g} seconds without a request",
            )
        if step.end:
            del self._known[step.id]
        known.running += 1
        return known

    def end(self, known: OpenSequence) -> None:
        """Says that a request of this sequence is answered."""
        known.running -= 1
        known.last = monotonic()
