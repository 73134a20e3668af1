"""The session: a model with its values – parameters, statistics, state – ready to be called from Python."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial

import numpy as np
from numpy.typing import ArrayLike, NDArray

from netwright.specs.manifest import AVERAGE, GATHERED, PREPARE, SCALE, BufferInfo, Manifest

from ..arrays.arrays import aligned_copy, aligned_zeros, flat_zeros, zeros_together
from ..arrays.named import WEIGHT_ROLES, find_problems, static_shape, weight_buffers
from ..engines.engine import Engine, find_entry
from ..errors import ExecutionError, WeightsError
from ..totals import means
from .calls import EntryCall, StateAllocator
from .drawn import Drawn, Undrawn
from .outputs import Out

#: The prefix of the recurrent states carried between windows of a sequence.
CARRY = "carry."


class Session:
    """A model's values and the entries that work on them.

    ``values`` holds every parameter and statistic, and the initial values of state buffers that don't start at zero. A
    program without the entry ``prepare``, as a library may be, also needs its packed weights there.
    ``idle`` are weights that belong to the model, but that none of the entries reads. All are copied. Those that are
    ``Drawn`` are made by the first call, or when weights are asked for; never, if others are assigned before.

    Raises WeightsError if the values don't fit the model. Several threads must not train one session at once.
    """

    def __init__(
        self,
        engine: Engine,
        values: Mapping[str, ArrayLike | Drawn],
        idle: Mapping[str, NDArray | Drawn] | None = None,
    ):
        self.engine = engine
        manifest = engine.manifest
        idle = idle or {}
        drawn = {name: value for name, value in {**values, **idle}.items() if isinstance(value, Drawn)}
        given = {name: np.asarray(value) for name, value in values.items() if not isinstance(value, Drawn)}
        packs = any(info.name == PREPARE for info in manifest.entries)
        given_roles = (*WEIGHT_ROLES, "state", "packed")
        expected = {info.name: info for info in manifest.buffers if info.role in given_roles}
        optional = [
            name
            for name, info in expected.items()
            if info.role == "state" or (info.role == "packed" and packs)
        ]
        described = {**given, **{name: value for name, value in drawn.items() if name in values}}
        _check(manifest, expected, described, optional=optional)
        self._undrawn = Undrawn(drawn)
        self._idle = {
            name: np.zeros(array.shape, array.dtype) if isinstance(array, Drawn) else np.array(array)
            for name, array in idle.items()
        }
        static = [(info, shape) for info in manifest.buffers if (shape := static_shape(info)) is not None]
        if problem := {info.name for info in manifest.buffers if info.role == "packed"} - {
            info.name for info, _ in static
        }:
            raise ExecutionError(f"packed buffer {min(problem)!r} has no static shape")
        owned = zeros_together(
            {info.name: (shape, np.dtype(info.dtype)) for info, shape in static if info.role in given_roles}
        )
        for name in owned.keys() & given.keys():
            owned[name][...] = given[name]

        def of(*roles: str) -> dict[str, NDArray]:
            return {info.name: owned[info.name] for info, _ in static if info.role in roles}

        self._weights, self._states, self._packed = of(*WEIGHT_ROLES), of("state"), of("packed")
        self._static_states = set(self._states)
        for name in given.keys() & expected.keys() - owned.keys():  # states with a row per sequence
            self._states[name] = aligned_copy(given[name], np.dtype(expected[name].dtype))
        gradients = {
            info.name: (shape, np.dtype(info.dtype)) for info, shape in static if info.role == "gradient"
        }
        # In the order in which they are complete, so that the beginning can be sent while the rest is computed.
        marks = [name for entry in manifest.entries for names in entry.marks for name in names]
        order = {name: gradients[name] for name in dict.fromkeys([*marks, *gradients])}
        #: All that `gradients` computes of a part of a batch, in one array, and the part of it for each name.
        self.gradients, self._gradients = flat_zeros(order)
        # packed buffers that are up to date with the parameters
        self._fresh: set[str] = set() if packs else set(self._packed)
        self._ready: set[str] = set()  # the entries whose packed buffers are all up to date
        self._calls: dict[str, EntryCall] = {}
        self._packed_reads: dict[str, frozenset[str]] = {}
        self._stale_after: dict[str, frozenset[str]] = {}
        self._trains: set[str] = set()  # the entries that change weights
        self._version = 0

    @property
    def manifest(self) -> Manifest:
        return self.engine.manifest

    def has(self, entry: str) -> bool:
        """Whether the model has this entry."""
        return any(info.name == entry for info in self.manifest.entries)

    def predict(self, /, **inputs: ArrayLike) -> dict[str, NDArray]:
        """The model's outputs, by name, in eval mode.

        Inputs are arrays of the declared shapes. Their dtypes are cast if nothing is lost (uint8 to float32, bool to
        integers). Raises InputError, which names the input and the axis that does not fit, and ExecutionError for
        values out of range (a token outside the vocabulary).
        """
        return self.run("predict", inputs)

    def loss(self, **arrays: ArrayLike) -> dict[str, float]:
        """The mean loss and metrics (by name, beside ``loss``) of one batch of inputs and targets, in
        eval mode.
        """
        return means(self.manifest.scores, self.run("loss", arrays))

    def train_step(self, **arrays: ArrayLike) -> dict[str, float]:
        """Makes one optimizer step on one batch. Returns the mean loss and metrics (by name) from before the update."""
        return means(self.manifest.scores, self.run("train_step", arrays))

    def run(
        self,
        entry: str,
        arrays: Mapping[str, ArrayLike],
        dims: Mapping[str, int] | None = None,
        out: Out | None = None,
    ) -> dict[str, NDArray]:
        """Runs any entry and returns its raw outputs, by name: new arrays, or those of ``out``. ``predict``, ``loss``
        and ``train_step`` use it. ``dims`` has the sizes that no axis of ``arrays`` tells.
        """
        call = self._calls.get(entry)
        if call is None:
            call = self._make_call(entry)
        if entry not in self._ready:
            self.draw()
            if not self._packed_reads[entry] <= self._fresh:
                self.prepare()
            self._ready.add(entry)
        outputs = call(arrays, dims, out)
        if entry in self._trains:
            self._version += 1
            if stale := self._stale_after[entry]:
                self._fresh -= stale
                self._ready = set()
        return outputs

    def prepare(self) -> None:
        """Packs the weights again. Entries that read packed weights do this themselves after parameters changed."""
        self.draw()
        self.engine.run(PREPARE, {}, {**self._weights, **self._packed})
        self._fresh = set(self._packed)

    def input_info(self, entry: str) -> list[BufferInfo]:
        """The arrays that ``entry`` takes."""
        reads = set(find_entry(self.manifest, entry).reads)
        return [info for info in self.manifest.buffers if info.role == "input" and info.name in reads]

    def draw(self) -> None:
        """Makes the weights that are drawn when they are needed. Calls do this themselves."""
        if self._undrawn:
            self._undrawn.draw({**self._weights, **self._idle})

    @property
    def weights(self) -> dict[str, NDArray]:
        """Copies of all parameters and statistics, by name."""
        self.draw()
        return {name: array.copy() for name, array in {**self._weights, **self._idle}.items()}

    @property
    def version(self) -> int:
        """Another number whenever weights have changed."""
        return self._version

    def assign(self, weights: Mapping[str, ArrayLike], *, partial: bool = False) -> None:
        """Replaces all parameters and statistics, with ``partial`` those of the names given. Raises WeightsError,
        without any change, if they don't fit.
        """
        given = self.check(weights, partial=partial)
        self._undrawn.forget(given)
        stored = {**self._weights, **self._idle}
        for name, array in given.items():
            stored[name][...] = array
        self.changed()

    def check(self, weights: Mapping[str, ArrayLike], *, partial: bool = False) -> dict[str, NDArray]:
        """The weights as arrays that ``assign`` can take. Raises WeightsError if they don't fit."""
        given = {name: np.asarray(value) for name, value in weights.items()}
        idle = {
            name: BufferInfo(
                name=name, role="parameter", dtype=array.dtype.name, shape=[str(size) for size in array.shape]
            )
            for name, array in self._idle.items()
        }
        expected = {**weight_buffers(self.manifest), **idle}
        _check(self.manifest, expected, given, optional=list(expected) if partial else None)
        return given

    @property
    def packed(self) -> dict[str, NDArray]:
        """Copies of the packed weights, as the entry ``prepare`` makes them."""
        if not self._packed.keys() <= self._fresh:
            self.prepare()
        return {name: array.copy() for name, array in self._packed.items()}

    @property
    def state(self) -> dict[str, NDArray]:
        """Copies of all state: the optimizer's moments and step counter, and the recurrent states carried so far."""
        return {name: array.copy() for name, array in self._states.items()}

    def assign_state(self, state: Mapping[str, ArrayLike]) -> None:
        """Replaces all state with what ``state`` of this or an equal session returned. Raises WeightsError as
        ``assign`` does.
        """
        expected = {info.name: info for info in self.manifest.buffers if info.role == "state"}
        given = {name: np.asarray(value) for name, value in state.items()}
        _check(self.manifest, expected, given, optional=[n for n in expected if n not in self._static_states])
        for name, array in given.items():
            if name in self._static_states:
                self._states[name][...] = array
            else:
                self._states[name] = aligned_copy(array, np.dtype(expected[name].dtype))

    @property
    def averages(self) -> dict[str, NDArray] | None:
        """The weights with averages over the training in place of those that are averaged; None if none are. Before the
        first update there is nothing to average.
        """
        named = {name for name in self._states if name.startswith(AVERAGE)}
        if not named:
            return None
        updates = self._states.get("optimizer.updates", self._states["optimizer.step"])
        averages = (
            {name.removeprefix(AVERAGE): self._states[name].copy() for name in named} if updates else {}
        )
        return {**self.weights, **averages}

    @property
    def updates(self) -> int:
        """How many updates were made."""
        return int(self._states.get("optimizer.updates", self._states["optimizer.step"]))

    @property
    def rate_scale(self) -> float:
        """What a plateau multiplies the learning rate by."""
        return float(self._states.get(SCALE, 1.0))

    @property
    def gradient_names(self) -> list[str]:
        """The names of the parts of ``gradients``, in order."""
        return list(self._gradients)

    def gradients_after_marks(self) -> list[int]:
        """How many elements of ``gradients`` are complete after each mark of the entry `gradients`."""
        ends: list[int] = []
        for names in find_entry(self.manifest, "gradients").marks:
            starts = (self._gradients[name].ctypes.data - self.gradients.ctypes.data for name in names)
            sizes = (self._gradients[name].size for name in names)
            last = max(
                start // self.gradients.itemsize + size for start, size in zip(starts, sizes, strict=True)
            )
            ends.append(max(last, ends[-1] if ends else 0))
        return ends

    def end_group(self) -> None:
        """Lets the next ``train_step`` update the parameters, however many batches are gathered by then."""
        if GATHERED in self._states:
            self._states[GATHERED].fill(2**62)

    def scale_rate(self, factor: float) -> None:
        """Multiplies the learning rate of a plateau schedule by ``factor`` from now on."""
        self._states[SCALE].fill(factor)

    @property
    def carried(self) -> dict[str, NDArray]:
        """Copies of the recurrent states that are carried between windows."""
        return {name: array.copy() for name, array in self._states.items() if name.startswith(CARRY)}

    def carry(self, states: Mapping[str, NDArray]) -> None:
        """Carries on with ``states``, as ``carried`` returned them, or from the start with those that are missing."""
        self.reset_carry()
        for name, array in states.items():
            if name in self._static_states:
                self._states[name][...] = array
            else:
                self._states[name] = aligned_copy(array, array.dtype)

    @property
    def arrays(self) -> dict[str, NDArray]:
        """The parameters, statistics and states of known sizes themselves. Call ``changed`` after changing them."""
        self.draw()
        known = {name: array for name, array in self._states.items() if name in self._static_states}
        return {**self._weights, **self._idle, **{name: known[name] for name in sorted(known)}}

    def changed(self) -> None:
        """Has weights packed again that were changed in ``arrays``."""
        self._fresh, self._ready = set(), set()
        self._version += 1

    def reset_carry(self) -> None:
        """Sets the recurrent states that are carried between windows back to zero."""
        for name, array in self._states.items():
            if name.startswith(CARRY):
                array.fill(0)

    def separate(self, entry: str, states: dict[str, NDArray], allocate: StateAllocator) -> EntryCall:
        """A call of an entry that has the states ``states`` of its own: those of static size are added to it, as zeros;
        ``allocate`` returns the others. It reads the session's weights.
        """
        self.draw()
        if not self._packed.keys() <= self._fresh:
            self.prepare()
        used = find_entry(self.manifest, entry)
        for info in self.manifest.buffers:
            if info.role == "state" and info.name in used.reads and (shape := static_shape(info)) is not None:
                states[info.name] = aligned_zeros(shape, np.dtype(info.dtype))
        return EntryCall(self.engine, used, {**self._weights, **self._packed, **states}, allocate)

    def _make_call(self, name: str) -> EntryCall:
        entry = find_entry(self.manifest, name)
        fixed = {**self._weights, **self._packed, **self._gradients}
        fixed |= {n: a for n, a in self._states.items() if n in self._static_states}
        call = EntryCall(self.engine, entry, fixed, partial(_sized_state, self._states))
        changes_weights = not self._weights.keys().isdisjoint(entry.writes)
        self._packed_reads[name] = frozenset(self._packed.keys() & set(entry.reads))
        self._stale_after[name] = frozenset(
            self._packed.keys() - set(entry.writes) if changes_weights else ()
        )
        if changes_weights:
            self._trains.add(name)
        self._calls[name] = call
        return call


def _sized_state(states: dict[str, NDArray], info: BufferInfo, shape: tuple[int, ...]) -> NDArray:
    """The state of that shape, which begins with zeros. (No method: calls would keep their session in memory.)"""
    array = states.get(info.name)
    if array is None or array.shape != shape:
        array = states[info.name] = aligned_zeros(shape, np.dtype(info.dtype))
    return array


def _check(
    manifest: Manifest,
    expected: Mapping[str, BufferInfo],
    given: Mapping[str, NDArray | Drawn],
    optional: list[str] | None = None,
) -> None:
    described = {name: (array.shape, array.dtype) for name, array in given.items()}
    if problems := find_problems(expected, described, optional or ()):
        raise WeightsError(
            "\n  ".join([f"the values are not those of {manifest.model!r}:", *problems]), problems
        )
