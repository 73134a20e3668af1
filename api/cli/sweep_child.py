"""`python -m netwright.cli.sweep_child PID train …`: the command line in a process that ends when its parent does."""

from __future__ import annotations

import ctypes
import os
import signal
import sys

from netwright.runtime.training.interrupt import end_on_signals

from . import main

_PR_SET_PDEATHSIG = 1


def end_with(parent: int) -> None:
    """Lets the kernel send SIGTERM to this process when the process ``parent`` ends; only Linux can."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
        if os.getppid() != parent:  # it ended before
            signal.raise_signal(signal.SIGTERM)


if __name__ == "__main__":
    end_on_signals()
    end_with(int(sys.argv.pop(1)))
    main(prog_name="netwright")
