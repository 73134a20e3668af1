"""Why a loss is infinite or NaN: the data, the weights, or what the network computes from them."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from netwright.specs.manifest import BufferInfo

from ..data.samples import Rows, Samples
from ..errors import RuntimeFault
from ..sessions.session import Session

#: How many samples are looked at together.
_PIECE = 256

UPDATES = "The data are finite, the updates went too far. A smaller learning rate or clip_norm may help"
NETWORK = (
    "The data and the weights are finite: some layer leaves the range of its numbers, such as the logarithm or the "
    "reciprocal of 0, or an exponential"
)


def cause_of(
    session: Session,
    weights: Mapping[str, NDArray],
    batch: Mapping[str, NDArray],
    data: Samples,
    rows: Rows,
    mask: str | None = None,
) -> str:
    """Explains in a sentence why the loss of a ``batch``, the ``rows`` of ``data``, is infinite or NaN.

    ``weights`` are the last known good ones: if the loss is finite with them, the updates since are the cause. The
    session's own weights are restored. ``mask`` names the array that says which steps count.
    """
    inputs = session.input_info("loss")
    if _is_finite(session, weights, {info.name: batch[info.name] for info in inputs if info.name in batch}):
        return UPDATES
    return not_finite(inputs, data, rows, mask) or NETWORK


def _is_finite(session: Session, weights: Mapping[str, NDArray], batch: Mapping[str, NDArray]) -> bool:
    now = session.weights
    session.assign(weights)
    try:
        return math.isfinite(session.loss(**batch)["loss"])
    except RuntimeFault:
        return False
    finally:
        session.assign(now)


def not_finite(
    infos: Sequence[BufferInfo], data: Samples, rows: Rows = slice(None), mask: str | None = None
) -> str | None:
    """A sentence that names the first infinite or NaN value in the data that counts for the loss."""
    samples = np.arange(len(data))[rows]
    for start in range(0, len(samples), _PIECE):
        if sentence := _first_not_finite(infos, data, samples[start : start + _PIECE], mask):
            return sentence
    return None


def _first_not_finite(
    infos: Sequence[BufferInfo], data: Samples, samples: NDArray[np.int64], mask: str | None
) -> str | None:
    named = [*(info.name for info in infos), *([mask] if mask in data.headers else [])]
    arrays = data.read(samples, dict.fromkeys(named))
    for info in infos:
        array = arrays[info.name]
        if array.dtype.kind != "f":
            continue
        bad = ~np.isfinite(array)
        if bad.any():
            bad &= _counting(info, infos, arrays, mask)
        if bad.any():
            first, *rest = np.argwhere(bad)[0].tolist()
            where = f" (at {rest})" if rest else ""
            value = array[(first, *rest)]
            also = f", and {int(bad.sum()) - 1} more of this batch" if bad.sum() > 1 else ""
            place = f"{info.name} of {data.name} is {value} in {data.place(int(samples[first]))}{where}{also}"
            advice = "Mend them, or say with lengths or the loss's mask what does not count"
            return f"The data are at fault: {place}. {advice}"
    return None


def _counting(
    info: BufferInfo, infos: Sequence[BufferInfo], arrays: Mapping[str, NDArray], mask: str | None
) -> NDArray:
    """Which elements count: those of valid steps that the loss's mask includes."""
    array = arrays[info.name]
    counting = np.ones(array.shape, bool)
    for lengths in infos:
        steps = next((range.high for range in lengths.ranges or () if range.what == "length"), None)
        if steps is not None and info.shape[1:2] == [steps]:
            valid = np.arange(array.shape[1]) < arrays[lengths.name][:, None]
            counting &= valid.reshape(valid.shape + (1,) * (array.ndim - 2))
    if mask is not None and mask in arrays and arrays[mask].shape == array.shape[:2]:
        kept = arrays[mask] != 0
        counting &= kept.reshape(kept.shape + (1,) * (array.ndim - 2))
    return counting
