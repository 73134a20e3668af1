"""Scripts in a child of the process that runs tests: it has loaded what they import."""

from __future__ import annotations

import os
import runpy
import sys
import tempfile
import traceback
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Done:
    """The exit code of a script, and all that it printed."""

    code: int
    printed: str


def forked(script: str, folder: Path, environment: Mapping[str, str]) -> Done:
    """Runs a script as `python SCRIPT` in a folder does."""
    with tempfile.TemporaryFile() as printed:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Python warns of forks where there are threads
            child = os.fork()
        if child == 0:
            code = 1
            try:
                os.dup2(printed.fileno(), 1)
                os.dup2(printed.fileno(), 2)
                code = _script(script, folder, environment)
            finally:
                os._exit(code)
        _, status = os.waitpid(child, 0)
        printed.seek(0)
        return Done(os.waitstatus_to_exitcode(status), printed.read().decode())


def _script(script: str, folder: Path, environment: Mapping[str, str]) -> int:
    os.chdir(folder)
    os.environ.update(environment)
    sys.stdout = sys.stderr = os.fdopen(1, "w", buffering=1, closefd=False)
    sys.argv, sys.path[0:0] = [script], [str(folder)]
    code: object = 0
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # which tests take for errors
        try:
            runpy.run_path(script, run_name="__main__")
        except SystemExit as ended:
            code = ended.code or 0
        except BaseException:
            traceback.print_exc()
            code = 1
    sys.stdout.flush()
    return code if isinstance(code, int) else 1
