"""An engine executes the entries of a manifest on arrays that the caller owns.

Native code (``native.py``) is one engine, the reference interpreter another; sessions and the training loop use only
this protocol, so they run on both.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

from numpy.typing import NDArray

from netwright.specs.manifest import ERRORS, EntryInfo, Manifest

from ..errors import ExecutionError, did_you_mean, listed


class Engine(Protocol):
    """Runs the entries of ``manifest``."""

    @property
    def manifest(self) -> Manifest:
        """The entries that can be run, and the buffers they use."""
        ...

    def run(self, entry: str, dims: Mapping[str, int], buffers: Mapping[str, NDArray]) -> None:
        """Executes ``entry``, reading and writing ``buffers`` in place.

        ``dims`` binds every dim that the shapes of the entry's buffers mention. ``buffers`` holds at least the entry's
        ``reads`` and ``writes``: C-ordered arrays of exactly the manifest's dtypes and (evaluated) shapes. Arrays that
        are written share no memory with any other. Buffers of role "constant" belong to the engine.

        Raises ExecutionError for an unknown entry, for an array that differs from the manifest, and for a return code
        other than 0, with its text from ``netwright.specs.manifest.ERRORS``.
        """
        ...

    def fast_call(
        self, entry: str, dims: Mapping[str, int], fixed: Mapping[str, NDArray], passed: Sequence[str]
    ) -> Callable[..., int] | None:
        """A quicker ``run`` for these dims: a function of the arrays of the buffers ``passed``, in order; ``fixed`` are
        all others. Dims that are the longest of some lengths among the arrays are set by each call.

        It returns the entry's code, 0 for success, or -1 if it did nothing, since an array is not exactly what ``run``
        takes, or for a reason of the engine's: then ``run`` has to be called. None: this engine has no quicker way.
        """
        ...

    def tell(self, passed: Callable[[int], None] | None) -> None:
        """From now on, calls ``passed`` with the number of each mark that an entry passes, while it runs. An engine may
        pass none. What it raises is lost.
        """
        ...


def find_entry(manifest: Manifest, name: str) -> EntryInfo:
    """The entry called ``name``. Raises ExecutionError that lists the existing ones."""
    for entry in manifest.entries:
        if entry.name == name:
            return entry
    names = [entry.name for entry in manifest.entries]
    hint = did_you_mean(name, names)
    raise ExecutionError(f"model {manifest.model!r} has no entry {name!r} (it has {listed(names)}){hint}")


def code_error(manifest: Manifest, entry: str, code: int) -> ExecutionError:
    """The error for the non-zero return ``code`` of ``entry``."""
    text = ERRORS.get(code, "an unknown error")
    return ExecutionError(f"{manifest.model}.{entry}: {text} (code {code})", code)
