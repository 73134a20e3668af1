"""Reads ahead: the next batch is read in another thread while the current one is trained on."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Generic, TypeVar

T = TypeVar("T")


@contextmanager
def read_ahead(items: Iterator[T], count: int = 1) -> Iterator[Iterator[T]]:
    """``items`` in their order, of which up to ``count`` are made before they are asked for, in a thread of their own.

    What making an item raises is raised when it is asked for. On exit the thread has ended, also if items are left or
    the body raised. With a ``count`` of 0 there is no thread.
    """
    if not count:
        yield items
        return
    reader = _Reader(items, count)
    try:
        yield iter(reader)
    finally:
        reader.close()


class _Reader(Generic[T]):
    def __init__(self, items: Iterator[T], count: int):
        self._items, self._count = items, count
        self._ready: deque[T] = deque()
        self._changed = threading.Condition()
        self._closed = self._ended = False
        self._error: BaseException | None = None
        # A second Ctrl-C ends the process though a file system may never answer.
        self._thread = threading.Thread(target=self._read, name="read ahead", daemon=True)
        self._thread.start()

    def __iter__(self) -> Iterator[T]:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._ready or self._ended)
                if not self._ready:
                    break
                item = self._ready.popleft()
                self._changed.notify_all()
            yield item
        if self._error is not None:
            raise self._error

    def close(self) -> None:
        with self._changed:
            self._closed = True
            self._changed.notify_all()
        self._thread.join()

    def _read(self) -> None:
        try:
            while not self._closed:
                item = next(self._items, self)
                with self._changed:
                    if item is self:
                        break
                    self._ready.append(item)  # type: ignore[arg-type]
                    self._changed.notify_all()
                    self._changed.wait_for(lambda: self._closed or len(self._ready) < self._count)
        except BaseException as error:  # it is the other thread's
            self._error = error
        finally:
            with self._changed:
                self._ended = True
                self._changed.notify_all()
