"""From a file or a text to a source tree: the limits and checks that come before YAML and JSON."""

from __future__ import annotations

import os
import re
import stat
import sys
from pathlib import Path

from ..diagnostics.diagnostic import Diagnostics
from ..files import STANDARD_STREAM, descriptor
from ..source.tree import SourceText, SourceTree, Span
from .json import read_json, recover_json
from .recovery import recover_yaml
from .yaml import read_yaml

SIZE_LIMIT = 4 * 1024 * 1024
"""The largest spec that is read, in bytes."""

_NO_TEXT = re.compile("[\\x00\ud800-\udfff]")


def read_file(path: str | os.PathLike[str], diagnostics: Diagnostics) -> SourceTree | None:
    """Read and parse a spec file, or (`-`) standard input; None when there is no tree, and `diagnostics` says why.
    Raises nothing."""
    name = os.fspath(path)
    nowhere = Span(name, 1, 1, 1, 1)
    try:
        if name == STANDARD_STREAM or descriptor(name) is not None:
            return _limited(_read_open(name), name, diagnostics)
        status = os.stat(path)
        if stat.S_ISDIR(status.st_mode):
            diagnostics.error("NW0109", f"{name} is a directory, a spec is a file", nowhere)
            return None
        if not stat.S_ISREG(status.st_mode):
            diagnostics.error("NW0109", f"{name} is no regular file", nowhere)
            return None
        with Path(path).open("rb") as file:
            # One byte more than allowed: the file may grow while it is read.
            data = file.read(SIZE_LIMIT + 1)
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        diagnostics.error("NW0109", f"{name} can't be read: {reason}", nowhere)
        return None
    return _limited(data, name, diagnostics, status.st_size)


def _read_open(name: str) -> bytes:
    """What comes out of standard input or another open descriptor (`<(command)` of a shell), as far as is allowed."""
    if name == STANDARD_STREAM:
        return sys.stdin.buffer.read(SIZE_LIMIT + 1)
    with os.fdopen(os.dup(descriptor(name) or 0), "rb") as file:
        return file.read(SIZE_LIMIT + 1)


def _limited(data: bytes, name: str, diagnostics: Diagnostics, size: int = 0) -> SourceTree | None:
    size = max(size, len(data))
    if size > SIZE_LIMIT:
        limit = f"{SIZE_LIMIT // 1024 // 1024} MB"
        message = f"{name} has {size / 1e6:,.1f} MB, a spec has at most {limit}"
        diagnostics.error("NW0110", message, Span(name, 1, 1, 1, 1))
        return None
    return read_bytes(data, name, diagnostics)


def read_bytes(data: bytes, name: str, diagnostics: Diagnostics) -> SourceTree | None:
    """Decode and parse the bytes of a spec; None when there is no tree. Raises nothing."""
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        # What came before is good UTF-8, so it tells the line and column.
        before = SourceText(name, data[: error.start].decode("utf-8-sig", "replace"))
        end = len(before.text)
        help = "save the file as UTF-8"
        diagnostics.error("NW0111", "the text is not UTF-8", before.span(end, end), help=help)
        return None
    return read_text(text, name, diagnostics)


def read_text(text: str, name: str, diagnostics: Diagnostics) -> SourceTree | None:
    """Parse the text of a spec, JSON where the name ends in .json, else YAML; None when there is no tree."""
    source = SourceText(name, text)
    diagnostics.add_source(source)
    bad = _NO_TEXT.search(text)
    if bad:
        message = f"the character U+{ord(bad.group()):04X} is not allowed"
        diagnostics.error("NW0111", message, source.span(bad.start(), bad.end()))
        return None
    root = (read_json if source.is_json else read_yaml)(source, diagnostics)
    return SourceTree(source, root) if root is not None else None


def recover_text(text: str, name: str) -> SourceTree:
    """The tree of all that can be read of a text, whatever mistakes it has; without any, the one of `read_text`."""
    source = SourceText(name, text)
    return SourceTree(source, (recover_json if source.is_json else recover_yaml)(source))
