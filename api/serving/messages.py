"""Requests and answers of the protocol: JSON, with the bytes of tensors behind it where a header says so.

The rules are those of the Open Inference Protocol, version 2, and of Triton's extensions for binary tensors and for
sequences.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
import orjson
from numpy.typing import NDArray

from netwright.runtime.data.text_input import TextInput

from . import texts
from .answers import JSON, Answer
from .forms import Form, Forms
from .refusals import Refusal
from .tensors import DATATYPES, from_bytes, from_json, to_bytes, to_json

#: The header that says how many bytes of a body are JSON, if tensors are behind it.
JSON_LENGTH = b"inference-header-content-length"


class InferRequest(NamedTuple):
    """A request for answers: what its JSON says, and its arrays by name.

    While it is held, so are the numbers that were in the JSON: they are let go after the answer, which is then sooner.
    """

    form: Form
    arrays: Mapping[str, NDArray]


class Messages:
    """Reads requests and writes answers of a model called ``model``, whose ``version`` is a text. Inputs in ``of_text``
    may also get texts.
    """

    def __init__(
        self,
        model: str,
        version: str,
        inputs: dict[str, np.dtype],
        outputs: dict[str, np.dtype],
        of_text: Mapping[str, TextInput] | None = None,
    ):
        datatypes = {name: DATATYPES[dtype.name] for name, dtype in (inputs | outputs).items()}
        self._of_text = of_text or {}
        self._forms = Forms(inputs, outputs, datatypes, self._of_text)
        # What each answer says again is written once.
        self._beginning = _begun({"model_name": model, "model_version": version}) + b'"outputs":['
        self._beginnings = {
            name: _begun({"name": name, "datatype": datatypes[name]}) + b'"shape":' for name in outputs
        }

    def read(self, body: bytes, json_length: int | None) -> InferRequest:
        """The request in a body, of which the first ``json_length`` bytes are JSON (None: all). Raises Refusal."""
        length = len(body) if json_length is None else json_length
        if not 0 <= length <= len(body):
            raise Refusal(
                400, f"Inference-Header-Content-Length is {length}, and the body has {len(body)} bytes"
            )
        form = self._forms.of(body, length)
        at, data = length, memoryview(body)
        arrays: dict[str, NDArray] = {}
        written: dict[str, list[str]] = {}
        for name, dtype, shape, numbers, size in form.inputs:
            if name in arrays or name in written:
                raise Refusal(400, f"input {name!r} is given twice")
            if size is None:
                if dtype is None:
                    written[name] = texts.from_json(name, numbers, shape)
                else:
                    arrays[name] = from_json(name, numbers, shape, dtype)
                continue
            if type(size) is not int or not 0 <= size <= len(body) - at:
                raise Refusal(
                    400, f"input {name!r}: binary_data_size is {size}, and {len(body) - at} bytes follow"
                )
            if dtype is None:
                written[name] = texts.from_bytes(name, data[at : at + size], shape)
            else:
                arrays[name] = from_bytes(name, data[at : at + size], shape, dtype)
            at += size
        if at < len(body):
            raise Refusal(400, f"{len(body) - at} bytes follow the last tensor")
        if written:
            made = texts.arrays_of(written, self._of_text)
            for name in made.keys() & arrays.keys():
                raise Refusal(400, f"input {name!r} follows from the texts of the request: leave it out")
            arrays |= made
        return InferRequest(form, arrays)

    def write(self, request: InferRequest, outputs: Mapping[str, NDArray]) -> Answer:
        """The answer. Outputs that are missing in ``outputs`` are left out. Raises Refusal."""
        parts = [self._beginning]
        behind: list[bytes] = []
        separator = b""
        for name, binary in request.form.wanted.items():
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
        if (identifier := request.form.id) is not None:
            parts += b',"id":', orjson.dumps(identifier)
        parts.append(b"}")
        text = b"".join(parts)
        if not behind:
            return Answer(200, JSON, text)
        headers = [
            (b"content-type", b"application/octet-stream"),
            (JSON_LENGTH, b"%d" % len(text)),
        ]
        return Answer(200, headers, b"".join([text, *behind]))


def _begun(members: Mapping[str, Any]) -> bytes:
    """The JSON of an object to which more members are added."""
    return orjson.dumps(members)[:-1] + b","
