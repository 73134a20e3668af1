"""Separates the bytes of an ONNX file into the model's message without its weights, and the places of the weights.

Protocol buffers copy every byte of a file into the message, and again when it is read. So large data are cut out before
the message is parsed, and stay in the file until they are read.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import onnx
from google.protobuf.message import DecodeError

from .errors import OnnxError
from .stored import InFile, InMemory, Place, Source

#: The size limit of protocol buffers; larger weights go to external files.
MAX_FILE = 2**31 - 1
#: Smaller weights stay in the message.
LEAST = 2**12
#: Field numbers of onnx.proto: ModelProto.graph, GraphProto.initializer, TensorProto.raw_data, ModelProto.functions.
_GRAPH, _INITIALIZER, _RAW_DATA, _FUNCTIONS = 7, 5, 9, 25
#: The wire type of a message inside a message, which begins with its length.
_LENGTH = 2
#: The largest number of bytes of an encoded number.
_NUMBER = 10


@dataclass(frozen=True)
class RawModel:
    """A model's message.

    ``folder`` is where external data are. ``weights`` has for each initializer the place of its bytes, None if they are
    in the message itself.
    """

    proto: onnx.ModelProto
    folder: Path | None = None
    weights: Sequence[Place | None] = ()

    def weights_of(self, position: int) -> Place | None:
        """The place of an initializer's bytes outside the message."""
        return self.weights[position] if position < len(self.weights) else None


def read_file(path: str | os.PathLike[str]) -> RawModel:
    """Reads a model from its file, without external data. Raises OnnxError."""
    path = Path(path)
    try:
        source = InFile(path)
        if source.size > MAX_FILE:
            raise OnnxError(f"{path} has {source.size:,} bytes, a model has at most {MAX_FILE:,}")
        return _read(source, str(path), path.parent)
    except OSError as error:
        raise OnnxError(f"{path} can't be read: {error.strerror or error}") from None


def read_bytes(data: bytes, name: str = "the model", folder: Path | None = None) -> RawModel:
    """Reads a model from its bytes. Raises OnnxError."""
    return _read(InMemory(data), name, folder)


def _read(source: Source, name: str, folder: Path | None) -> RawModel:
    try:
        message, weights = _without_weights(source)
    except ValueError:  # the parser reports what is wrong
        message, weights = bytes(source.read(0, source.size)), []
    model = onnx.ModelProto()
    try:
        model.ParseFromString(message)
    except (DecodeError, ValueError, RecursionError) as error:
        raise OnnxError(f"{name} is no ONNX model: {error}") from None
    if not model.HasField("graph") or not model.opset_import:
        raise OnnxError(f"{name} is no ONNX model: it has no graph")
    if len(weights) != len(model.graph.initializer):
        weights = []
        model.ParseFromString(bytes(source.read(0, source.size)))
    return RawModel(model, folder, weights)


def _without_weights(source: Source) -> tuple[bytes, list[Place | None]]:
    """The message without the large raw data of initializers, and the places of these. Raises ValueError for bytes that
    are not a message.
    """
    places: list[Place | None] = []
    parts: list[memoryview | bytes] = []
    for field, start, value, end in _fields(source, 0, source.size):
        if field == _FUNCTIONS:
            raise ValueError("functions are put in place in the whole message")
        if field != _GRAPH:
            parts.append(source.read(start, end))
            continue
        graph: list[memoryview | bytes] = []
        for inner, first, content, last in _fields(source, value, end):
            if inner != _INITIALIZER:
                graph.append(source.read(first, last))
                continue
            tensor, weights = _tensor(source, content, last)
            places.append(weights)
            graph.append(source.read(first, last) if weights is None else _written(_INITIALIZER, [tensor]))
        parts.append(_written(_GRAPH, graph))
    return b"".join(parts), places


def _tensor(source: Source, start: int, end: int) -> tuple[bytes, Place | None]:
    """A tensor's message without its raw data, and their place, if they are large."""
    raw: Place | None = None
    parts = []
    for field, first, value, last in _fields(source, start, end):
        if field == _RAW_DATA:
            raw = Place(source, value, last)
        else:
            parts.append(source.read(first, last))
    return b"".join(parts), raw if raw is not None and len(raw) >= LEAST else None


def _fields(source: Source, position: int, stop: int) -> Iterator[tuple[int, int, int, int]]:
    """The fields of a message: the number, the start of the field, the start of its value, and their end. Raises
    ValueError.
    """
    while position < stop:
        start = position
        tag, position = _varint(source, position, stop)
        match tag & 7:
            case 0:
                value, (_, position) = position, _varint(source, position, stop)
            case 1:
                value, position = position, position + 8
            case 2:
                length, value = _varint(source, position, stop)
                position = value + length
            case 5:
                value, position = position, position + 4
            case _:
                raise ValueError("a field of another kind")
        if position > stop:
            raise ValueError("a field that ends past the message")
        if tag & 7 != _LENGTH and tag >> 3 in (_GRAPH, _INITIALIZER, _RAW_DATA, _FUNCTIONS):
            yield 0, start, value, position
        else:
            yield tag >> 3, start, value, position


def _varint(source: Source, position: int, stop: int) -> tuple[int, int]:
    """A number, seven bits per byte, and the position after it. Raises ValueError."""
    number = 0
    for i, byte in enumerate(source.read(position, min(position + _NUMBER, stop))):
        number |= (byte & 0x7F) << 7 * i
        if byte < 0x80:
            return number, position + i + 1
    raise ValueError("a number that does not end")


def _written(field: int, parts: Sequence[memoryview | bytes]) -> bytes:
    """A field that holds a message."""
    length = sum(map(len, parts))
    return b"".join([_number(field << 3 | _LENGTH), _number(length), *parts])


def _number(value: int) -> bytes:
    digits = bytearray()
    while value >= 0x80:
        digits.append(value & 0x7F | 0x80)
        value >>= 7
    digits.append(value)
    return bytes(digits)
