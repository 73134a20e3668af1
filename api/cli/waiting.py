"""What a terminal shows while a network is compiled."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from netwright.specs.diagnostics.visible import visible

from .output import console

#: Nothing is shown of what takes less than so many seconds.
PATIENCE = 1.0


@contextmanager
def compiling(name: str, *, out: Console | None = None, quiet: bool = False) -> Iterator[None]:
    """Says on a terminal (``out``, by default stderr) that the network ``name`` is being compiled, and for how long,
    if it takes over a second; the line goes when it is done. Elsewhere, and with ``quiet``, nothing is shown.
    """
    out = out or console(err=True)
    if quiet or not out.is_terminal:
        yield
        return
    text = TextColumn("{task.description}", markup=False)
    progress = Progress(SpinnerColumn(), text, TimeElapsedColumn(), console=out, transient=True)
    progress.add_task(f"compiling {visible(name)}", total=None)
    timer = threading.Timer(PATIENCE, progress.start)
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()
        timer.join()  # else it might start after it was stopped
        progress.stop()
