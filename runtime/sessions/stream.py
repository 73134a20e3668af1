"""Streams: a network that is given a sequence piece by piece, and answers as the pieces come."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from netwright.specs.manifest import BufferInfo

from ..arrays.arrays import aligned_zeros, exact_array
from ..errors import ExecutionError, InputError, did_you_mean, listed
from .session import Session


@dataclass(frozen=True, slots=True)
class Answers:
    """When an output of a stream comes. With an ``axis`` it gives ``rate`` frames per group of steps along it, of
    which the first ``delay`` of all are no part of the sequence; without one, each chunk gives the answer so far.
    """

    axis: int | None
    rate: int = 0
    delay: int = 0


@dataclass(frozen=True)
class Rhythm:
    """How a stream's entry takes steps: groups of ``group``, along the axes ``axes`` of inputs, by name. Other inputs
    have no steps."""

    entry: str
    group: int
    axes: Mapping[str, int]
    outputs: Mapping[str, Answers]


class Stream:
    """A sequence in progress, or a batch of sequences. Any number of streams can share a session, each with a state of
    its own. Calls of one stream must not overlap; those of different streams may.
    """

    def __init__(self, session: Session, rhythm: Rhythm):
        self._rhythm = rhythm
        self._states: dict[str, NDArray] = {}
        self._call = session.separate(rhythm.entry, self._states, self._sized)
        self._waiting: dict[str, NDArray] = {}
        given = session.input_info(rhythm.entry)
        self._dtypes = {info.name: np.dtype(info.dtype) for info in given}
        self._can_fail = any(
            info.ranges for info in given
        )  # on values out of range, in the middle of a chunk
        self._late = {name: answers for name, answers in rhythm.outputs.items() if answers.delay}
        self._steps = 0

    @property
    def steps(self) -> int:
        """How many steps have been computed."""
        return self._steps

    @property
    def inputs(self) -> list[str]:
        """The names of the arrays that ``push`` takes."""
        return list(self._dtypes)

    @property
    def group(self) -> int:
        """How many steps are computed together; fewer wait for the rest."""
        return self._rhythm.group

    @property
    def waiting(self) -> int:
        """How many steps wait for the rest of their group."""
        return next((array.shape[self._rhythm.axes[name]] for name, array in self._waiting.items()), 0)

    def push(self, **inputs: ArrayLike) -> dict[str, NDArray]:
        """The answers to some more steps: arrays of the inputs' shapes, with any number of steps along their time axis.

        An output with a time axis holds what has become known since the last call, maybe nothing; put together they are
        what `predict` gives for the whole sequence. One without a time axis is what `predict` would give for the
        sequence so far; it is missing as long as no group of steps is complete. Raises InputError for arrays that don't
        fit, and ExecutionError for values out of range; the state is then as before.
        """
        if count := self._steps_of(inputs):
            return self._computed(inputs, count)  # type: ignore[arg-type]
        arrays, count = self._gathered(inputs)
        group = self._rhythm.group
        ready = count // group * group
        axes = self._rhythm.axes
        taken = {name: _part(array, axes.get(name), 0, ready) for name, array in arrays.items()}
        outputs = self._none(arrays) if ready == 0 else self._computed(taken, ready)
        self._waiting = {
            name: _part(arrays[name], axis, ready, count).copy()
            for name, axis in axes.items()
            if count > ready
        }
        return outputs

    def reset(self) -> None:
        """Begins a new sequence."""
        for array in self._states.values():
            array.fill(0)
        self._waiting, self._steps = {}, 0

    @property
    def state(self) -> dict[str, NDArray]:
        """Copies of all that the stream remembers, by name. A stream of the same network goes on from it: see
        ``restore``."""
        waiting = {f"waiting.{name}": array.copy() for name, array in self._waiting.items()}
        states = {name: array.copy() for name, array in self._states.items()}
        return {"steps": np.asarray(self._steps), **states, **waiting}

    def restore(self, state: Mapping[str, NDArray]) -> None:
        """Goes on where the stream was whose ``state`` this is. Raises InputError, without any change, if it is not
        that of a stream of this network.
        """
        names = state.keys() - {f"waiting.{name}" for name in self._rhythm.axes} - {"steps"}
        known = self._call.state_types
        if (
            "steps" not in state
            or not names <= known.keys()
            or any(
                state[name].dtype != np.dtype(known[name].dtype) or state[name].ndim != len(known[name].shape)
                for name in names
            )
        ):
            raise InputError(
                f"this is not the state of such a stream, which has {listed(sorted(known))} and steps"
            )
        for name in names:
            held = self._states.get(name)
            if held is not None and held.shape == state[name].shape:
                held[...] = state[name]
            else:
                self._states[name] = aligned_zeros(state[name].shape, state[name].dtype)
                self._states[name][...] = state[name]
        for name in self._states.keys() - names:
            self._states[name].fill(0)
        self._waiting = {
            name: state[f"waiting.{name}"].copy() for name in self._rhythm.axes if f"waiting.{name}" in state
        }
        self._steps = int(state["steps"])

    def _steps_of(self, inputs: Mapping[str, ArrayLike]) -> int:
        """How many steps arrays have that can be computed as they are; 0 if they can't be. Most can: their steps come
        one by one, so that looking at each more closely would take longer than the step.
        """
        dtypes, axes, steps = self._dtypes, self._rhythm.axes, 0
        if self._waiting or inputs.keys() != dtypes.keys():
            return 0
        for name, array in inputs.items():
            if type(array) is not np.ndarray or array.dtype is not dtypes[name]:
                return 0
            axis = axes.get(name)
            if axis is None:
                continue
            count = array.shape[axis] if array.ndim > axis else 0
            if count % self._rhythm.group or (steps and steps != count):
                return 0
            steps = count
        return steps

    def _gathered(self, inputs: Mapping[str, ArrayLike]) -> tuple[dict[str, NDArray], int]:
        """The inputs behind the steps that wait, and how many steps that makes."""
        for name in inputs:
            if name not in self._dtypes:
                takes = f"the stream takes {listed(self._dtypes)}"
                raise InputError(f"there is no input {name!r}: {takes}{did_you_mean(name, self._dtypes)}")
        if missing := [name for name in self._dtypes if name not in inputs]:
            raise InputError(f"missing input {listed(missing)}: the stream takes {listed(self._dtypes)}")
        arrays = {name: exact_array(name, value, self._dtypes[name]) for name, value in inputs.items()}
        counts: dict[str, int] = {}
        for name, axis in self._rhythm.axes.items():
            array = arrays[name]
            if array.ndim <= axis:
                raise InputError(f"input {name!r} has {array.ndim} axes; its steps are along axis {axis}")
            counts[name] = array.shape[axis]
            held = self._waiting.get(name)
            if held is None:
                continue
            if _other(held.shape, axis) != _other(array.shape, axis):
                raise InputError(
                    f"input {name!r} is {list(array.shape)}, but steps of {list(held.shape)} came before"
                )
            arrays[name] = np.concatenate([held, array], axis)
        if len(set(counts.values())) > 1:
            raise InputError(f"the inputs have different numbers of steps: {counts}")
        return arrays, self.waiting + next(iter(counts.values()))

    def _computed(self, arrays: Mapping[str, NDArray], steps: int) -> dict[str, NDArray]:
        before = {name: array.copy() for name, array in self._states.items()} if self._can_fail else {}
        try:
            outputs = self._call(arrays)
        except ExecutionError:
            for name, array in self._states.items():
                array[...] = before.get(name, 0)
            raise
        groups = self._steps // self._rhythm.group
        self._steps += steps
        for name, answers in self._late.items():
            if answers.axis is not None and (early := answers.delay - groups * answers.rate) > 0:
                outputs[name] = _part(outputs[name], answers.axis, early, outputs[name].shape[answers.axis])
        return {name: outputs[name] for name in self._rhythm.outputs}

    def _none(self, arrays: Mapping[str, NDArray]) -> dict[str, NDArray]:
        """Outputs without a frame."""
        shapes = self._call.shapes(
            {
                name: array.shape
                if (axis := self._rhythm.axes.get(name)) is None
                else (*array.shape[:axis], self._rhythm.group, *array.shape[axis + 1 :])
                for name, array in arrays.items()
            }
        )
        empty: dict[str, NDArray] = {}
        for name, answers in self._rhythm.outputs.items():
            if answers.axis is not None:
                shape, dtype = shapes[name]
                empty[name] = np.empty((*shape[: answers.axis], 0, *shape[answers.axis + 1 :]), dtype)
        return empty

    def _sized(self, info: BufferInfo, shape: tuple[int, ...]) -> NDArray:
        array = self._states.get(info.name)
        if array is None:
            array = self._states[info.name] = aligned_zeros(shape, np.dtype(info.dtype))
        elif array.shape != shape:
            raise InputError(
                f"the stream has begun with {info.name} of {list(array.shape)}, and these inputs need {list(shape)}; "
                "`reset` does not change that, make a new stream"
            )
        return array


def _part(array: NDArray, axis: int | None, start: int, end: int) -> NDArray:
    return array if axis is None else array[(slice(None),) * axis + (slice(start, end),)]


def _other(shape: tuple[int, ...], axis: int) -> tuple[int, ...]:
    return (*shape[:axis], *shape[axis + 1 :])
