"""Scalars as TensorBoard's event files, in bytes.

A file is a row of records: the length of the data (uint64), its masked CRC, the data, and their masked CRC
(https://www.tensorflow.org/tutorials/load_data/tfrecord). The data are Event messages of protobuf
(https://github.com/tensorflow/tensorboard/blob/master/tensorboard/compat/proto/event.proto), of which this writes
wall_time = 1 (double), step = 2 (int64), file_version = 3 (string) and summary = 5 (Summary); a Summary has values = 1,
each with tag = 1 (string) and simple_value = 2 (float). CRCs are CRC-32C (RFC 3720, appendix B.4).
"""

from __future__ import annotations

import struct
from collections.abc import Mapping

_POLYNOMIAL = 0x82F63B78  # of Castagnoli, with its bits reversed
_MASK = 0xA282EAD8


def _table() -> list[int]:
    table = []
    for byte in range(256):
        for _ in range(8):
            byte = (byte >> 1) ^ (_POLYNOMIAL if byte & 1 else 0)
        table.append(byte)
    return table


_TABLE = _table()


def crc32c(data: bytes) -> int:
    """The CRC-32C of ``data``."""
    value = 0xFFFFFFFF
    for byte in data:
        value = (value >> 8) ^ _TABLE[(value ^ byte) & 0xFF]
    return value ^ 0xFFFFFFFF


def first_event(time: float) -> bytes:
    """The record that a file begins with. ``time`` is in seconds since 1970, here and below."""
    return _record(_double(1, time) + _bytes(3, b"brain.Event:2"))


def scalars_event(time: float, step: int, scalars: Mapping[str, float]) -> bytes:
    """A record with numbers by their tags. Tags that begin alike up to a `/` are shown together."""
    values = b"".join(_bytes(1, _bytes(1, tag.encode()) + _float(2, value)) for tag, value in scalars.items())
    return _record(_double(1, time) + _varint(2 << 3) + _varint(step) + _bytes(5, values))


def _record(data: bytes) -> bytes:
    length = struct.pack("<Q", len(data))
    return length + _masked(length) + data + _masked(data)


def _masked(data: bytes) -> bytes:
    value = crc32c(data)
    return struct.pack("<I", ((value >> 15 | value << 17) + _MASK) & 0xFFFFFFFF)


def _varint(value: int) -> bytes:
    """An integer ≥ 0, seven bits per byte."""
    parts = bytearray()
    while value > 0x7F:
        parts.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*parts, value])


def _double(field: int, value: float) -> bytes:
    return _varint(field << 3 | 1) + struct.pack("<d", value)


def _float(field: int, value: float) -> bytes:
    try:
        return _varint(field << 3 | 5) + struct.pack("<f", value)
    except OverflowError:  # finite, but too large for a float32
        return _varint(field << 3 | 5) + struct.pack("<f", float("inf") if value > 0 else float("-inf"))


def _bytes(field: int, data: bytes) -> bytes:
    return _varint(field << 3 | 2) + _varint(len(data)) + data
