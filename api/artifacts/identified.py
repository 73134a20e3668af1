"""What compiled files say about their origin: the spec's hash, versions, and where layers are in the spec."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from importlib.metadata import version
from typing import Any

from netwright.compiler.codegen.llvm.debug import DebugInfo, Place
from netwright.compiler.codegen.objects.compile import LLVM
from netwright.compiler.frontend.analyses.work import layer_of
from netwright.compiler.frontend.network import Network
from netwright.specs.flat import flat_spec
from netwright.specs.load import LoadResult

from ..values import spec_text
from ..version import VERSION


def spec_hash(load: LoadResult) -> str:
    """SHA-256 of a valid spec in one piece, with its settings made: comments and layout don't count."""
    if load.file not in load.diagnostics.sources:
        return ""
    return hashlib.sha256(spec_text(flat_spec(load)).encode()).hexdigest()


def identified(load: LoadResult) -> dict[str, Any]:
    """The fields of a manifest that say which spec it is of, and what made the code."""
    made_by = {
        "netwright": VERSION,
        "llvmlite": version("llvmlite"),
        "llvm": LLVM,
        "numpy": version("numpy"),
    }
    return {"spec": spec_hash(load), "versions": made_by}


def layer_names(network: Network) -> Callable[[str], str]:
    """Maps the path of an operation's layer to the name of the layer in the spec."""
    known = {layer.name: layer.name for layer in network.layers}

    def name(path: str) -> str:
        layer = layer_of(path, known)
        return layer if layer in known else path

    return name


def debug_info(load: LoadResult, network: Network) -> DebugInfo:
    """The places of a network's layers, for debuggers."""
    places = {layer.name: Place(layer.span.file, layer.span.line) for layer in network.layers}
    return DebugInfo(places, Place(load.file, 1), layer_names(network))
