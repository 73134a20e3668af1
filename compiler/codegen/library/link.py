"""Makes libraries: shared, static, or one object, each with its header."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Literal

import numpy as np

from netwright.specs.files import scratch_folder, write_file
from netwright.specs.manifest import PREPARE, TRAIN, Manifest

from ...loop import ir
from ..files.aot import emit
from ..files.contents import check_described, contents_symbol, write_contents
from ..files.linker import C_SOURCES, SMALL, archive, find_compiler, link, object_flags, objects, small
from ..llvm.debug import DebugInfo, stripped
from ..llvm.entries import direct_entries
from ..llvm.features import required
from ..llvm.support import has_threads
from ..targets.target import Target, host_target
from .header import header_source
from .interface import Interface
from .source import library_source
from .weights import identity, layout

LibraryKind = Literal["shared", "static", "object"]


def link_library(
    program: ir.Program,
    manifest: Manifest,
    output: Path,
    kind: LibraryKind = "shared",
    target: Target | None = None,
    *,
    buffers: Mapping[str, np.ndarray] | None = None,
    made_for: str | None = None,
    header: Path | None = None,
    soname: bool = False,
    debug: DebugInfo | None = None,
    notes: Mapping[str, str] | None = None,
    flags: Sequence[str] = (),
) -> Path:
    """Writes a library and its C header, by default next to it; returns the header's path. With ``soname``, programs
    look for a shared library by its name alone. ``notes`` say in the header what callers have to know of outputs.

    ``buffers`` has contents of buffers. If all weights that the entries read are among them, the library holds a model;
    if a weight is missing, or there is an entry that trains, callers may bring weights of their own. ``made_for`` is
    the ``weights.identity`` of the program before entries were taken out of it. With ``debug``, kernels have debug
    information, and symbols are kept. Raises LinkError without a C compiler,
    ValueError for contents of another dtype or size.
    """
    target = target or host_target()
    check_described(program, manifest)
    contents = {
        info.name: (buffers or {})[info.name] for info in manifest.buffers if info.name in (buffers or {})
    }
    blob = contents_symbol(manifest)
    places, _ = layout(manifest)
    entries = {entry.name for entry in manifest.entries}
    interface = Interface(
        program,
        manifest,
        made_for or identity(program),
        embedded=bool(places) and places.keys() <= contents.keys(),
        own=bool(places) and (bool(entries & {PREPARE, TRAIN}) or not places.keys() <= contents.keys()),
        threads=has_threads(target),
        files=bool(places),
        notes=notes or {},
        direct=direct_entries(program, manifest, target),
    )
    text = header_source(interface, required(target))
    with scratch_folder() as folder:
        offsets = write_contents(folder, manifest, contents, blob, target, guarded=kind == "shared")
        folder.write("library.h", text)
        folder.write("sizes.h", (C_SOURCES / "sizes.h").read_bytes())
        folder.write("library.c", library_source(interface, offsets, blob))
        code = emit(program, "object", target, manifest, blob if contents else None, debug=debug)
        folder.write("model.o", code)
        sources = ["library.c", *(["contents.S"] if contents else []), "model.o"]
        if interface.threads:
            sources.insert(0, "processors.c")
            for name in ("processors.c", "processors.h"):
                folder.write(name, (C_SOURCES / name).read_bytes())
        command = find_compiler(target)
        if kind == "shared":
            named = [f"-Wl,-soname,{output.name}"] if soname and not target.is_darwin else []
            link(
                command,
                folder,
                [
                    "-shared",
                    *sources,
                    "-pthread",
                    *named,
                    *small(command, target),
                    *(flags or stripped(debug)),
                ],
                output,
            )
        else:
            # Compiled one by one, since zig has no C library's headers where it links without one.
            made = objects(command, folder, sources, [*SMALL, *object_flags(target), *flags])
            if kind == "object":
                link(command, folder, ["-r", "-nostdlib", *made, *flags], output, executable=False)
            else:
                archive(command, folder, made, output, manifest.prefix, target, flags)
    path = header or output.with_suffix(".h")
    write_file(path, text.encode())
    return path
