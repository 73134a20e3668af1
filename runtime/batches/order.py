"""The order of the samples in an epoch: a function of the seed, the epoch and, if they are grouped, their lengths."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from netwright.specs.random import SHUFFLE, SHUFFLE_BATCHES, permutation

from ..data.samples import Rows
from .balance import Balance

#: Among the samples of so many batches those of similar lengths are put together. More would make batches of
#: more equal lengths, and the order less random.
_POOL = 50


def batch_rows(
    samples: int,
    batch_size: int,
    *,
    seed: int,
    epoch: int,
    shuffle: bool,
    lengths: NDArray[np.int64] | None = None,
    balance: Balance | None = None,
) -> list[Rows]:
    """The rows of each batch of an epoch. With ``lengths``, samples of similar lengths share batches: those of some
    batches are sorted and divided, and the batches of the epoch are shuffled. Without ``shuffle``, all samples are.

    With ``balance``, which needs ``shuffle``, samples may come several times: n + samples·i stands for sample n when it
    comes for the i-th time, from i = 0.
    """
    starts = range(0, samples, batch_size)
    if not shuffle and lengths is None:
        return [slice(start, start + batch_size) for start in starts]
    order = permutation(seed, SHUFFLE, epoch, samples) if shuffle else np.arange(samples)
    order = order if balance is None else balance.epoch(epoch)[order]
    if lengths is not None:
        pool = _POOL * batch_size if shuffle else samples
        pools = [order[start : start + pool] for start in range(0, samples, pool)]
        order = np.concatenate([rows[np.argsort(lengths[rows % samples], kind="stable")] for rows in pools])
    batches: list[Rows] = [order[start : start + batch_size] for start in starts]
    if lengths is not None and shuffle:
        batches = [batches[i] for i in permutation(seed, SHUFFLE_BATCHES, epoch, len(batches))]
    return batches
