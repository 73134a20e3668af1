"""Serving another program when its files have changed, while requests go on."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import Callable

from ..program import Program
from .application import Application

#: So many seconds after another program has taken its place, what is left of the old one is looked for: requests that
#: were in progress are answered by then.
_AFTER = 2.0


class Reloading:
    """Has ``application`` serve what ``make`` makes, in a thread, each time that ``begin`` is called.

    ``ended`` is called with None when the new program is served, or with what was raised; then the old one stays.
    """

    def __init__(
        self,
        application: Application,
        make: Callable[[], Program],
        ended: Callable[[Exception | None], None],
    ):
        self._application, self._make, self._ended = application, make, ended
        self._task: asyncio.Task[None] | None = None
        self._again = False

    def begin(self) -> None:
        """Begins to make the program, or has it made once more if that is in progress: files may have changed since."""
        if self._task is None:
            self._task = asyncio.get_running_loop().create_task(self._run())
        else:
            self._again = True

    async def _run(self) -> None:
        self._again = True
        while self._again:
            self._again = False
            try:
                made = await asyncio.to_thread(lambda: self._application.prepared(self._make()))
                self._application.replace(made)
            except Exception as error:
                self._ended(error)
            else:
                self._ended(None)
        self._task = None
        asyncio.get_running_loop().call_later(_AFTER, _collect)


def _collect() -> None:
    gc.unfreeze()  # the old program was to stay
    gc.collect()
    gc.freeze()
