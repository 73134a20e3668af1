"""What the JSON of a request for answers says: which tensors it brings, and which outputs are wanted."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import orjson

from netwright.runtime.errors import did_you_mean, listed

from .refusals import Refusal
from .remembering import keep
from .texts import TEXTS

_NONE: Mapping[str, Any] = {}
#: So many bytes of JSON are read at most: as Python's objects they take up to thirty times the memory.
MOST_JSON = 16 << 20
#: So many texts are remembered, of at most so many bytes.
_MOST_FORMS, _MOST_REMEMBERED = 64, 4096


@dataclass(frozen=True, slots=True)
class SequenceStep:
    """What a request says of the sequence that it goes on with."""

    id: int | str
    start: bool
    end: bool


class Tensor(NamedTuple):
    """An input of a request: its numbers, or its texts if it has no ``dtype``, are ``data``, as JSON has them, or in
    ``size`` bytes behind the JSON.
    """

    name: str
    dtype: np.dtype | None
    shape: list[int]
    data: Any
    size: Any  # whatever the client wrote


class Form(NamedTuple):
    """A request without the bytes behind its JSON. ``wanted`` has the outputs, and whether each is sent as bytes."""

    id: str | None
    inputs: list[Tensor]
    wanted: Mapping[str, bool]
    sequence: SequenceStep | None


class Forms:
    """Reads the JSON of requests to a model with these inputs and outputs, whose ``datatypes`` are the protocol's. The
    inputs ``of_text`` may get texts instead.

    Where all tensors are bytes behind the JSON, clients send the same JSON with each request, so such texts are
    remembered.
    """

    def __init__(
        self,
        inputs: Mapping[str, np.dtype],
        outputs: Mapping[str, np.dtype],
        datatypes: Mapping[str, str],
        of_text: Collection[str] = (),
    ):
        self._of_text = of_text
        self._inputs, self._outputs, self._datatypes = inputs, outputs, datatypes
        self._all = {usual: dict.fromkeys(outputs, usual) for usual in (False, True)}
        self._known: dict[bytes, Form] = {}

    def of(self, body: bytes, length: int) -> Form:
        """What the first ``length`` bytes of a body say. Raises Refusal."""
        if length > MOST_JSON:
            raise Refusal(413, f"more than {MOST_JSON} bytes of JSON: send tensors as binary data")
        if length == len(body):
            return self._read(body)  # all numbers are in it
        text = body[:length]
        form = self._known.get(text)
        if form is None:
            form = self._read(text)
            if length <= _MOST_REMEMBERED and all(tensor.size is not None for tensor in form.inputs):
                keep(self._known, text, form, _MOST_FORMS)
        return form

    def _read(self, text: bytes) -> Form:
        try:
            said = orjson.loads(text)
        except ValueError as error:
            raise Refusal(400, f"the request is not JSON: {error}") from None
        said = _mapping(said, "a request")
        parameters = _mapping(said.get("parameters", _NONE), "parameters")
        identifier = said.get("id")
        if identifier is not None and not isinstance(identifier, str):
            raise Refusal(400, "id has to be a text")
        inputs = [self._tensor(tensor) for tensor in _list(said.get("inputs"), "inputs")]
        sequence = _sequence(parameters) if parameters else None
        if sequence is not None and any(tensor.dtype is None for tensor in inputs):
            raise Refusal(400, "a text is whole: the steps of a sequence have to be numbers")
        return Form(identifier, inputs, self._wanted(said, parameters), sequence)

    def _tensor(self, tensor: Any) -> Tensor:
        tensor = _mapping(tensor, "inputs")
        name = tensor.get("name")
        if not isinstance(name, str):
            raise Refusal(400, "each of inputs needs a name")
        dtype = self._inputs.get(name)
        if dtype is None:
            takes = f"the model takes {listed(self._inputs)}"
            raise Refusal(400, f"there is no input {name!r}: {takes}{did_you_mean(name, self._inputs)}")
        if tensor.get("datatype") == TEXTS and name in self._of_text:
            dtype = None
        elif tensor.get("datatype") != self._datatypes[name]:
            raise Refusal(400, _other_datatype(name, self._datatypes[name], tensor.get("datatype")))
        shape = _shape(name, tensor.get("shape"))
        size = _mapping(tensor.get("parameters", _NONE), "parameters").get("binary_data_size")
        if size is None and "data" not in tensor:
            raise Refusal(400, f"input {name!r} has neither data nor a parameter binary_data_size")
        if size is not None and "data" in tensor:
            raise Refusal(400, f"input {name!r} has both data and a parameter binary_data_size")
        return Tensor(name, dtype, shape, tensor.get("data"), size)

    def _wanted(self, said: Mapping[str, Any], parameters: Mapping[str, Any]) -> Mapping[str, bool]:
        """The outputs that are wanted, all if the request names none."""
        usual = _flag(parameters, "binary_data_output")
        named = said.get("outputs")
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


def _shape(name: str, shape: Any) -> list[int]:
    if not isinstance(shape, list):
        raise Refusal(400, f"input {name!r}: shape has to be a list of sizes")
    for size in shape:
        if type(size) is not int or size < 0:
            raise Refusal(400, f"input {name!r}: shape has to be a list of sizes")
    if len(shape) > 32:
        raise Refusal(400, f"input {name!r}: a shape of {len(shape)} axes is too long")
    return shape


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
    if given == TEXTS:
        return f"input {name!r} takes {takes}, and no text (BYTES): the weights have no vocabulary of it"
    return f"input {name!r} takes {takes}, the request has datatype {given!r}"
