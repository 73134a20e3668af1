"""Texts in requests, and the numbers that the vocabularies of the weights make of them."""

from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence
from typing import Any

from numpy.typing import NDArray

from netwright.runtime.data.inputs import Place
from netwright.runtime.data.text_input import TextInput
from netwright.runtime.errors import DataError

from .refusals import Refusal
from .tensors import element_count

#: The protocol's name of the datatype of texts.
TEXTS = "BYTES"
_LENGTH = struct.Struct("<I")


def arrays_of(given: Mapping[str, Sequence[str]], inputs: Mapping[str, TextInput]) -> dict[str, NDArray]:
    """The arrays of the inputs that get texts, and of those that hold their lengths. Raises Refusal for texts that the
    vocabulary or the network does not admit.
    """
    arrays: dict[str, NDArray] = {}
    for name, texts in given.items():
        places = [Place("", f"input {name!r}, text", number) for number in range(1, len(texts) + 1)]
        try:
            arrays |= inputs[name].arrays(texts, places)
        except DataError as error:
            raise Refusal(400, str(error)) from None
    return arrays


def from_json(name: str, data: Any, shape: Sequence[int]) -> list[str]:
    """The texts of a tensor, in one list or each in a list of its own. Raises Refusal."""
    count = _count(name, shape)
    if isinstance(data, list) and len(shape) == 2:
        data = [part[0] if isinstance(part, list) and len(part) == 1 else part for part in data]
    if not isinstance(data, list) or not all(isinstance(text, str) for text in data):
        raise Refusal(400, f"input {name!r}: data has to be a list of texts")
    if len(data) != count:
        raise Refusal(
            400, f"input {name!r} of shape {list(shape)} needs {count} texts, its data has {len(data)}"
        )
    return data


def from_bytes(name: str, data: memoryview, shape: Sequence[int]) -> list[str]:
    """The texts of a tensor's bytes: each in UTF-8, behind its length in four bytes, little-endian. Raises Refusal."""
    count, texts, at = _count(name, shape), list[str](), 0
    while at < len(data):
        begin = at + _LENGTH.size
        at = begin + _LENGTH.unpack_from(data, at)[0] if begin <= len(data) else begin
        if at > len(data):
            raise Refusal(400, f"input {name!r}: the bytes end within text {len(texts) + 1}")
        try:
            texts.append(str(data[begin:at], "utf-8"))
        except UnicodeDecodeError:
            raise Refusal(400, f"input {name!r}: text {len(texts) + 1} is not UTF-8") from None
    if len(texts) != count:
        raise Refusal(
            400, f"input {name!r} of shape {list(shape)} needs {count} texts, the request has {len(texts)}"
        )
    return texts


def _count(name: str, shape: Sequence[int]) -> int:
    """How many texts a tensor has: its shape is [N], or [N, 1], as clients with two axes for everything write it."""
    count = element_count(shape)
    if not count or len(shape) not in (1, 2) or list(shape[1:]) not in ([], [1]):
        raise Refusal(400, f"input {name!r}: the shape of N texts is [N] or [N, 1], not {list(shape)}")
    return count
