"""Requests and answers of the protocol: JSON, with the bytes of tensors behind it where a header says so.

The rules are those of the Open Inference Protocol, version 2, and of Triton's extensions for binary tensors and for
sequences.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import orjson
from numpy.typing import NDArray

from netwright.runtime.errors import did_you_mean, listed

from .answers import JSON, Answer
from .refusals import Refusal
from .tensors import DATATYPES, from_bytes, from_json, to_bytes, to_json

#: The header that says how many bytes of a body are JSON, if tensors are behind it.
JSON_LENGTH = b"inference-header-content-length"
_NONE: Mapping[str, Any] = {}
#: So many bytes of JSON are read at most: as Python's objects they take up to thirty times the memory.
MOST_JSON = 16 << 20


@dataclass(frozen=True, slots=True)
class SequenceStep:
    """What a request says of the sequence that it goes on with."""

    id: int | str
    start: bool
    end: bool


class InferRequest(NamedTuple):
    """A request for answers: arrays by name, and for each output that is wanted whether it is sent as bytes."""

    id: str | None
    arrays: Mapping[str, NDArray]
    wanted: Mapping[str, bool]
    sequence: SequenceStep | None


class Messages:
    """Reads requests and writes answers of a model called ``model``, whose ``version`` is a text."""

    def __init__(self, model: str, version: str, inputs: dict[str, np.dtype], outputs: dict[str, np.dtype]):
        self._inputs, self._outputs = inputs, outputs
        # A dtype takes longer to tell its name than to convert a small array.
        self._datatypes = {name: DATATYPES[dtype.name] for name, dtype in (inputs | outputs).items()}
        # What each answer says again is written once.
        self._beginning = _begun({"model_name": model, "model_version": version}) + b'"outputs":['
        self._beginnings = {
            name: _begun({"name": name, "datatype": self._datatypes[name]}) + b'"shape":' for name in outputs
        }
        self._all = {usual: dict.fromkeys(outputs, usual) for usual in (False, True)}

    def read(self, body: bytes, json_length: int | None) -> InferRequest:
        """The request in a body, of which the first ``json_length`` bytes are JSON (None: all). Raises Refusal."""
        head, rest = _parts(body, json_length)
        parameters = _mapping(head.get("parameters", _NONE), "parameters")
        identifier = head.get("id")
        if identifier is not None and not isinstance(identifier, str):
            raise Refusal(400, "id has to be a text")
        arrays: dict[str, NDArray] = {}
        for tensor in _list(head.get("inputs"), "inputs"):
            name, array, rest = self._array(tensor, rest)
            if name in arrays:
                raise Refusal(400, f"input {name!r} is given twice")
            arrays[name] = array
        if len(rest):
            raise Refusal(400, f"{len(rest)} bytes follow the last tensor")
        sequence = _sequence(parameters) if parameters else None
        return InferRequest(identifier, arrays, self._wanted(head, parameters), sequence)

    def write(self, request: InferRequest, outputs: Mapping[str, NDArray]) -> Answer:
        """The answer. Outputs that are missing in ``outputs`` are left out. Raises Refusal."""
        parts = [self._beginning]
        behind: list[bytes] = []
        separator = b""
        for name, binary in request.wanted.items():
            array = outputs.get(name)
            if array is None:
                continue
            parts += separator, self._beginnings[name], orjson.dumps(array.shape)
            if binary:
                behind.append(to_bytes(array))
                parts.append(b',"parameters":{"binary_data_size":%d}}' % len(behind[-1]))
            else:
                parts += b',"data":', to_json(name, array), b"}"
            separator = b","
        parts.append(b"]")
        if request.id is not None:
            parts += b',"id":', orjson.dumps(request.id)
        parts.append(b"}")
        text = b"".join(parts)
        if not behind:
            return Answer(200, JSON, text)
        headers = [
            (b"content-type", b"application/octet-stream"),
            (JSON_LENGTH, b"%d" % len(text)),
        ]
        return Answer(200, headers, b"".join([text, *behind]))

    def _array(self, tensor: Any, rest: memoryview) -> tuple[str, NDArray, memoryview]:
        """A tensor's name and array, and the bytes behind it."""
        tensor = _mapping(tensor, "inputs")
        name = tensor.get("name")
        if not isinstance(name, str):
            raise Refusal(400, "each of inputs needs a name")
        dtype = self._inputs.get(name)
        if dtype is None:
            takes = f"the model takes {listed(self._inputs)}"
            raise Refusal(400, f"there is no input {name!r}: {takes}{did_you_mean(name, self._inputs)}")
        if tensor.get("datatype") != self._datatypes[name]:
            raise Refusal(400, _other_datatype(name, self._datatypes[name], tensor.get("datatype")))
        shape = _shape(name, tensor.get("shape"))
        size = _mapping(tensor.get("parameters", _NONE), "parameters").get("binary_data_size")
        if size is None:
            if "data" not in tensor:
                raise Refusal(400, f"input {name!r} has neither data nor a parameter binary_data_size")
            return name, from_json(name, tensor["data"], shape, dtype), rest
        if "data" in tensor:
            raise Refusal(400, f"input {name!r} has both data and a parameter binary_data_size")
        if type(size) is not int or not 0 <= size <= len(rest):
            raise Refusal(400, f"input {name!r}: binary_data_size is {size}, and {len(rest)} bytes follow")
        return name, from_bytes(name, rest[:size], shape, dtype), rest[size:]

    def _wanted(self, head: Mapping[str, Any], parameters: Mapping[str, Any]) -> Mapping[str, bool]:
        """The outputs that are wanted, all if the request names none, and whether each is sent as bytes."""
        usual = _flag(parameters, "binary_data_output")
        named = head.get("outputs")
        if not named:
            return self._all[usual]
        wanted: dict[str, bool] = {}
        for output in _list(named, "outputs"):
            output = _mapping(output, "outputs")
            name = output.get("name")
            if not isinstance(name, str) or name not in self._outputs:
                near = did_you_mean(name, self._outputs) if isinstance(name, str) else ""
                has = f"the model has {listed(self._outputs)}"
                raise Refusal(400, f"there is no output {name!r}: {has}{near}")
            own = _mapping(output.get("parameters", {}), "parameters")
            if "classification" in own:
                raise Refusal(400, f"output {name!r}: classification is not supported; take the numbers")
            wanted[name] = _flag(own, "binary_data", usual)
        return wanted


