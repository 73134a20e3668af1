"""The spec under construction during an import: inputs, layers in order, their weights."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from netwright.specs.dims import Dim, DimLike, Shape, product
from netwright.specs.models.layers import LAYERS
from netwright.specs.models.layers.activation import ActivationLayer
from netwright.specs.models.layers.normalization import Dropout
from netwright.specs.models.layers.pool import Pool
from netwright.specs.models.layers.shaping import Add, Concat, Multiply
from netwright.specs.models.layers.statistics import LocalResponseNorm

from ..yaml_text import block
from .errors import Refusal
from .names import Names, role_of, safe
from .operands import Held, Known, Value
from .scanned import Scanned, scanned_by
from .sketch import Sketch
from .tensors import is_uniform

#: Constants with at most this many numbers are written in the spec.
WRITTEN = 16
#: Constants of at most this many bytes are compared by their content.
COMPARED = 2**16
_RECURRENT = ("rnn", "lstm", "gru", "recurrent")
#: Layers that are named after the layer they read, if they have no name of their own.
_ROLES = ActivationLayer | Add | Multiply | Concat | Pool | LocalResponseNorm | Dropout
_BELONGING = frozenset(name for name, spec in LAYERS.items() if issubclass(spec, _ROLES))


@dataclass(frozen=True, slots=True)
class Emptied:
    """A recurrence's last state before it was set to zeros for sequences without steps, their lengths, and the initial
    state.
    """

    state: Held
    lengths: str
    start: Value


@dataclass(frozen=True, slots=True)
class Quantized:
    """What integers were before they were quantized, and how: scales and zero points that broadcast to it."""

    source: Held
    scale: NDArray
    zero: NDArray
    dtype: str


@dataclass
class Layer:
    """A layer into which others may still be merged."""

    keys: dict[str, Any]
    """Its keys, `name` and `type` first, without `inputs`."""
    inputs: list[str]
    weights: dict[str, NDArray] = field(default_factory=dict)
    given: dict[str, str] = field(default_factory=dict)
    variables: tuple[str, ...] | None = None
    """The names of the inputs in an equation."""
    sources: tuple[str, ...] = ()
    """The file's names for the constants that the weights are made from."""

    @property
    def type(self) -> str:
        return self.keys["type"]


