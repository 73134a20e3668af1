"""From words to class numbers."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from ..errors import DataError, did_you_mean, listed


def number_classes(
    values: Sequence[str], names: Sequence[str] | None, where: Callable[[str], str]
) -> tuple[dict[str, int], tuple[str, ...]]:
    """The number of each of the different ``values``, and the names of all classes in the order of their
    numbers (empty if they have none).

    ``names`` are the classes' names if they are known. Otherwise the values in the order of their code points are the
    classes. If all values are whole numbers and none is a name, they stay what they are. Raises DataError as
    ``number_names`` does.
    """
    if values and not set(names or ()).intersection(values) and all(map(_is_number, values)):
        return {text: int(text) for text in values}, tuple(names or ())
    classes = tuple(sorted(values) if names is None else names)
    return number_names(values, classes, where), classes


def number_texts(
    texts: Sequence[str], names: Sequence[str] | None, place: Callable[[int], str]
) -> tuple[NDArray[np.int64], tuple[str, ...]]:
    """The class of each sample by its text ``[samples, 1]``, and the names of all classes, as ``number_classes`` finds
    them; ``place`` says where a sample is. Raises DataError.
    """
    first: dict[str, int] = {}
    for row, text in enumerate(texts):
        first.setdefault(text, row)
    numbers, classes = number_classes(list(first), names, lambda text: place(first[text]))
    return np.array([numbers[text] for text in texts], np.int64)[:, None], classes


def number_names(
    values: Sequence[str], classes: Sequence[str], where: Callable[[str], str]
) -> dict[str, int]:
    """The number of each class by its name. ``where`` says where a value is. Raises DataError for one of the
    ``values`` that is no class.
    """
    numbers = {name: number for number, name in enumerate(classes)}
    for text in values:
        if text not in numbers:
            hint = did_you_mean(text, classes)
            raise DataError(f"{where(text)}: {text!r} is none of the classes {listed(classes)}{hint}")
    return numbers


def _is_number(text: str) -> bool:
    return text.isascii() and text.removeprefix("-").isdigit() and len(text) < 19