def _begun(members: Mapping[str, Any]) -> bytes:
    """The JSON of an object to which more members are added."""
    return orjson.dumps(members)[:-1] + b","


def _shape(name: str, shape: Any) -> list[int]:
    if not isinstance(shape, list):
        raise Refusal(400, f"input {name!r}: shape has to be a list of sizes")
    for size in shape:
        if type(size) is not int or size < 0:
            raise Refusal(400, f"input {name!r}: shape has to be a list of sizes")
    if len(shape) > 32:
        raise Refusal(400, f"input {name!r}: a shape of {len(shape)} axes is too long")
    return shape


def _parts(body: bytes, json_length: int | None) -> tuple[Mapping[str, Any], memoryview]:
    length = len(body) if json_length is None else json_length
    if not 0 <= length <= len(body):
        raise Refusal(400, f"Inference-Header-Content-Length is {length}, and the body has {len(body)} bytes")
    if length > MOST_JSON:
        raise Refusal(413, f"more than {MOST_JSON} bytes of JSON: send tensors as binary data")
    try:
        head = orjson.loads(body if length == len(body) else memoryview(body)[:length])
    except ValueError as error:
        raise Refusal(400, f"the request is not JSON: {error}") from None
    return _mapping(head, "a request"), memoryview(body)[length:]


def _sequence(parameters: Mapping[str, Any]) -> SequenceStep | None:
    identifier = parameters.get("sequence_id", 0)
    start, end = _flag(parameters, "sequence_start"), _flag(parameters, "sequence_end")
    if isinstance(identifier, bool) or not isinstance(identifier, int | str) or len(str(identifier)) > 128:
        raise Refusal(400, "sequence_id has to be a whole number or a text, of 128 characters at most")
    if identifier not in (0, ""):
        return SequenceStep(identifier, start, end)
    if start or end:
        raise Refusal(400, "sequence_start and sequence_end need a sequence_id (other than 0)")
    return None


def _flag(parameters: Mapping[str, Any], name: str, usual: bool = False) -> bool:
    value = parameters.get(name, usual)
    if not isinstance(value, bool):
        raise Refusal(400, f"{name} has to be true or false")
    return value


def _mapping(value: Any, what: str) -> Mapping[str, Any]:
    if not isinstance(value, dict):
        raise Refusal(400, f"{what} has to be an object of JSON, with names and values")
    return value


def _list(value: Any, what: str) -> list[Any]:
    if not isinstance(value, list):
        raise Refusal(400, f"{what} has to be a list")
    return value


def _other_datatype(name: str, takes: str, given: object) -> str:
    if given == "BYTES":
        return f"input {name!r} takes {takes}; texts (BYTES) have to become numbers first (netwright arrays)"
    return f"input {name!r} takes {takes}, the request has datatype {given!r}"
