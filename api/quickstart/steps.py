"""The steps of the quickstart on handwritten digits, each a command that a user could type."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from importlib.resources import files
from pathlib import Path

from netwright.runtime.files.npy import read_npy
from netwright.runtime.files.npz import read_npz
from netwright.specs.files import write_file

from ..errors import RequestError

FILES = ("digits.yaml", "digits-train.npz", "digits-valid.npz")
#: What training leaves, which is not written over.
TRAINED = ("digits.safetensors", "digits.checkpoint")

Echo = Callable[[str], None]


def copy_files(folder: Path) -> None:
    """Copies spec and data into ``folder``, which is created if needed.

    Raises RequestError if another file with such a name exists, and OSError.
    """
    source = files("netwright.quickstart")
    contents = {name: source.joinpath(name).read_bytes() for name in FILES}
    folder.mkdir(parents=True, exist_ok=True)
    for name, data in contents.items():
        path = folder / name
        if path.exists() and path.read_bytes() != data:
            raise RequestError(f"{path} is in the way: choose another directory")
    for name in TRAINED:
        if (folder / name).exists():
            raise RequestError(f"{folder / name} is in the way: choose another directory")
    for name, data in contents.items():
        write_file(folder / name, data)


def commands() -> list[list[str]]:
    """The commands, in order, as typed in the folder with the files."""
    return [
        ["netwright", "validate", "--data", "digits.yaml"],
        ["netwright", "summary", "digits.yaml"],
        ["netwright", "train", "digits.yaml", "--weights", "digits.safetensors"],
        ["netwright", "evaluate", "digits.yaml", "--weights", "digits.safetensors"],
        ["netwright", "compile", "digits.yaml", "--weights", "digits.safetensors", "-o", "digits"],
        ["python", "-m", "zipfile", "-e", "digits-valid.npz", "held-out"],
        ["./digits", "-i", "image=held-out/image.npy", "-o", "answers.npz"],
    ]


def run_steps(folder: Path, netwright: Callable[[Sequence[str]], int], prompt: Echo, echo: Echo) -> int:
    """Runs the commands in ``folder`` and returns the exit code. ``netwright`` runs those of Netwright itself.

    ``prompt`` receives each command, ``echo`` the output of other programs.
    """
    with _inside(folder):
        for command in commands():
            prompt(shlex.join(command))
            program, *arguments = command
            if program == "netwright":
                code = netwright(arguments)
            else:
                path = sys.executable if program == "python" else program
                done = subprocess.run([path, *arguments], capture_output=True, text=True)
                code = done.returncode
                echo(done.stdout + done.stderr)
            if code:
                return code
    return 0


def count_right(folder: Path) -> tuple[int, int]:
    """How many of the held-out digits the executable read correctly, and how many there are."""
    answers = read_npz(folder / "answers.npz")["digit"]
    labels = read_npy(folder / "held-out" / "label.npy")
    return int((answers == labels).sum()), len(labels)


@contextmanager
def _inside(folder: Path) -> Iterator[None]:
    before = Path.cwd()
    os.chdir(folder)
    try:
        yield
    finally:
        os.chdir(before)
