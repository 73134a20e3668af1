"""One entry as a Python call: arrays by name in, outputs by name out.

The dims and the outputs' shapes depend on the shapes of the inputs alone. They are computed once per combination of
shapes and kept, since this code precedes every prediction.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping
from typing import TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

from netwright.specs.dims import evaluate
from netwright.specs.manifest import BufferInfo, EntryInfo

from .arrays import LossError, is_lossless, is_rounding, rounded
from .binding import Binder, parse_shape
from .classes import class_hint
from .engine import Engine
from .errors import ExecutionError, InputError, RoundingWarning, did_you_mean, listed
from .named_arrays import static_shape
from .ranges import out_of_range

#: How many combinations of input shapes are remembered. When there are more, all are dropped and computed again on
#: demand.
_MAX_BINDINGS = 256

#: The shapes of the inputs, and the sizes that were given.
_Key: TypeAlias = tuple[tuple[tuple[int, ...], ...], tuple[tuple[str, int], ...]]
StateAllocator = Callable[[BufferInfo, tuple[int, ...]], NDArray]


class _Binding:
    __slots__ = ("dims", "known", "outputs", "states")

    def __init__(
        self,
        dims: dict[str, int],
        known: dict[str, int],
        outputs: list[tuple[str, tuple[int, ...], np.dtype]],
        states: list[tuple[BufferInfo, tuple[int, ...]]],
    ):
        self.dims, self.known = dims, known
        self.outputs = outputs
        self.states = states


class EntryCall:
    """Calls ``entry`` on ``engine``.

    ``fixed`` are the session's own arrays of static size. ``allocate`` returns the current array of a state buffer
    whose size depends on dims (a recurrent state that is carried has one row per sequence of the batch).
    """

    def __init__(
        self, engine: Engine, entry: EntryInfo, fixed: Mapping[str, NDArray], allocate: StateAllocator
    ):
        manifest = engine.manifest
        by_name = {info.name: info for info in manifest.buffers}
        used = [by_name[name] for name in dict.fromkeys((*entry.reads, *entry.writes))]
        self.entry = entry
        self.inputs = {info.name: np.dtype(info.dtype) for info in used if info.role == "input"}
        self._engine = engine
        self._given = [info for info in used if info.role == "input"]
        self._allocate = allocate
        self._fixed = {info.name: fixed[info.name] for info in used if info.name in fixed}
        self._outputs = [(info, parse_shape(info)) for info in used if info.role == "output"]
        self._state_infos = [info for info in used if info.role == "state"]
        self._states = [(info, parse_shape(info)) for info in self._state_infos if static_shape(info) is None]
        self._binder = Binder([info for info in used if info.role == "input"], manifest.dims)
        self._longest_of = {
            info.name: info.longest_of for info in manifest.dims if info.longest_of in self.inputs
        }
        self._unbound = {info.name: info.unbound for info in manifest.dims if info.first_row}
        self._rounded: set[str] = set()  # the inputs of which it was said that they are rounded
        self._bindings: dict[_Key, _Binding] = {}

    def __call__(
        self, arrays: Mapping[str, ArrayLike], dims: Mapping[str, int] | None = None
    ) -> dict[str, NDArray]:
        """Runs the entry. ``dims`` has the sizes that no axis of ``arrays`` tells. Raises InputError for arrays it
        can't take, ExecutionError when the entry fails.
        """
        try:
            buffers, binding = self._bound(arrays, dims or {})
        except InputError as error:
            raise self._with_hint(error, arrays) from None
        for info, shape in binding.states:
            buffers[info.name] = self._allocate(info, shape)
        outputs: dict[str, NDArray] = {}
        for name, shape, dtype in binding.outputs:
            outputs[name] = buffers[name] = np.empty(shape, dtype)
        try:
            known = binding.known
            if self._longest_of or dims:
                known = {**known, **self._longest(buffers), **(dims or {})}
            self._engine.run(self.entry.name, known, buffers)
        except ExecutionError as error:
            if not error.code:
                raise
            raise self._named(error, buffers, binding.dims) from None
        return outputs

    @property
    def state_types(self) -> dict[str, BufferInfo]:
        """The entry's states, by name."""
        return {info.name: info for info in self._state_infos}

    def shapes(self, inputs: Mapping[str, tuple[int, ...]]) -> dict[str, tuple[tuple[int, ...], np.dtype]]:
        """The shapes and dtypes of the outputs for inputs of these shapes. Raises InputError."""
        binding = self._bind(tuple(inputs[name] for name in self.inputs), {})
        return {name: (shape, dtype) for name, shape, dtype in binding.outputs}

    def _longest(self, buffers: Mapping[str, NDArray]) -> dict[str, int]:
        """The dims that are the longest of some lengths."""
        return {
            dim: max(1, int(buffers[lengths].max(initial=0))) for dim, lengths in self._longest_of.items()
        }

    def _bound(
        self, arrays: Mapping[str, ArrayLike], known: Mapping[str, int]
    ) -> tuple[dict[str, NDArray], _Binding]:
        """Returns the buffers known so far, converted inputs included, and the binding of the inputs' shapes."""
        inputs = self.inputs
        if len(arrays) != len(inputs) or arrays.keys() != inputs.keys():
            raise self._names_error(arrays)
        buffers = self._fixed.copy()
        shapes = []
        for name, dtype in inputs.items():
            array = arrays[name]
            if type(array) is not np.ndarray or array.dtype is not dtype or not array.flags.carray:
                self._say_rounding(name, array, dtype)
                array = exact_array(name, array, dtype)
            buffers[name] = array
            shapes.append(array.shape)
        key = (tuple(shapes), tuple(known.items()))
        binding = self._bindings.get(key)
        if binding is None:
            binding = self._bindings_with(key, self._bind(key[0], known))
        return buffers, binding

    def _say_rounding(self, name: str, array: ArrayLike, dtype: np.dtype) -> None:
        # Numbers in a list have no float type that anybody chose.
        if isinstance(array, np.ndarray) and is_rounding(array.dtype, dtype) and name not in self._rounded:
            self._rounded.add(name)
            text = f"input {name!r} is {array.dtype.name}; its numbers are rounded to {dtype.name}"
            warnings.warn(text, RoundingWarning, stacklevel=2)

    def _with_hint(self, error: InputError, arrays: Mapping[str, ArrayLike]) -> InputError:
        for info in self._given:
            array = arrays.get(info.name)
            if isinstance(array, np.ndarray) and (hint := class_hint(info, array.dtype, array.shape)):
                return InputError(hint)
        return error

    def _named(
        self, error: ExecutionError, buffers: Mapping[str, NDArray], dims: Mapping[str, int]
    ) -> ExecutionError:
        """The same error with the array, the sample and the value at fault, if they can be found."""
        detail = next(out_of_range(self._given, buffers, dims, partial=True), None)
        if detail is None:
            return error
        return ExecutionError(f"{self._engine.manifest.model}.{self.entry.name}: {detail}", error.code)

    def _bind(self, shapes: tuple[tuple[int, ...], ...], known: Mapping[str, int]) -> _Binding:
        dims = self._binder.bind(dict(zip(self.inputs, shapes, strict=True)), known)
        return _Binding(
            dims,
            {**self._unbound, **dims},
            [
                (info.name, tuple(evaluate(size, dims) for size in shape), np.dtype(info.dtype))
                for info, shape in self._outputs
            ],
            [(info, tuple(evaluate(size, dims) for size in shape)) for info, shape in self._states],
        )

    def _bindings_with(self, key: _Key, binding: _Binding) -> _Binding:
        if len(self._bindings) >= _MAX_BINDINGS:
            self._bindings.clear()
        self._bindings[key] = binding
        return binding

    def _names_error(self, arrays: Mapping[str, ArrayLike]) -> InputError:
        taken = f"{self.entry.name} takes {listed(self.inputs)}"
        for name in arrays:
            if name not in self.inputs:
                return InputError(f"there is no input {name!r}: {taken}{did_you_mean(name, self.inputs)}")
        missing = [name for name in self.inputs if name not in arrays]
        return InputError(f"missing input {listed(missing)}: {taken}")


def exact_array(name: str, value: ArrayLike, dtype: np.dtype) -> NDArray:
    """``value`` as a C-ordered array of ``dtype`` if the cast loses nothing, or only rounds floats. Otherwise raises
    InputError, which says how to cast.
    """
    try:
        array = np.asarray(value)
    except (ValueError, TypeError) as error:
        raise InputError(f"input {name!r} is not an array: {error}") from None
    if is_rounding(array.dtype, dtype):
        try:
            array = rounded(array, dtype)
        except LossError as error:
            raise InputError(f"input {name!r}: {error} (at {list(error.at)})") from None
    if array.dtype != dtype and not is_lossless(array.dtype, dtype):
        raise InputError(
            f"input {name!r} is {array.dtype.name}, but the model takes {dtype.name} and the cast could lose "
            f"information; if it may, pass np.asarray({name}, dtype=np.{dtype.name})"
        )
    return np.require(array, dtype, ["C_CONTIGUOUS", "ALIGNED"])
