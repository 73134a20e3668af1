"""The names of classes, kept with weights: row 2 of the last layer means "cat" only by the data it was trained on."""

from __future__ import annotations

import json
from collections.abc import Mapping

from ..errors import WeightsError

#: The key under which files of weights hold the names of classes.
CLASSES_KEY = "classes"

#: The names of each target's classes, in the order of their numbers.
ClassNames = Mapping[str, tuple[str, ...]]


def classes_to_text(classes: ClassNames) -> str:
    """Names of classes by target as JSON."""
    # In ASCII: names of folders may hold bytes that are no characters, and then could not be written as such.
    return json.dumps({target: list(names) for target, names in classes.items()})


def classes_from_metadata(metadata: Mapping[str, str], path: object) -> dict[str, tuple[str, ...]]:
    """The names of classes in the metadata of a file of weights, by target; none if the file has none. Raises
    WeightsError for text that holds no names.
    """
    try:
        written = json.loads(metadata.get(CLASSES_KEY, "{}"))
        classes = {target: tuple(names) for target, names in written.items()}
        if not all(isinstance(name, str) for names in classes.values() for name in names):
            raise ValueError("a name is no text")
        if any(isinstance(names, str) for names in written.values()):
            raise ValueError("the names of a target are no list")
        if any(len(set(names)) < len(names) for names in classes.values()):
            raise ValueError("a name is there twice")
    except (ValueError, TypeError, AttributeError, RecursionError) as error:
        raise WeightsError(f"{path}: the names of the classes can't be read: {error}") from None
    return classes


def classes_difference(was: ClassNames, now: ClassNames) -> str | None:
    """How the classes of a target that both have differ, in words; None if they don't."""
    for target, names in was.items():
        if (others := now.get(target)) is None or others == names:
            continue
        for number, name in enumerate(names):
            if number >= len(others) or others[number] != name:
                what = f"is {others[number]!r}" if number < len(others) else "is gone"
                return f"class {number} of {target} was {name!r} and {what}"
        return f"class {len(names)} of {target}, {others[len(names)]!r}, is new"
    return None
