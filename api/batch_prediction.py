"""Predictions for batches of rows, by a function that other processes can be sent: for Ray Data, Dask and the like."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import load, save

from netwright.runtime.arrays.arrays import is_lossless, is_rounding
from netwright.runtime.errors import InputError, did_you_mean, listed
from netwright.specs.manifest import BufferInfo

from .errors import RequestError
from .model import Model
from .program import Program
from .weights.network import Weights, read_weights

#: How many rows are predicted together, unless the caller says.
_ROWS = 256

#: The compiled programs of this process: batches come one by one, each with a predictor that was sent anew.
_programs: dict[str, Program] = {}
_compiling = threading.Lock()


class BatchPredictor:
    """Predicts for batches: call it with arrays by name, or with a table, and it returns the outputs in the same form.

    Pickled, it is the spec's text and the weights: no code. Where it arrives, it is compiled, or taken from the cache,
    when it is first called, once per process. So it can be given to `map_batches` of Ray Data and to `map_partitions`
    of Dask.

    ``outputs`` names the outputs that are wanted, by default all; ``keep`` the columns that are passed on as they are.
    ``columns`` says for inputs of a table which columns they are made of: `{"x": ["age", "height"]}`; other inputs are
    columns of their own names. ``rows`` are predicted together, on up to ``threads`` threads.

    Raises SpecError for a spec with errors, WeightsError for weights that don't fit, and RequestError for an unknown
    output.
    """

    def __init__(
        self,
        model: Model,
        weights: Weights,
        *,
        outputs: Sequence[str] | None = None,
        keep: Sequence[str] = (),
        columns: Mapping[str, Sequence[str]] | None = None,
        rows: int = _ROWS,
        threads: int | None = 1,
    ):
        known = list(model.network.outputs)
        self._model = model
        self._outputs = known if outputs is None else list(outputs)
        for name in self._outputs:
            if name not in known:
                raise RequestError(
                    f"{model.name} has no output {name}: there is {listed(known)}{did_you_mean(name, known)}"
                )
        self._keep, self._rows, self._threads = tuple(keep), rows, threads
        self._columns = {name: tuple(given) for name, given in (columns or {}).items()}
        # Read now, so that what does not fit is told here and not on some computer of a cluster.
        self._weights = save(
            {n: np.ascontiguousarray(a) for n, a in read_weights(model.network, weights).items()}
        )

    def __call__(self, batch: Any) -> Any:
        """The outputs for a mapping of arrays `[N, …]` by name, as a dict, or for a table of pandas, as a table: an
        output `[N]` is a column, one with more axes a column of arrays.

        Raises InputError if an input is missing or does not fit.
        """
        if isinstance(batch, Mapping):
            return self._predicted(batch)
        if hasattr(batch, "columns") and hasattr(batch, "index"):
            made = self._predicted(_Table(batch, self._columns))
            columns = {name: array if array.ndim == 1 else list(array) for name, array in made.items()}
            return type(batch)(columns, index=batch.index)
        raise InputError(f"a batch is a mapping of arrays or a table, not {type(batch).__name__}")

    def _predicted(self, batch: Mapping[str, Any]) -> dict[str, Any]:
        program = self._program()
        arrays = {info.name: _array(info, batch) for info in program.session.input_info("predict")}
        counts = {name: len(array) for name, array in arrays.items()}
        count = next(iter(counts.values()))
        if len(set(counts.values())) > 1:
            told = ", ".join(f"{name} has {rows}" for name, rows in counts.items())
            raise InputError(f"the inputs have different numbers of rows: {told}")
        pieces = [
            program.predict(**{name: array[start : start + self._rows] for name, array in arrays.items()})
            for start in range(0, count, self._rows)
        ]
        kept = {name: batch[name] for name in self._keep}
        if not pieces:
            return kept | {name: self._nothing(program, name) for name in self._outputs}
        return kept | {name: np.concatenate([piece[name] for piece in pieces]) for name in self._outputs}

    def _nothing(self, program: Program, name: str) -> NDArray:
        """An output without rows."""
        type = program.network.outputs[name].type
        return np.empty((0, *(size if isinstance(size, int) else 0 for size in type.shape[1:])), type.dtype)

    def _program(self) -> Program:
        """This process's program, compiled when it is first wanted."""
        key = self._key()
        with _compiling:
            if key not in _programs:
                _programs[key] = self._model.compile(
                    load(self._weights), entries=["predict"], threads=self._threads
                )
            return _programs[key]

    def _key(self) -> str:
        digest = hashlib.blake2b(self._weights)
        digest.update(repr((self._model.__reduce__()[1], self._threads)).encode())
        return digest.hexdigest()

    def __reduce__(self) -> tuple[Any, ...]:
        options = (self._outputs, self._keep, self._columns, self._rows, self._threads)
        return _arrived, (self._model, self._weights, *options)

    def __repr__(self) -> str:
        return f"<BatchPredictor {self._model.name}: {', '.join(self._outputs)}>"


def _arrived(
    model: Model,
    weights: bytes,
    outputs: Sequence[str],
    keep: Sequence[str],
    columns: Mapping[str, Sequence[str]],
    rows: int,
    threads: int | None,
) -> BatchPredictor:
    """A predictor that was sent."""
    return BatchPredictor(
        model, load(weights), outputs=outputs, keep=keep, columns=columns, rows=rows, threads=threads
    )


class _Table(Mapping[str, Any]):
    """A table of pandas as arrays by name; an input may be made of several columns."""

    def __init__(self, frame: Any, columns: Mapping[str, Sequence[str]]):
        self._frame, self._columns = frame, columns

    def __getitem__(self, name: str) -> Any:
        if name not in self._columns:
            return self._frame[name].to_numpy()
        return np.stack([self._frame[column].to_numpy() for column in self._columns[name]], axis=1)

    def __iter__(self) -> Iterable[str]:  # type: ignore[override]
        return iter([*self._columns, *self._frame.columns])

    def __len__(self) -> int:
        return len(self._columns) + len(self._frame.columns)


def _array(info: BufferInfo, batch: Mapping[str, Any]) -> NDArray:
    """An input in its type. A column of objects holds an array per row."""
    try:
        array = np.asarray(batch[info.name])
    except KeyError as error:
        raise InputError(f"the batch has no {error}: it is needed for the input {info.name!r}") from None
    if array.dtype == object:
        array = (
            np.stack([np.asarray(row) for row in array]) if len(array) else np.empty((0,) * len(info.shape))
        )
    dtype = np.dtype(info.dtype)
    # Tables hold 64-bit numbers: what is lost by other casts, `predict` says.
    if is_lossless(array.dtype, dtype) or is_rounding(array.dtype, dtype):
        return array.astype(dtype, copy=False)
    if array.dtype.kind == "i" and dtype.kind == "f" and (array.astype(dtype) == array).all():
        return array.astype(dtype)
    return array
