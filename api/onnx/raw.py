"""The bytes of an ONNX file: the model's message without its weights, and the weights where they lie.

Protocol buffers copy every byte of a file into the message, and out of it again. So what is large is cut out before
the message is parsed: arrays are views of the bytes that were read, and a file is in memory once.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import onnx
from google.protobuf.message import DecodeError

from netwright.specs.files import open_regular

from .errors import OnnxError

#: Protocol buffers end there; larger weights go to external files.
MAX_FILE = 2**31 - 1
#: Weights of fewer bytes stay in the message.
LEAST = 2**12
#: Field numbers of onnx.proto: ModelProto.graph, GraphProto.initializer, TensorProto.raw_data, ModelProto.functions.
_GRAPH, _INITIALIZER, _RAW_DATA, _FUNCTIONS = 7, 5, 9, 25
#: How a message within a message is written: its length first.
_LENGTH = 2


@dataclass(frozen=True)
class RawModel:
    """A model's message. ``folder`` is where external data lie; ``weights`` are the bytes of each initializer, None
    where they are in the message itself."""

    proto: onnx.ModelProto
    folder: Path | None = None
    weights: Sequence[memoryview | None] = ()

    def weights_of(self, position: int) -> memoryview | None:
        """The bytes of an initializer that are not in the message."""
        return self.weights[position] if position < len(self.weights) else None


def read_file(path: str | os.PathLike[str]) -> RawModel:
    """A model as the file has it, without external data. Raises OnnxError."""
    path = Path(path)
    try:
        with open_regular(path) as file:
            size = os.fstat(file.fileno()).st_size
            if size > MAX_FILE:
                raise OnnxError(f"{path} has {size:,} bytes, a model has at most {MAX_FILE:,}")
            data = file.read()
    except OSError as error:
        raise OnnxError(f"{path} can't be read: {error.strerror or error}") from None
    return read_bytes(data, str(path), path.parent)


def read_bytes(data: bytes, name: str = "the model", folder: Path | None = None) -> RawModel:
    """A model from its bytes. Raises OnnxError."""
    try:
        message, weights = _without_weights(memoryview(data))
    except ValueError:  # the parser says what is wrong
        message, weights = data, []
    model = onnx.ModelProto()
    try:
        model.ParseFromString(message)
    except (DecodeError, ValueError, RecursionError) as error:
        raise OnnxError(f"{name} is no ONNX model: {error}") from None
    if not model.HasField("graph") or not model.opset_import:
        raise OnnxError(f"{name} is no ONNX model: it has no graph")
    if len(weights) != len(model.graph.initializer):
        weights = []
        model.ParseFromString(data)
    return RawModel(model, folder, weights)


def _without_weights(data: memoryview) -> tuple[bytes, list[memoryview | None]]:
    """The message without large raw data of initializers, and those. Raises ValueError for what is no message."""
    found: list[memoryview | None] = []
    parts: list[memoryview | bytes] = []
    for field, start, value, end in _fields(data):
        if field == _FUNCTIONS:
            raise ValueError("functions are put in place in the whole message")
        if field != _GRAPH:
            parts.append(data[start:end])
            continue
        graph: list[memoryview | bytes] = []
        for inner, first, content, last in _fields(data[value:end]):
            piece = data[value + first : value + last]
            if inner == _INITIALIZER:
                tensor, weights = _tensor(data[value + content : value + last])
                found.append(weights)
                graph.append(piece if weights is None else _written(_INITIALIZER, [tensor]))
            else:
                graph.append(piece)
        parts.append(_written(_GRAPH, graph))
    return b"".join(parts), found


def _tensor(data: memoryview) -> tuple[bytes, memoryview | None]:
    """A tensor's message without its raw data, and those where they are large."""
    raw: memoryview | None = None
    parts = []
    for field, start, value, end in _fields(data):
        if field == _RAW_DATA:
            raw = data[value:end]
        else:
            parts.append(data[start:end])
    return b"".join(parts), raw if raw is not None and len(raw) >= LEAST else None


def _fields(data: memoryview) -> Iterator[tuple[int, int, int, int]]:
    """The fields of a message: number, and where the field starts, its value starts, and both end. Raises
    ValueError."""
    position = 0
    while position < len(data):
        start = position
        tag, position = _varint(data, position)
        match tag & 7:
            case 0:
                value, (_, position) = position, _varint(data, position)
            case 1:
                value, position = position, position + 8
            case 2:
                length, value = _varint(data, position)
                position = value + length
            case 5:
                value, position = position, position + 4
            case _:
                raise ValueError("a field of another kind")
        if position > len(data):
            raise ValueError("a field that ends past the message")
        if tag & 7 != _LENGTH and tag >> 3 in (_GRAPH, _INITIALIZER, _RAW_DATA, _FUNCTIONS):
            yield 0, start, value, position
        else:
            yield tag >> 3, start, value, position


def _varint(data: memoryview, position: int) -> tuple[int, int]:
    """A number, seven bits to a byte, and where it ends. Raises ValueError."""
    found = shift = 0
    while position < len(data) and shift < 64:
        byte = data[position]
        position += 1
        found |= (byte & 0x7F) << shift
        if byte < 0x80:
            return found, position
        shift += 7
    raise ValueError("a number that does not end")


def _written(field: int, parts: Sequence[memoryview | bytes]) -> bytes:
    """A field that holds a message."""
    length = sum(map(len, parts))
    return b"".join([_number(field << 3 | _LENGTH), _number(length), *parts])


def _number(value: int) -> bytes:
    found = bytearray()
    while value >= 0x80:
        found.append(value & 0x7F | 0x80)
        value >>= 7
    found.append(value)
    return bytes(found)
