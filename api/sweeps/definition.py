"""What a sweep is: kept in `sweep.json`, so that it can be gone on with wherever it was."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

from netwright.specs.files import write_file

from ..errors import RequestError
from .space import Range, Values, drawn, grid

FILE = "sweep.json"
FORMAT = "netwright-sweep-1"
Method = Literal["grid", "random", "halving", "folds"]
#: Of each round of successive halving, one run in so many goes on.
KEPT = 3


@dataclass(frozen=True)
class Sweep:
    """A sweep: its trials are points of the space, with settings by key.

    ``metric`` judges them, and ``rises`` if it is better. ``epochs`` are those of a whole training. ``options`` are
    further ones of `netwright train`.
    """

    spec: str
    model: str
    method: Method
    keys: tuple[str, ...]
    trials: tuple[Mapping[str, str], ...]
    metric: str
    rises: bool
    epochs: int
    seed: int
    options: tuple[str, ...] = ()

    @property
    def rounds(self) -> list[tuple[int, int]]:
        """The number of trials and the epochs, in all, of each round: one round, but for successive halving.

        Successive halving (Jamieson and Talwalkar, 2016) trains all for few epochs, and the best third of them for
        three times as many, until the last ones are trained for all epochs.
        """
        count = len(self.trials)
        if self.method != "halving":
            return [(count, self.epochs)]
        last = int(min(math.log(count, KEPT), math.log(self.epochs, KEPT)) + 1e-9)
        return [
            (
                max(1, math.ceil(count / KEPT**number)),
                max(1, math.ceil(self.epochs / KEPT ** (last - number))),
            )
            for number in range(last + 1)
        ]

    def name(self, number: int) -> str:
        """The name of a trial's run, by its position."""
        if self.method == "folds":
            return f"fold-{number + 1}"
        return f"trial-{number + 1:0{max(3, len(str(len(self.trials))))}}"

    def settings(self, number: int) -> tuple[str, ...]:
        """The settings of a trial."""
        return tuple(f"{key}={value}" for key, value in self.trials[number].items())

    def write(self, folder: Path) -> None:
        """Writes `sweep.json`. Raises OSError."""
        text = json.dumps({"format": FORMAT, **asdict(self)}, indent=2, ensure_ascii=False) + "\n"
        write_file(folder / FILE, text.encode(), durable=False)

    @classmethod
    def read(cls, folder: Path) -> Sweep:
        """The sweep in a folder. Raises RequestError if there is none that this version can read."""
        path = folder / FILE
        try:
            written: dict[str, Any] = json.loads(path.read_bytes())
            if written.pop("format") != FORMAT:
                raise ValueError("another format")
            written |= {name: tuple(written[name]) for name in ("keys", "trials", "options")}
            return cls(**written)
        except OSError as error:
            raise RequestError(f"{folder} is no sweep: {path}: {error.strerror}") from None
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
            raise RequestError(f"{path} is no sweep that this version of netwright can read") from None


def points(
    space: Mapping[str, Values], method: Method, count: int | None, seed: int
) -> Sequence[Mapping[str, str]]:
    """The trials of a sweep. Raises RequestError."""
    if not space:
        raise RequestError("there is nothing to try: give values with --set KEY=A,B or --set KEY=LOW..HIGH")
    ranges = any(isinstance(values, Range) for values in space.values())
    if method == "grid" or (method == "halving" and count is None and not ranges):
        if count is not None:
            raise RequestError("a grid has as many trials as it has points: leave --trials out")
        return grid(space)
    if count is None:
        raise RequestError("how many points are drawn is missing: --trials N")
    return drawn(space, count, seed)
