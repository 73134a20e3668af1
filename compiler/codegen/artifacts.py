"""Executables, from the object, generated C code and the buffers' contents."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from netwright.specs.files import scratch_folder
from netwright.specs.manifest import EntryInfo, Manifest

from ..loop import ir
from .aot import emit
from .contents import check_described, contents_symbol, write_contents
from .csource import StreamTable, model_source, stream_source
from .features import required
from .linker import C_SOURCES, find_compiler, link, small
from .target import Target, host_target

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
    check_described(program, manifest)
    info = _find(manifest, entry)
    needed = {name: buffers[name] for name in buffers if name in {*info.reads, *info.writes}}
    blob = contents_symbol(manifest)
    with scratch_folder() as folder:
        offsets = write_contents(folder, manifest, needed, blob, target, guarded=True)
        tables = model_source(manifest, info, offsets, blob, required(target), sample_rates)
        folder.write("tables.c", tables)
        folder.write("model.o", emit(program, "object", target, manifest))
        files = [
            path for path in C_SOURCES.glob("*.[ch]") if stream is None or path.name not in _WHOLE_SEQUENCES
        ]
        if not _hears(manifest, info):
            files = [path for path in files if path.name != "sound.c"]
            flags = ["-DNETWRIGHT_NO_SOUND", *(flags or ["-s"])]
        if stream is not None:
            folder.write("steps.c", stream_source(manifest, stream))
            files += [*(C_SOURCES / "stream").glob("*.[ch]")]
        for source in files:
            folder.write(source.name, source.read_bytes())
        sources = sorted(path.name for path in files if path.suffix == ".c")
        sources += ["steps.c"] if stream is not None else []
        command = find_compiler(target)
        options = [*small(command, target), *(flags or ["-s"])]
        link(
            command,
            folder,
            [*sources, "tables.c", "contents.S", "model.o", "-pthread", "-lm", *options],
            output,
        )


def _hears(manifest: Manifest, entry: EntryInfo) -> bool:
    """Whether an input may be a recording: floats [N, T] or [N, T, channels]."""
    return any(
        info.role == "input"
        and info.name in entry.reads
        and info.dtype.startswith("float")
        and len(info.shape) in (2, 3)
        for info in manifest.buffers
    )


def _find(manifest: Manifest, name: str) -> EntryInfo:
    for entry in manifest.entries:
        if entry.name == name:
            return entry
    raise ValueError(f"{manifest.model} has no entry {name!r}")
