"""Libraries for C: the files that they consist of, and what is in them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from numpy.typing import NDArray

from netwright.compiler.codegen.files.aot import emit
from netwright.compiler.codegen.files.linker import LinkError, find_compiler
from netwright.compiler.codegen.files.platforms import chosen_target
from netwright.compiler.codegen.files.selection import without_entries
from netwright.compiler.codegen.library.link import link_library
from netwright.compiler.codegen.library.packages import cmake_config, pkg_config
from netwright.compiler.codegen.library.weights import identity, layout, write_weights
from netwright.compiler.codegen.llvm.debug import DebugInfo
from netwright.compiler.codegen.targets.target import Target
from netwright.compiler.frontend.network import Network, initial_states
from netwright.specs.files import write_file
from netwright.specs.manifest import PREPARE, TRAIN, Manifest

from ..build import Build
from ..errors import RequestError
from ..weights.network import weights_or_first
from .contents import contents_of
from .places import Places, shared_suffix
from .request import Request


def library_places(request: Request, path: Path, prefix: str) -> Places:
    """Where the files of a library go; ``prefix`` is what its C names begin with. Raises RequestError, TargetError."""
    if not request.package:
        return Places.beside(path)
    if request.emit not in ("shared", "static"):
        raise RequestError("a package has a shared or a static library")
    return Places.package(path, prefix, request.emit, chosen_target(request.target, request.cpu))


def write_library(
    network: Network,
    made: Build,
    weights: Mapping[str, NDArray] | None,
    path: Path,
    target: Target,
    request: Request,
    debug: DebugInfo | None,
    notes: Mapping[str, str],
) -> list[Path]:
    """Writes a library with its header and weights, or the weights for one alone."""
    program, manifest = made.lowered.program, made.lowered.manifest
    made_for = identity(program)
    trains = any(entry.name == TRAIN for entry in manifest.entries)
    contents = dict(made.lowered.constants)
    if weights is None and trains:  # a training begins with some
        weights = weights_or_first(network)
    if weights is not None:
        contents |= contents_of(made, weights)
    if trains:
        contents |= {name: array for name, array in initial_states(network).items() if array.any()}
    elif weights is not None:
        program, manifest = without_entries(program, manifest, (PREPARE,))
    if request.emit == "weights":
        write_weights(path, manifest, made_for, contents)
        return [path]
    assert request.emit in ("shared", "static", "object")
    places = library_places(request, path, manifest.prefix)
    paths = [places.library, places.header]
    for folder in {place.parent for place in (*paths, places.weights)} if request.package else ():
        folder.mkdir(parents=True, exist_ok=True)
    apart = weights is not None and not request.embed
    if apart:
        write_weights(places.weights, manifest, made_for, contents)
        stored, _ = layout(manifest)
        contents = {name: array for name, array in contents.items() if name not in stored}
        paths.append(places.weights)
    if request.emit == "object" and not _links(target):
        write_file(places.library, emit(program, "object", target, manifest, debug=debug))
        return [path for path in paths if path != places.header]
    link_library(
        program,
        manifest,
        places.library,
        request.emit,
        target,
        buffers=contents,
        made_for=made_for,
        header=places.header,
        soname=request.package,
        debug=debug,
        notes=notes,
    )
    return [*paths, *_build_files(places, manifest, request, target, apart)]


def _build_files(
    places: Places, manifest: Manifest, request: Request, target: Target, apart: bool
) -> list[Path]:
    """Writes what pkg-config and CMake read."""
    if places.pkg_config is None or places.cmake is None:
        return []
    name, static = manifest.prefix, request.emit == "static"
    found_by_pkg_config = pkg_config(
        name, manifest.model, manifest.target, manifest.netwright, static=static, weights=apart
    )
    found_by_cmake = cmake_config(name, manifest.netwright, suffix=shared_suffix(target), weights=apart)
    for path, text in ((places.pkg_config, found_by_pkg_config), (places.cmake, found_by_cmake)):
        path.parent.mkdir(parents=True, exist_ok=True)
        write_file(path, text.encode())
    return [places.pkg_config, places.cmake]


def _links(target: Target) -> bool:
    """Whether there is a C compiler for the target."""
    try:
        find_compiler(target)
    except LinkError:
        return False
    return True
