"""One entry as a Python call: arrays by name in, outputs by name out.

The dims and the outputs' shapes depend on the shapes of the inputs alone. They are computed once per combination of
shapes and kept, since this code precedes every prediction.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

from netwright.specs.dims import evaluate
from netwright.specs.manifest import BufferInfo, EntryInfo

from ..arrays.arrays import exact_array, is_rounding
from ..arrays.binding import Binder, parse_shape
from ..arrays.classes import class_hint
from ..arrays.named import static_shape
from ..arrays.ranges import out_of_range
from ..engines.engine import Engine, code_error
from ..engines.fast_call import REFUSED, ArrayFunction
from ..errors import ExecutionError, InputError, RoundingWarning, did_you_mean, listed
from .outputs import Out, given_outputs

#: How many combinations of input shapes are remembered. When there are more, all are dropped and computed again on
#: demand.
_MAX_BINDINGS = 256

#: The shapes of the inputs, and the sizes that were given.
_Key: TypeAlias = tuple[tuple[tuple[int, ...], ...], tuple[tuple[str, int], ...]]
StateAllocator = Callable[[BufferInfo, tuple[int, ...]], NDArray]


class _Binding:
    """What follows from the shapes of the inputs. ``function`` is the engine's quicker way for them, made for the
    second call.
    """

    __slots__ = ("calls", "dims", "function", "known", "outputs", "shapes", "states")

    def __init__(
        self,
        shapes: Sequence[tuple[int, ...]],
        dims: dict[str, int],
        known: dict[str, int],
        outputs: list[tuple[str, tuple[int, ...], np.dtype]],
        states: list[tuple[BufferInfo, tuple[int, ...]]],
    ):
        self.shapes, self.dims, self.known = list(shapes), dims, known
        self.outputs = outputs
        self.states = states
        self.calls = 0
        self.function: ArrayFunction | None = None


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
        self._latest: _Binding | None = None  # that of the call before, if it has a function

    def __call__(
        self,
        arrays: Mapping[str, ArrayLike],
        dims: Mapping[str, int] | None = None,
        out: Out | None = None,
    ) -> dict[str, NDArray]:
        """Runs the entry. ``dims`` has the sizes that no axis of ``arrays`` tells. The outputs are new arrays, or those
        of ``out``, whose contents are undefined after an error. Raises InputError for arrays it can't take,
        ExecutionError when the entry fails.
        """
        latest = self._latest
        if latest is not None and not dims and (outputs := self._again(latest, arrays, out)) is not None:
            return outputs
        try:
            buffers, binding = self._bound(arrays, dims or {})
        except InputError as error:
            raise self._with_hint(error, arrays) from None
        if not dims and self._has_function(binding):
            taken = {name: buffers[name] for name in self.inputs}
            if (outputs := self._again(binding, taken, out)) is not None:
                return outputs
        for info, shape in binding.states:
            buffers[info.name] = self._allocate(info, shape)
        if out is not None:
            outputs = given_outputs(out, binding.outputs, {name: buffers[name] for name in self.inputs})
        else:
            outputs = {name: np.empty(shape, dtype) for name, shape, dtype in binding.outputs}
        buffers |= outputs
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

    def _again(self, binding: _Binding, arrays: Mapping[str, Any], out: Any) -> dict[str, NDArray] | None:
        """Calls the binding's function. None if nothing was done: the arrays are others, or have to be converted."""
        if len(arrays) != len(self.inputs) or binding.function is None:
            return None
        given = [*map(arrays.get, self.inputs)]
        if binding.states:
            if [getattr(array, "shape", None) for array in given] != binding.shapes:
                return None  # the states are of other sizes
            for info, shape in binding.states:
                given.append(self._allocate(info, shape))
        outputs: dict[str, NDArray] = {}
        if out is None:
            for name, shape, dtype in binding.outputs:
                outputs[name] = array = np.empty(shape, dtype)
                given.append(array)
        elif isinstance(out, Mapping):
            if len(out) != len(binding.outputs):
                return None
            for name, _, _ in binding.outputs:
                if (array := out.get(name)) is None:
                    return None
                outputs[name] = array
                given.append(array)
        elif len(binding.outputs) == 1:
            outputs[binding.outputs[0][0]] = out
            given.append(out)
        code = binding.function(*given)
        if code == 0:
            return outputs
        if code == REFUSED:
            return None
        buffers = {name: np.asarray(array) for name, array in zip(self.inputs, given, strict=False)}
        raise self._named(code_error(self._engine.manifest, self.entry.name, code), buffers, binding.dims)

    def _has_function(self, binding: _Binding) -> bool:
        """Whether the engine has a quicker way for the binding."""
        number = binding.calls = binding.calls + 1
        if number == 2:
            passed = [*self.inputs, *(info.name for info, _ in binding.states)]
            passed += [name for name, _, _ in binding.outputs]
            binding.function = self._engine.fast_call(self.entry.name, binding.known, self._fixed, passed)
        self._latest = binding if binding.function else None
        return binding.function is not None

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
            shapes,
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
