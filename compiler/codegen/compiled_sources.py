"""Objects of the C files around a network, which are the same for all: each is compiled once, and kept in the cache of
compiled code."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path

from netwright.specs.files import Scratch

from .cache import ObjectCache, default_cache

C_SOURCES = Path(__file__).parent / "c"
#: Words for the linker alone; with one of the last, or others that begin like it, an object has paths in it.
_LINKING = ("-shared", "-static", "-r", "-nostdlib", "-s")
_LINKER, _LIBRARY, _DEBUG = "-Wl,", "-l", "-g"


def compiled_sources(
    command: Sequence[str],
    flags: Sequence[str],
    folder: Scratch,
    arguments: Sequence[str],
    run: Callable[[Sequence[str], Scratch], str],
) -> list[str]:
    """The arguments of a C compiler, with objects in ``folder`` in place of our own C files. What ``command`` makes of
    a file depends on the file, our headers in ``folder`` and the flags; ``run`` runs it where the cache has no object.

    zig keeps objects by itself. Generated files are seldom the same again, and stay.
    """
    store = default_cache()
    own = [argument for argument in flags if not _links(argument)]
    own += [argument for argument in arguments if argument.startswith("-") and not _links(argument)]
    debug = any(argument.startswith(_DEBUG) for argument in own)
    compiler = _identity(command[0])
    if store is None or debug or compiler is None or "ziglang" in command:
        return list(arguments)
    # Our own files include nothing that is generated.
    places = sorted(path for path in folder.path.glob("*.h") if path.name in _own_files())
    headers = [path.name + "\n" + path.read_text("utf-8") for path in places]
    made: list[str] = []
    for argument in arguments:
        path = folder.path / argument
        if path.suffix != ".c" or argument not in _own_files() or not path.is_file():
            made.append(argument)
            continue
        key = ObjectCache.key(compiler, *command, *own, argument, path.read_text("utf-8"), *headers)
        name = f"{argument}.o"  # generated objects have other names
        if (code := store.get(key)) is not None:
            folder.write(name, code)
        else:
            run([*command, *own, "-c", argument, "-o", name], folder)
            store.put(key, (folder.path / name).read_bytes())
        made.append(name)
    return made


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
