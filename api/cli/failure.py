"""Errors as the command line shows them: a message on stderr and an exit code, never a traceback."""

from __future__ import annotations

import click

from netwright.compiler.codegen.files.linker import LinkError
from netwright.compiler.codegen.objects.cache import CacheError
from netwright.compiler.codegen.objects.compile import CompileError
from netwright.compiler.codegen.targets.target import TargetError
from netwright.compiler.codegen.verification import VerificationError
from netwright.compiler.passes.scans.unroll import UnrollError
from netwright.compiler.tuning import TuningError
from netwright.runtime.errors import RuntimeFault
from netwright.runtime.training.loop import DivergedError
from netwright.specs.diagnostics.visible import visible
from netwright.specs.reading.settings import SettingError
from netwright.specs.specialize import DimError

from ..errors import RequestError, SpecError
from .findings import show_diagnostics

_EXPECTED = (
    RuntimeFault,
    SettingError,
    DimError,
    RequestError,
    UnrollError,
    TuningError,
    TargetError,
    CacheError,
    LinkError,
    VerificationError,
    CompileError,
    OSError,
    MemoryError,
)


def report(error: Exception) -> int | None:
    """Prints an error that the user can act on and returns the exit code: 1 for errors of the spec and their
    consequences, 2 for wrong usage or data. Returns None, without printing, for any other error.
    """
    if isinstance(error, SpecError):
        show_diagnostics(error.diagnostics, err=True)
        return 1
    if not isinstance(error, _EXPECTED):
        return None
    text = str(error) or type(error).__name__
    if isinstance(error, OSError) and error.strerror:
        # Python puts the file last and adds a number; say the file first.
        name = "standard output" if error.filename is None else error.filename
        text = f"{visible(str(name))}: {error.strerror}"
    if isinstance(error, MemoryError):
        text = "there is not enough memory"
    click.echo(f"error: {visible(text, keep=chr(10))}", err=True)
    for note in getattr(error, "__notes__", ()):
        click.echo(f"note: {visible(str(note))}", err=True)
    return 1 if isinstance(error, DivergedError | VerificationError | CompileError) else 2
