"""What a server tells about its model."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import Any

from netwright.runtime.sessions.session import Session
from netwright.specs.dims import parse_dim
from netwright.specs.manifest import BufferInfo

from .tensors import DATATYPES

#: The protocol's extensions that are understood.
EXTENSIONS = ["binary_tensor_data", "sequence"]
#: A model that is served has this version: there are no others.
VERSION = "1"
#: How other servers of the protocol say that an input is made from text.
_TEXT = {"parameters": {"content_type": "str"}}


def server_metadata(version: str) -> dict[str, Any]:
    """What `/v2` answers."""
    return {"name": "netwright", "version": version, "extensions": EXTENSIONS}


def model_metadata(
    name: str, inputs: Iterable[BufferInfo], outputs: Iterable[BufferInfo], of_text: Collection[str] = ()
) -> dict[str, Any]:
    """What `/v2/models/NAME` answers: a size that requests choose is −1. Inputs ``of_text`` may get texts, too."""
    return {
        "name": name,
        "versions": [VERSION],
        "platform": "netwright",
        "inputs": [{**_tensor(info), **(_TEXT if info.name in of_text else {})} for info in inputs],
        "outputs": [_tensor(info) for info in outputs],
    }


def inputs_of(session: Session) -> list[BufferInfo]:
    """The inputs of `predict`."""
    return session.input_info("predict")


def outputs_of(session: Session, names: Iterable[str]) -> list[BufferInfo]:
    """The buffers of these outputs."""
    by_name = {info.name: info for info in session.manifest.buffers}
    return [by_name[name] for name in names]


def _tensor(info: BufferInfo) -> dict[str, Any]:
    sizes = [parse_dim(size) for size in info.shape]
    return {
        "name": info.name,
        "datatype": DATATYPES[info.dtype],
        "shape": [size if isinstance(size, int) else -1 for size in sizes],
    }