class NetworkWriter:
    """The network. Layers are added in order, and each is expanded at once in ``sketch``, which knows all types."""

    def __init__(self, dtype: str, names: Names):
        self.dtype, self.names = dtype, names
        self.sketch = Sketch(dtype)
        self.layers: dict[str, Layer] = {}
        self.inputs: dict[str, dict[str, Any]] = {}
        self.cells: dict[str, dict[str, Any]] = {}
        self.stretched: dict[str, Known | Held] = {}
        """What layers expand along axes of size 1, by the layers' names."""
        self.masks: dict[str, str] = {}
        """For each mask of the steps that exist, a reference to the lengths behind it."""
        self.reshaped_from: dict[Held, Held] = {}
        """What a value was before it was reshaped."""
        self.emptied: dict[Held, Emptied] = {}
        """Last states that are set to zeros for sequences without steps."""
        self.quantized: dict[str, Quantized] = {}
        """For each reference to integers, what they were quantized from."""
        self.positions: dict[str, tuple[str, DimLike]] = {}
        """For each reference to positions in a whole tensor, the same positions among the cells of a channel, and the
        number of these.
        """
        self.notes: list[str] = []
        """What could be better, and why."""
        self.counts: set[str] = set()
        """References to values that count from 0 along their only axis."""
        self._made: dict[tuple, str] = {}
        self._kept: list[NDArray] = []
        """Constants known by identity; they are kept alive, so that their ids stay theirs."""
        self._cell_names = Names()
        self._named: set[str] = set()
        """Layers with a meaningful name."""

    def declare(self, name: str, dtype: str, shape: Shape) -> None:
        """An input of the network."""
        self.inputs[name] = {"shape": [written(size) for size in shape], "dtype": dtype}
        self.sketch.declare(name, dtype, shape)

    def add(
        self,
        type: str,
        inputs: Sequence[str],
        keys: Mapping[str, Any],
        weights: Mapping[str, NDArray],
        names: Sequence[str | None] = (),
        *,
        given: Mapping[str, str] | None = None,
        ports: Sequence[str] = (),
        fallback: str | None = None,
        variables: Sequence[str] | None = None,
        sources: Sequence[str] = (),
    ) -> str:
        """Adds a layer and returns its name. ``variables`` name the inputs in an equation.

        Raises Refusal if the language does not accept it.
        """
        hints = [name for name in names if name]
        if not hints and inputs and type in _BELONGING:
            above = [ref.partition(".")[0] for ref in inputs]
            hints = role_of([name for name in above if name in self._named], fallback or type)
        name = self.names.fresh(hints, fallback or type)
        if name in hints:
            self._named.add(name)
        layer = {"name": name, "type": type, **keys}
        named = dict(zip(variables, inputs, strict=True)) if variables is not None else list(inputs)
        self.sketch.add({**layer, "inputs": named} if named else layer, inputs, given, ports)
        arrays = {key: np.asarray(array) for key, array in weights.items()}
        bound = tuple(variables) if variables is not None else None
        self.layers[name] = Layer(layer, list(inputs), arrays, dict(given or {}), bound, tuple(sources))
        return name

    def cell(self, tree: Mapping[str, Any], names: Sequence[str | None]) -> str:
        """Adds a cell, unless there is one with the same equations, and returns its name. Raises Refusal."""
        for name, other in self.cells.items():
            if other == tree:
                return name
        name = self._cell_names.fresh(names, "cell")
        self.sketch.add_cell(name, block(tree))
        self.cells[name] = dict(tree)
        return name

    def axis_of(self, size: Dim) -> tuple[str, int] | None:
        """A reference to a value with an axis of an open size, and that axis."""
        for ref in (*self.inputs, *self.layers):
            shape = self.sketch.type_of(ref).shape
            if size in shape:
                return ref, shape.index(size)
        return None

    def share(self, needed: Collection[str]) -> None:
        """Lets layers (of those ``needed``) that are made from the same constants of the file share their weights."""
        owners: dict[tuple, tuple[str, Layer]] = {}
        for name, layer in self.layers.items():
            if (
                name not in needed
                or not layer.weights
                or not layer.sources
                or layer.type in ("constant", "expression")
            ):
                continue
            shapes = tuple((key, array.shape) for key, array in layer.weights.items())
            owner, first = owners.setdefault((layer.type, layer.sources, shapes), (name, layer))
            if first is layer:
                continue
            if all(np.array_equal(array, first.weights[key]) for key, array in layer.weights.items()):
                layer.keys["share"] = owner
                layer.weights = {}

    def times(self) -> set[str]:
        """The open sizes that count the steps of recurrences."""
        read = [layer.inputs[0] for layer in self.layers.values() if layer.type in _RECURRENT]
        return {str(size) for ref in read if isinstance(size := self.sketch.type_of(ref).shape[1], Dim)}

    def _once(self, key: tuple, type: str, ref: str, keys: Mapping[str, Any], names: Sequence[str]) -> str:
        if key not in self._made:
            self._made[key] = self.add(type, [ref], keys, {}, names)
        return self._made[key]

    def transposed(self, ref: str, order: Sequence[int]) -> str:
        """``ref`` with its axes in another order. The same order is computed once."""
        rank = len(order)
        last = [0, *range(2, rank), 1]
        suffix = "channels_last" if list(order) == last else "transposed"
        names = [f"{ref.replace('.', '_')}_{suffix}"]
        key = ("transpose", ref, tuple(order))
        return self._once(key, "transpose", ref, {"permutation": list(order)}, names)

    def reshaped(self, ref: str, shape: Shape) -> str:
        """``ref`` with another shape."""
        while (layer := self.layers.get(ref)) is not None and layer.type == "reshape":
            ref = layer.inputs[0]  # of several reshapes in a row only the last matters
        if self.sketch.type_of(ref).shape == shape:
            return ref
        before = self.sketch.type_of(ref).shape
        scanned = None if layer is None else scanned_by(layer.keys, layer.weights)
        if scanned is not None and (shape[0], shape[1:-1]) == (product(before[:-1]), scanned.window):
            return self._windows(ref, scanned)  # each window as a separate sample
        if len(shape) == 2 < len(before) and shape[0] == before[0]:
            return self._once(("flatten", ref, 1), "flatten", ref, {}, [])
        key = ("reshape", ref, shape)
        return self._once(key, "reshape", ref, {"shape": [written(size) for size in shape]}, [])

    def _windows(self, ref: str, scanned: Scanned) -> str:
        keys: dict[str, Any] = {}
        for key, sizes in (("window", scanned.window), ("stride", scanned.stride)):
            if key == "window" or set(sizes) != {1}:
                keys[key] = sizes[0] if len(set(sizes)) == 1 else list(sizes)
        return self._once(("windows", ref), "windows", self.layers[ref].inputs[0], keys, [])

    def flattened(self, source: Held, start: int) -> str:
        """Joins the held axes of a tensor from ``start`` on."""
        key = ("flatten", source.ref, start)
        return self._once(key, "flatten", source.ref, {"start_axis": start} if start != 1 else {}, [])

    def constant(self, array: NDArray, name: str) -> str:
        """A layer that outputs an array. Raises Refusal for an empty one."""
        if not array.size:
            raise Refusal(f"an empty tensor: {name or 'a constant'} has the shape {list(array.shape)}")
        content = array.tobytes() if array.nbytes <= COMPARED else id(array)
        key = ("constant", str(array.dtype), array.shape, content)
        if key not in self._made:
            self._kept.append(array)
            self._made[key] = self._constant(array, name)
        return self._made[key]

    def _constant(self, array: NDArray, name: str) -> str:
        """A constant layer. A short array is written in the spec, a long one stored with the weights."""
        names = [safe(name)]
        dtype = {} if str(array.dtype) == self.dtype else {"dtype": str(array.dtype)}
        if is_uniform(array) and np.isfinite(array.flat[0]):
            value = array.flat[0].item()
            keys = {"value": [value] if array.shape == (1,) else value}
            shape = {"shape": list(array.shape)} if array.size > 1 or array.ndim > 1 else {}
            return self.add("constant", [], {**keys, **shape, **dtype}, {}, names)
        if array.size <= WRITTEN and np.isfinite(array).all():
            return self.add("constant", [], {"value": array.tolist(), **dtype}, {}, names)
        return self.add("constant", [], {"shape": list(array.shape), **dtype}, {"value": array}, names)


def written(size: int | Dim) -> int | str:
    """A size as a spec writes it."""
    return str(size) if isinstance(size, Dim) else int(size)
