"""Executables and shared libraries, from the object, generated C code and the buffers' contents."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO

import numpy as np

from netwright.specs.files import Scratch, scratch_folder, write_file
from netwright.specs.manifest import EntryInfo, Manifest

from ..loop import ir
from .aot import emit
from .csource import StreamTable, model_source, stream_source
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
    flags: Sequence[str] = (),
) -> None:
    """Writes an executable that runs ``entry`` on .npy and WAV files or, as ``stream`` says, on steps that come on
    standard input.

    ``buffers``: the contents of every parameter, statistic, constant and packed buffer that the entry reads.
    ``sample_rates``: of inputs of sound, samples per second; recordings have to have as many. ``flags`` go to the C
    compiler. Raises LinkError without a C compiler, and ValueError for contents that are
    missing or of another dtype or size, and for a dim that no input determines.
    """
    target = target or host_target()
    check_program(program, manifest)
    info = find_entry(manifest, entry)
    needed = {name: buffers[name] for name in buffers if name in {*info.reads, *info.writes}}
    blob = f"{manifest.model}_contents"
    with scratch_folder() as folder:
        offsets = write_contents(folder, manifest, needed, blob, target)
        tables = model_source(manifest, info, offsets, blob, required(target), sample_rates)
        folder.write("tables.c", tables)
        folder.write("model.o", emit(program, "object", target, manifest))
        files = [
            path for path in C_SOURCES.glob("*.[ch]") if stream is None or path.name not in _WHOLE_SEQUENCES
        ]
        if stream is not None:
            folder.write("steps.c", stream_source(manifest, stream))
            files += [*(C_SOURCES / "stream").glob("*.[ch]")]
        for source in files:
            folder.write(source.name, source.read_bytes())
        sources = sorted(path.name for path in files if path.suffix == ".c")
        sources += ["steps.c"] if stream is not None else []
        arguments = [*sources, "tables.c", "contents.S", "model.o", "-pthread", "-lm", *(flags or ["-s"])]
        link(find_compiler(target), folder, arguments, output)


def link_shared(
    program: ir.Program,
    manifest: Manifest,
    output: Path,
    target: Target | None = None,
    *,
    buffers: Mapping[str, np.ndarray] | None = None,
    flags: Sequence[str] = (),
) -> Path:
    """Writes a shared library and, next to it, its C header; returns the header's path.

    The library exports the entries, their plans, ``MODEL_missing``, ``MODEL_bytes``, ``MODEL_manifest`` and, if the
    system has threads, ``MODEL_run`` and ``MODEL_stop``; with ``buffers`` also their contents, as ``MODEL_data``.
    Raises LinkError without a C compiler, ValueError for contents of another dtype or size.
    """
    target = target or host_target()
    check_program(program, manifest)
    contents = dict(buffers or {})
    blob = f"{manifest.model}_contents"
    threads = has_threads(target)
    header = header_source(manifest, contents, required(target), threads)
    with scratch_folder() as folder:
        offsets = write_contents(folder, manifest, contents, blob, target)
        folder.write("library.h", header)
        folder.write("sizes.h", (C_SOURCES / "sizes.h").read_bytes())
        folder.write("library.c", library_source(manifest, offsets, blob, threads))
        folder.write("model.o", emit(program, "object", target, manifest, blob if contents else None))
        arguments = ["-shared", "library.c", "model.o", "-pthread", *(flags or ["-s"])]
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


def find_entry(manifest: Manifest, name: str) -> EntryInfo:
    """The entry of a name. Raises ValueError."""
    for entry in manifest.entries:
        if entry.name == name:
            return entry
    raise ValueError(f"{manifest.model} has no entry {name!r}")


def check_program(program: ir.Program, manifest: Manifest) -> None:
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


def write_contents(
    folder: Scratch,
    manifest: Manifest,
    buffers: Mapping[str, np.ndarray],
    blob: str,
    target: Target,
    others: Mapping[str, np.ndarray] | None = None,
) -> dict[str, int]:
    """Writes the contents of buffers, and ``others`` by names of their own, to one file, and assembly that includes it;
    returns the offset of each.
    """
    known = {buffer.name: buffer for buffer in manifest.buffers}
    offsets: dict[str, int] = {}

    def write(file: IO[bytes]) -> None:
        for name, array in buffers.items():
            expected, shape = known[name], [str(size) for size in array.shape]
            if (expected.dtype, expected.shape) != (array.dtype.name, shape):
                raise ValueError(
                    f"{name}: expected {expected.dtype} {expected.shape}, found {array.dtype.name} {shape}"
                )
        for name, array in {**buffers, **(others or {})}.items():
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
