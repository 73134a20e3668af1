"""Executables, from the object, generated C code and the buffers' contents."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from netwright.specs.files import scratch_folder
from netwright.specs.manifest import EntryInfo, Manifest

from ...formulas import Fourier
from ...loop import ir
from ..llvm.debug import DebugInfo, stripped
from ..llvm.entries import entry_symbol
from ..llvm.features import features_of
from ..llvm.support import has_threads
from ..targets.target import Target, host_target
from .aot import emit
from .checks import Vectors, checks_source, is_watched
from .contents import Contents, check_described, contents_symbol
from .csource import StreamTable, model_source, stream_source, versions_source
from .linker import C_SOURCES, find_compiler, joins_segments, link, small, system_flags
from .made import Made

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
    version = Version(program, manifest, buffers, target or host_target())
    link_versions(
        [version],
        output,
        entry=entry,
        sample_rates=sample_rates,
        stream=stream,
        vectors=vectors,
        shown=shown,
        debug=debug,
        flags=flags,
    )


@dataclass(frozen=True)
class Version:
    """A program for one CPU, with the contents of its buffers."""

    program: ir.Program
    manifest: Manifest
    buffers: Mapping[str, np.ndarray]
    target: Target
    formulas: Mapping[str, Fourier] = field(default_factory=dict)
    """How the program computes some of these contents at its start, instead of holding them."""


def link_versions(
    versions: Sequence[Version],
    output: Path,
    *,
    entry: str = "predict",
    sample_rates: Mapping[str, int] | None = None,
    stream: StreamTable | None = None,
    vectors: Vectors | None = None,
    shown: Callable[[str], str] = str,
    checks: bool = True,
    debug: DebugInfo | None = None,
    flags: Sequence[str] = (),
) -> None:
    """Writes an executable with versions for several CPUs of one system, the best first: at its start it chooses the
    first that its CPU can run. Contents that versions have in common are stored once. Several versions do not test and
    profile themselves kernel by kernel, since each has kernels of its own. Without ``checks`` the program has none of
    `--selftest`, `--bench` and `--profile`, and is smaller. Otherwise as `link_executable`.
    """
    first, target = versions[0].manifest, versions[0].target
    blob, contents, made = contents_symbol(first), Contents(), Made()
    checks = checks and stream is None
    with scratch_folder() as folder:
        sources: list[str] = []
        for number, version in enumerate(versions):
            check_described(version.program, version.manifest)
            several = number if len(versions) > 1 else None
            program, manifest = version.program, version.manifest
            if several is not None:
                program, manifest = _numbered(program, manifest, number)
            info = entry_of(manifest, entry)
            watch = checks and several is None and is_watched(program.entries[entry])
            needed = {
                name: array for name, array in version.buffers.items() if name in {*info.reads, *info.writes}
            }
            computed = made.add(needed, version.formulas)
            held = {name: array for name, array in needed.items() if name not in computed}
            offsets = contents.add(manifest, held)
            tables = model_source(
                manifest,
                info,
                offsets,
                blob,
                features_of(version.target),
                sample_rates,
                has_threads(target),
                made=computed,
                name=first.model,
                version=several,
            )
            folder.write(f"tables{number}.c", tables)
            code = emit(program, "object", version.target, version.manifest, watch=watch, debug=debug)
            folder.write(f"model{number}.o", code)
            if checks and number == 0:
                known = vectors if several is None else None
                folder.write("calls.c", checks_source(program, manifest, entry, needed, known, shown, watch))
                sources.append("calls.c")
            sources += [f"tables{number}.c", f"model{number}.o"]
        if len(versions) > 1:
            folder.write("versions.c", versions_source(len(versions)))
            sources.append("versions.c")
        sources += made.write(folder)
        command = find_compiler(target)
        contents.write(folder, blob, target, guarded=joins_segments(command, target))
        if stream is not None:
            folder.write("steps.c", stream_source(first, stream))
            sources.append("steps.c")
        hears = _hears(first, entry_of(first, entry))
        for source in _driver(target, stream is not None, hears, checks):
            folder.write(source.name, source.read_bytes())
            sources += [source.name] if source.suffix == ".c" else []
        options = [
            *small(command, target),
            *(flags or stripped(debug)),
            *([] if hears else ["-DNETWRIGHT_NO_SOUND"]),
            *([] if checks else ["-DNETWRIGHT_NO_CHECKS"]),
        ]
        link(command, folder, [*sorted(sources), "contents.S", *system_flags(target), *options], output)


def _hears(manifest: Manifest, entry: EntryInfo) -> bool:
    """Whether an input may be a recording: floats [N, T] or [N, T, channels]."""
    return any(
        info.role == "input"
        and info.name in entry.reads
        and info.dtype.startswith("float")
        and len(info.shape) in (2, 3)
        for info in manifest.buffers
    )


def _driver(target: Target, takes_steps: bool, hears: bool, checks: bool) -> list[Path]:
    """The C files around the object code, of a program that ``takes_steps``, ``hears`` recordings, or ``checks``
    itself."""
    left_out = {*(_WHOLE_SEQUENCES if takes_steps else ()), *(() if hears else ("sound.c",))}
    files = [path for path in C_SOURCES.glob("*.[ch]") if path.name not in left_out]
    if not target.is_posix:
        files = [path for path in files if path.name != "place.c"] + [*(C_SOURCES / "plain").glob("*.c")]
    if takes_steps:
        return [*files, *(C_SOURCES / "stream").glob("*.[ch]")]
    return [*files, *(C_SOURCES / "check").glob("*.[ch]" if checks else "*.h")]


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
