"""Data sets of arrays, and samples taken out of other sets."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from ..base import Name, Seed, Size, at
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
    """Samples taken out of another set, which keeps the others: a `fraction` of them, or one of several `folds` of the
    same size. It needs no type.
    """

    source: Annotated[Name, Field(alias="from")]
    """The set to take samples from."""
    fraction: Annotated[float, Field(strict=True, gt=0, lt=1)] | None = None
    """How much of the set to take."""
    folds: Annotated[int, Field(strict=True, ge=2)] | None = None
    """The number of parts that the set is divided into, for a cross-validation: `netwright train --folds` trains with
    each of them left out.
    """
    fold: Size | None = None
    """The part to take, from 1."""
    stratify: Name | None = None
    """An integer array, such as a target of classes, each of whose values is split in the same proportion."""
    seed: Seed = 0
    """Another seed takes other samples. It does not depend on the seed of the training, so that trainings with
    different seeds are judged by the same samples.
    """

    @model_validator(mode="after")
    def _taken(self) -> SplitData:
        if self.fraction is not None and (self.folds is not None or self.fold is not None):
            raise at("fraction", "together", "fraction and folds are given, write one of them")
        if self.fraction is None and self.folds is None:
            raise at(
                "source",
                "together",
                "how much is taken is missing, such as fraction: 0.2, or folds: 5, fold: 1",
            )
        if self.folds is not None and self.fold is None:
            raise at("folds", "together", "the fold that is taken is missing, such as fold: 1")
        if self.folds is not None and self.fold is not None and self.fold > self.folds:
            raise at("fold", "together", "fold is {fold}, of {folds} folds", fold=self.fold, folds=self.folds)
        return self

    @property
    def share(self) -> float:
        """How much of the set is taken."""
        return self.fraction if self.fraction is not None else 1 / (self.folds or 1)
