"""Executables that Netwright made, run as programs: here, or under an emulator."""

from __future__ import annotations

import subprocess
from collections.abc import Mapping, Sequence
from functools import cached_property
from json import JSONDecodeError, loads
from pathlib import Path
from typing import Any

from netwright.specs.manifest import Manifest

from ..errors import RequestError
from ..inspection.profile import Profile
from .runners import runner

#: How long a program may take, in seconds.
_SECONDS = 3600


class Failure(Exception):
    """A compiled file does not do what it is for; the message says how."""


class Program:
    """An executable. Every call raises RequestError if it can't be run, or is none of Netwright's."""

    def __init__(self, path: Path):
        self.path = path
        if not path.is_file():
            raise RequestError(f"{path}: there is no such file")
        self._command = [*runner(path), str(path.resolve())]

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Runs it to its end."""
        try:
            return subprocess.run(
                [*self._command, *arguments],
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                errors="replace",
                timeout=_SECONDS,
            )
        except OSError as error:
            raise RequestError(f"{self.path} can't be run here: {error.strerror}") from None
        except subprocess.TimeoutExpired:
            raise RequestError(f"{self.path} did not end within an hour") from None

    @cached_property
    def info(self) -> dict[str, Any]:
        """What `--info` prints: the manifest, and the features that the CPU lacks."""
        done = self.run("--info")
        try:
            info = loads(done.stdout)
            if done.returncode == 0 and isinstance(info, dict) and "model" in info:
                return info
        except JSONDecodeError:
            pass
        raise RequestError(
            f"{self.path} is no executable that netwright compile made: it does not answer --info"
        )

    @property
    def manifest(self) -> Manifest:
        """Its manifest."""
        return Manifest.model_validate({key: value for key, value in self.info.items() if key != "missing"})

    def profile(self, runs: int, threads: int, dims: Mapping[str, int]) -> Profile:
        """What `--profile` measures."""
        assert self.info
        sizes = [part for name, size in dims.items() for part in ("--dim", f"{name}={size}")]
        done = self.run("--profile", str(runs), "--threads", str(threads), *sizes)
        if done.returncode:
            raise RequestError(_said(done.stderr))
        try:
            return Profile.from_json(done.stdout)
        except ValueError as error:
            raise RequestError(f"{self.path} --profile: {error}") from None

    def predict(self, inputs: Sequence[str], output: Path) -> None:
        """Predicts for inputs, each NAME=FILE, and writes all outputs to a .npz. Raises Failure."""
        done = self.run(*[part for each in inputs for part in ("-i", each)], "-o", str(output))
        if done.returncode:
            how = f"signal {-done.returncode}" if done.returncode < 0 else f"code {done.returncode}"
            raise Failure(_said(done.stderr) or f"{self.path} ends with {how}")


def _said(text: str) -> str:
    return text.strip()[-2000:]
