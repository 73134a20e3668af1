"""Executables, from the object, generated C code and the buffers' contents."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from netwright.specs.files import scratch_folder
from netwright.specs.manifest import EntryInfo, Manifest

from ..loop import ir
from .aot import emit
from .contents import Contents, check_described, contents_symbol
from .csource import StreamTable, model_source, stream_source, versions_source
from .entries import entry_symbol
from .features import required
from .linker import C_SOURCES, find_compiler, link, system_flags
from .support import has_threads
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
    version = Version(program, manifest, buffers, target or host_target())
    link_versions([version], output, entry=entry, sample_rates=sample_rates, stream=stream, flags=flags)


@dataclass(frozen=True)
class Version:
    """A program for one CPU, with the contents of its buffers."""

    program: ir.Program
    manifest: Manifest
    buffers: Mapping[str, np.ndarray]
    target: Target


def link_versions(
    versions: Sequence[Version],
    output: Path,
    *,
    entry: str = "predict",
    sample_rates: Mapping[str, int] | None = None,
    stream: StreamTable | None = None,
    flags: Sequence[str] = (),
) -> None:
    """Writes an executable with versions for several CPUs of one system, the best first: at its start it chooses the
    first that its CPU can run. Contents that versions have in common are stored once. Otherwise as `link_executable`.
    """
    first, target = versions[0].manifest, versions[0].target
    blob, contents = contents_symbol(first), Contents()
    with scratch_folder() as folder:
        sources: list[str] = []
        for number, version in enumerate(versions):
            check_described(version.program, version.manifest)
            several = number if len(versions) > 1 else None
            program, manifest = (
                _numbered(version.program, version.manifest, number)
                if len(versions) > 1
                else (version.program, version.manifest)
            )
            info = entry_of(manifest, entry)
            needed = {
                name: array for name, array in version.buffers.items() if name in {*info.reads, *info.writes}
            }
            offsets = contents.add(manifest, needed)
            tables = model_source(
                manifest,
                info,
                offsets,
                blob,
                required(version.target),
                sample_rates,
                has_threads(target),
                name=first.model,
                version=several,
            )
            folder.write(f"tables{number}.c", tables)
            folder.write(f"model{number}.o", emit(program, "object", version.target, version.manifest))
            sources += [f"tables{number}.c", f"model{number}.o"]
        if len(versions) > 1:
            folder.write("versions.c", versions_source(len(versions)))
            sources.append("versions.c")
        contents.write(folder, blob, target)
        if stream is not None:
            folder.write("steps.c", stream_source(first, stream))
            sources.append("steps.c")
        for source in _driver(target, stream is not None):
            folder.write(source.name, source.read_bytes())
            sources += [source.name] if source.suffix == ".c" else []
        arguments = [*sorted(sources), "contents.S", *system_flags(target), *(flags or ["-s"])]
        link(find_compiler(target), folder, arguments, output)


def _driver(target: Target, takes_steps: bool) -> list[Path]:
    """The C files around the object code."""
    files = [
        path for path in C_SOURCES.glob("*.[ch]") if not takes_steps or path.name not in _WHOLE_SEQUENCES
    ]
    if not target.is_posix:
        files = [path for path in files if path.name != "place.c"] + [*(C_SOURCES / "plain").glob("*.c")]
    return files + ([*(C_SOURCES / "stream").glob("*.[ch]")] if takes_steps else [])


def _numbered(program: ir.Program, manifest: Manifest, number: int) -> tuple[ir.Program, Manifest]:
    """The program with C symbols of its own, and a manifest that names them."""
    model = f"{program.model}_version_{number}"
    entries = [
        info.model_copy(update={"symbol": entry_symbol(model, info.name)}) for info in manifest.entries
    ]
    return replace(program, model=model), manifest.model_copy(update={"model": model, "entries": entries})


def entry_of(manifest: Manifest, name: str) -> EntryInfo:
    """What a manifest says of an entry. Raises ValueError if there is none of the name."""
    for entry in manifest.entries:
        if entry.name == name:
            return entry
    raise ValueError(f"{manifest.model} has no entry {name!r}")
