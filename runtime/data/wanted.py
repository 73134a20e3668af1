"""What a model takes from its data sets, for readers that turn files into arrays."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import numpy as np

from netwright.specs.manifest import BufferInfo, DimInfo

from ..arrays.binding import bare_name, parse_shape, shape_text
from ..errors import DataError, WeightsError, listed
from .class_names import ClassNames
from .vocabulary import Vocabulary

if TYPE_CHECKING:
    from .samples import Samples


#: What the blank is called among the names of classes that are made from data.
BLANK = "<blank>"


@dataclass(frozen=True)
class Spelling:
    """How a target holds the labels of sequences: of ``count`` classes, of which one, ``blank``, is no label.
    ``lengths`` is the target that says how many labels each sample has. ``names`` are those of the classes, the blank's
    included, as far as they are known.
    """

    count: int
    blank: int
    lengths: str | None = None
    names: tuple[str, ...] | None = None


@dataclass(frozen=True)
class Wanted:
    """The arrays that a model takes.

    ``classes`` has the targets that hold classes, with the classes' names as far as they are known; otherwise the data
    decide. Classes are numbers, or 0.0 and 1.0 in a target of floats that says yes or no. ``counts`` says how many
    classes a target may have. ``lengths`` names the input that holds the lengths of another one's sequences.
    ``spellings`` has the targets that hold sequences of labels.

    ``vocabularies`` has those that are known, by input. ``dims`` has the ranges of open sizes.
    ``unread`` names arrays that data may have and that are not read.
    """

    inputs: tuple[BufferInfo, ...]
    targets: tuple[BufferInfo, ...] = ()
    classes: Mapping[str, tuple[str, ...] | None] = field(default_factory=dict)
    counts: Mapping[str, int] = field(default_factory=dict)
    lengths: Mapping[str, str] = field(default_factory=dict)
    vocabularies: Mapping[str, Vocabulary] = field(default_factory=dict)
    dims: Mapping[str, DimInfo] = field(default_factory=dict)
    unread: Collection[str] = ()
    spellings: Mapping[str, Spelling] = field(default_factory=dict)

    @property
    def arrays(self) -> tuple[BufferInfo, ...]:
        """Inputs and targets."""
        return (*self.inputs, *(info for info in self.targets if info not in self.inputs))

    def knowing(self, classes: ClassNames) -> Wanted:
        """The same with these names of classes, which were kept with weights, where the spec has none. Raises
        WeightsError if the spec has the same names in another order: then the weights have other numbers for them.
        """
        spelled = {target: spelling.names for target, spelling in self.spellings.items()}
        for target, names in {**self.classes, **spelled}.items():
            kept = classes.get(target)
            if names and kept and names != kept and sorted(names) == sorted(kept):
                number = next(i for i, name in enumerate(kept) if name != names[i])
                raise WeightsError(
                    f"the labels of the spec are in another order than when the weights were trained: class {number} "
                    f"was {kept[number]!r} and is {names[number]!r}"
                )
        known = {target: names or classes.get(target) for target, names in self.classes.items()}
        return replace(self, classes=known, spellings=self._spelled(classes))

    def like(self, samples: Samples) -> Wanted:
        """The same with the classes of another data set, where the spec does not name them, and its vocabularies."""
        known = {name: names or samples.classes.get(name) for name, names in self.classes.items()}
        vocabularies = {**samples.vocabularies, **self.vocabularies}
        spellings = self._spelled(samples.classes)
        return replace(self, classes=known, vocabularies=vocabularies, spellings=spellings)

    def _spelled(self, classes: ClassNames) -> dict[str, Spelling]:
        return {
            target: replace(spelling, names=spelling.names or classes.get(target))
            for target, spelling in self.spellings.items()
        }

    def spelled(self, name: str | None, path: object) -> BufferInfo:
        """The target that takes sequences of labels: the one of this name, or the only one. Raises DataError."""
        fitting = [info for info in self.targets if info.name in self.spellings and name in (None, info.name)]
        if not fitting:
            raise DataError(
                f"{path}: transcripts are labels for the loss ctc, and no target of it takes them"
            )
        return _only(fitting, "target", self.targets, path)

    def is_class(self, info: BufferInfo) -> bool:
        """Whether an array holds numbers of classes."""
        return info.name in self.classes and _is_whole(info)

    def is_yes_or_no(self, info: BufferInfo) -> bool:
        """Whether a target of floats takes the classes of folders: 0 for the first one, 1 for the second."""
        return info.name in self.classes and not _is_whole(info)

    def steps(self, info: BufferInfo, longest: int) -> int:
        """How many steps (the second axis) an input has to have so that a sequence of ``longest`` fits: more, if that
        is not admitted. Raises DataError if it can't have so many.
        """
        size = parse_shape(info)[1]
        dim = None if isinstance(size, int) else self.dims.get(bare_name(size) or "")
        if isinstance(size, int):
            steps = most = size
        elif dim is None:
            return longest
        else:
            unit, most = dim.multiple_of, dim.max
            steps = max(dim.min, -(-longest // unit) * unit)
        if most is not None and longest > most:
            raise DataError(
                f"{longest:,} steps are too many: {info.name} takes at most {most:,}; length cuts"
            )
        return steps

    def input(
        self, name: str | None, ranks: Collection[int], path: object, *, whole: bool = False
    ) -> BufferInfo:
        """The input that files fill: the one of this name, or the only one with so many axes (and, with ``whole``, of
        whole numbers). Raises DataError.
        """
        fitting = [
            info
            for info in self.inputs
            if (info.name == name if name else len(info.shape) in ranks and _is_whole(info) >= whole)
            and info.name not in self.lengths.values()
        ]
        return _only(fitting, "input", self.inputs, path)

    def target(self, name: str | None, path: object) -> BufferInfo:
        """The target that takes labels: the one of this name, the only one that holds classes, or the only one at all.
        Raises DataError.
        """
        if name is not None:
            fitting = [info for info in self.targets if info.name == name]
        else:
            by_number = [info for info in self.targets if self.is_class(info)]
            fitting = by_number or [info for info in self.targets if self.is_yes_or_no(info)]
            fitting = fitting or list(self.targets)
        return _only(fitting, "target", self.targets, path)


def check_whole(info: BufferInfo, path: object) -> None:
    """Raises DataError for an input, or a target of next tokens, that takes no sequences of whole numbers."""
    if not _is_whole(info) or len(info.shape) != 2:
        raise DataError(
            f"{path}: tokens are whole numbers [N, T], {info.name} takes {info.dtype} {shape_text(info.shape)}"
        )


def _is_whole(info: BufferInfo) -> bool:
    return np.dtype(info.dtype).kind in "iu"


def _only(fitting: list[BufferInfo], kind: str, among: tuple[BufferInfo, ...], path: object) -> BufferInfo:
    if len(fitting) == 1:
        return fitting[0]
    which = fitting or among
    raise DataError(
        f"{path}: which {kind} do the files fill? Say {kind}: NAME; there is {listed(info.name for info in which)}"
    )
