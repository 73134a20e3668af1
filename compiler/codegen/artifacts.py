"""Executables and shared libraries, from the object, generated C code and the buffers' contents."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import IO

import numpy as np

from netwright.specs.files import Scratch, scratch_folder, write_file
from netwright.specs.manifest import EntryInfo, Manifest

from ..loop import ir
from ..loop.check_call import statements_of
from .aot import emit
from .checks import Vectors, checks_source, is_watched
from .csource import StreamTable, model_source, stream_source
from .debug import DebugInfo
from .entries import entry_symbol
from .features import required
from .library import header_source, library_source
from .linker import C_SOURCES, find_compiler, link
from .support import has_threads
from .target import Target, host_target

_ALIGN = 64
#: What a program that is given steps has no use for.
_WHOLE_SEQUENCES = ("driver.c", "options.c", "inputs.c", "source.c", "source.h", "sound.c", "sound.h")


def link_executable(
    program: ir.Program,
    manifest: Manifest,
    buffers: Mapping[str, np.ndarray],
    output: Path,
    target: Target | None = None,
    *,
    entry: str = "predict",
    sample_rates: Mapping[str, int] | None = None,
    stream: StreamTable | None = None,
    vectors: Vectors | None = None,
    shown: Callable[[str], str] = str,
    debug: DebugInfo | None = None,
    flags: Sequence[str] = (),
) -> None:
    """Writes an executable that runs ``entry`` on .npy and WAV files or, as ``stream`` says, on steps that come on
    standard input.

    ``buffers``: the contents of every parameter, statistic, constant and packed buffer that the entry reads.
    ``sample_rates``: of inputs of sound, samples per second; recordings have to have as many. ``vectors``: the
    reference's results, for ``--selftest``. ``shown`` maps the path of a layer to the name to show. With ``debug``,
    kernels have debug information, and the executable keeps its symbols. ``flags`` go to the C compiler. Raises
    LinkError without a C compiler, and ValueError for contents that are missing or of another dtype or size, and for a
    dim that no input determines.
    """
    target = target or host_target()
    _check(program, manifest)
    info = _find(manifest, entry)
    program = _alone(program, entry)
    needed = {name: buffers[name] for name in buffers if name in {*info.reads, *info.writes}}
    blob = f"{manifest.model}_contents"
    with scratch_folder() as folder:
        offsets = _write_contents(folder, manifest, needed, blob, target)
        tables = model_source(manifest, info, offsets, blob, required(target), sample_rates)
        folder.write("tables.c", tables)
        watch = stream is None and is_watched(program.entries[entry])
        folder.write("model.o", emit(program, "object", target, manifest, watch=watch, debug=debug))
        files = [
            path for path in C_SOURCES.glob("*.[ch]") if stream is None or path.name not in _WHOLE_SEQUENCES
        ]
        if stream is not None:
            folder.write("steps.c", stream_source(manifest, stream))
            files += [*(C_SOURCES / "stream").glob("*.[ch]")]
        else:
            folder.write("calls.c", checks_source(program, manifest, entry, needed, vectors, shown))
            files += [*(C_SOURCES / "check").glob("*.[ch]")]
        for source in files:
            folder.write(source.name, source.read_bytes())
        sources = sorted(path.name for path in files if path.suffix == ".c")
        sources += ["calls.c" if stream is None else "steps.c"]
        arguments = [
            *sources,
            "tables.c",
            "contents.S",
            "model.o",
            "-pthread",
            "-lm",
            *(flags or _strip(debug)),
        ]
        link(find_compiler(target), folder, arguments, output)


def link_shared(
    program: ir.Program,
    manifest: Manifest,
    output: Path,
    target: Target | None = None,
    *,
    buffers: Mapping[str, np.ndarray] | None = None,
    debug: DebugInfo | None = None,
    flags: Sequence[str] = (),
) -> Path:
    """Writes a shared library and, next to it, its C header; returns the header's path.

    The library exports the entries, their plans, ``MODEL_missing``, ``MODEL_bytes``, ``MODEL_manifest`` and, if the
    system has threads, ``MODEL_run`` and ``MODEL_stop``; with ``buffers`` also their contents, as ``MODEL_data``.
    Raises LinkError without a C compiler, ValueError for contents of another dtype or size.
    """
    target = target or host_target()
    _check(program, manifest)
    contents = dict(buffers or {})
    blob = f"{manifest.model}_contents"
    threads = has_threads(target)
    header = header_source(manifest, contents, required(target), threads)
    with scratch_folder() as folder:
        offsets = _write_contents(folder, manifest, contents, blob, target)
        folder.write("library.h", header)
        folder.write("sizes.h", (C_SOURCES / "sizes.h").read_bytes())
        folder.write("library.c", library_source(manifest, offsets, blob, threads))
        code = emit(program, "object", target, manifest, blob if contents else None, debug=debug)
        folder.write("model.o", code)
        arguments = ["-shared", "library.c", "model.o", "-pthread", *(flags or _strip(debug))]
        if threads:
            arguments.insert(1, "processors.c")
            for name in ("processors.c", "processors.h"):
                folder.write(name, (C_SOURCES / name).read_bytes())
        if contents:
            arguments.insert(1, "contents.S")
        link(find_compiler(target), folder, arguments, output)
    path = output.with_suffix(".h")
    write_file(path, header.encode())
    return path


def _alone(program: ir.Program, entry: str) -> ir.Program:
    """The program without entries that are never called, such as `prepare`, whose results are embedded."""
    body = program.entries[entry].function.body
    used = {call.function for call in statements_of(body) if isinstance(call, ir.Call)}
    kernels = {name: kernel for name, kernel in program.kernels.items() if name in used}
    return replace(program, entries={entry: program.entries[entry]}, kernels=kernels)


def _strip(debug: DebugInfo | None) -> list[str]:
    return ["-s"] if debug is None else ["-g"]


def _find(manifest: Manifest, name: str) -> EntryInfo:
    for entry in manifest.entries:
        if entry.name == name:
            return entry
    raise ValueError(f"{manifest.model} has no entry {name!r}")


def _check(program: ir.Program, manifest: Manifest) -> None:
    """Raises ValueError unless the manifest describes this very program: C code is generated from it."""
    described = (
        manifest.model,
        [dim.name for dim in manifest.dims],
        [(buffer.name, buffer.dtype, tuple(buffer.shape)) for buffer in manifest.buffers],
        [(entry.name, entry.symbol, entry.slots) for entry in manifest.entries],
    )
    actual = (
        program.model,
        [name for name, _ in program.dims],
        [(buffer.name, buffer.dtype, tuple(map(str, buffer.shape))) for buffer in program.table],
        [
            (name, entry_symbol(program.model, name), len(entry.arena))
            for name, entry in program.entries.items()
        ],
    )
    for in_manifest, in_program in zip(described, actual, strict=True):
        if in_manifest != in_program:
            raise ValueError(
                f"the manifest is not this program's: it has {in_manifest}, the program {in_program}"
            )


def _write_contents(
    folder: Scratch, manifest: Manifest, buffers: Mapping[str, np.ndarray], blob: str, target: Target
) -> dict[str, int]:
    """Writes the contents to one file, and assembly that includes it; returns each buffer's offset."""
    known = {buffer.name: buffer for buffer in manifest.buffers}
    offsets: dict[str, int] = {}

    def write(file: IO[bytes]) -> None:
        for name, array in buffers.items():
            expected, shape = known[name], [str(size) for size in array.shape]
            if (expected.dtype, expected.shape) != (array.dtype.name, shape):
                raise ValueError(
                    f"{name}: expected {expected.dtype} {expected.shape}, found {array.dtype.name} {shape}"
                )
            file.write(bytes(-file.tell() % _ALIGN))
            offsets[name] = file.tell()
            file.write(array.tobytes())
        file.write(bytes(_ALIGN))

    folder.write("contents.bin", write)
    mach = target.is_darwin
    names = [f"_{name}" if mach else name for name in (blob, f"{blob}_end")]
    lines = [
        ".section __TEXT,__const" if mach else '.section .rodata,"a"',
        f".balign {_ALIGN}",
        *(f".globl {name}" for name in names),
        *(f".private_extern {name}" if mach else f".hidden {name}" for name in names),
        f"{names[0]}:",
        '.incbin "contents.bin"',
        f"{names[1]}:",
        *([] if mach else ['.section .note.GNU-stack,"",%progbits']),
    ]
    folder.write("contents.S", "\n".join(lines) + "\n")
    return offsets
