"""Objects of the C files around a network, which are the same for all: each is compiled once, and kept in the cache of
compiled code."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path

from netwright.specs.files import Scratch

from .cache import ObjectCache, default_cache

C_SOURCES = Path(__file__).parents[1] / "c"
#: Words for the linker alone; with one of the last, or others that begin like it, an object has paths in it.
_LINKING = ("-shared", "-static", "-r", "-nostdlib", "-s")
_LINKER, _LIBRARY, _DEBUG, _DEFINE = "-Wl,", "-l", "-g", "-D"
_INCLUDED = re.compile(r'^ *# *include "([^"]+)"', re.MULTILINE)


def compiled_sources(
    command: Sequence[str],
    flags: Sequence[str],
    folder: Scratch,
    arguments: Sequence[str],
    run: Callable[[Sequence[str], Scratch], str],
) -> list[str]:
    """The arguments of a C compiler, with objects in ``folder`` in place of our own C files. What ``command`` makes of
    a file depends on the file, our headers that it includes, and the flags; ``run`` runs it where the cache has none.

    zig keeps objects by itself. Generated files are seldom the same again, and stay.
    """
    store = default_cache()
    own = [argument for argument in flags if not _links(argument)]
    own += [argument for argument in arguments if argument.startswith("-") and not _links(argument)]
    debug = any(argument.startswith(_DEBUG) for argument in own)
    compiler = _identity(command[0])
    if store is None or debug or compiler is None or "ziglang" in command:
        return list(arguments)
    made: list[str] = []
    for argument in arguments:
        path = folder.path / argument
        if path.suffix != ".c" or argument not in _own_files() or not path.is_file():
            made.append(argument)
            continue
        texts = _read(argument, folder)
        used = [flag for flag in own if not flag.startswith(_DEFINE) or _defined(flag) in "".join(texts)]
        key = ObjectCache.key(compiler, *command, *used, argument, *texts)
        name = f"{argument}.o"  # generated objects have other names
        if (code := store.get(key)) is not None:
            folder.write(name, code)
        else:
            run([*command, *used, "-c", argument, "-o", name], folder)
            store.put(key, (folder.path / name).read_bytes())
        made.append(name)
    return made


def _read(source: str, folder: Scratch) -> list[str]:
    """The text of a file and of the headers of ours that it includes, which include nothing that is generated."""
    names = [source]
    texts: list[str] = []
    for name in names:
        texts.append(f"{name}\n{(folder.path / name).read_text('utf-8')}")
        included = (each for each in _INCLUDED.findall(texts[-1]) if (folder.path / each).is_file())
        names += [each for each in dict.fromkeys(included) if each not in names]
    return texts


def _defined(flag: str) -> str:
    return flag.removeprefix(_DEFINE).partition("=")[0]


def _links(argument: str) -> bool:
    return argument in _LINKING or argument.startswith((_LINKER, _LIBRARY))


@cache
def _own_files() -> frozenset[str]:
    return frozenset(path.name for path in C_SOURCES.rglob("*.[ch]"))


@cache
def _identity(compiler: str) -> str | None:
    """Which program a command is: another version is another file."""
    place = shutil.which(compiler)
    if place is None:
        return None
    program = Path(place).resolve()
    state = program.stat()
    return f"{program} {state.st_size} {state.st_mtime_ns}"
