"""Data sets of arrays, and samples taken out of other sets."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from ..base import Name, Seed
from .base import DataSpec, Location


class ArraysData(DataSpec):
    """Arrays as NumPy writes them: a `.npz` file with an array per input and target, or `.npy` files. Of arrays above
    64 MiB only the rows of a batch are read, unless they are compressed.
    """

    type: Literal["arrays"] = "arrays"
    path: Location | Annotated[dict[Name, Location], Field(min_length=1)]
    """A `.npz` file, a folder of `.npy` files that are named like the arrays, or a mapping of arrays to `.npy` files.
    A text in place of the data set is such a path.
    """


class SplitData(DataSpec):
    """Samples taken out of another set, which keeps the others. It needs no type."""

    source: Annotated[Name, Field(alias="from")]
    """The set to take samples from."""
    fraction: Annotated[float, Field(strict=True, gt=0, lt=1)]
    """How much of the set to take."""
    stratify: Name | None = None
    """An integer array, such as a target of classes, each of whose values is split in the same proportion."""
    seed: Seed = 0
    """Another seed takes other samples. It does not depend on the seed of the training, so that trainings with
    different seeds are judged by the same samples.
    """
