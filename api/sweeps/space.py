"""What a sweep tries: the values of each key, and the combinations of them that become trials."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any

import numpy as np
import yaml

from ..errors import RequestError

_NUMBER = r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?"
_RANGE = re.compile(rf"\s*({_NUMBER})\s*\.\.\s*({_NUMBER})\s*")
_OPEN, _CLOSED = "[{(", "]})"
#: From this factor between its ends on, the numbers of a range are drawn evenly by their logarithms.
_LOGARITHMIC = 10
_MOST = 10_000


@dataclass(frozen=True)
class Range:
    """Numbers from ``low`` to ``high``: whole ones, or drawn evenly by their logarithms."""

    low: float
    high: float
    whole: bool
    logarithmic: bool

    def draw(self, generator: np.random.Generator) -> str:
        """A number as text, four digits of it."""
        part = generator.random()
        if self.whole:
            low, high = self.low - 0.5, self.high + 0.5
            value = (
                math.exp(math.log(low) + part * math.log(high / low))
                if self.logarithmic
                else low + part * (high - low)
            )
            return str(int(min(max(round(value), self.low), self.high)))
        if self.logarithmic:
            value = math.exp(math.log(self.low) + part * math.log(self.high / self.low))
        else:
            value = self.low + part * (self.high - self.low)
        return repr(min(max(float(f"{value:.4g}"), self.low), self.high))


Values = tuple[str, ...] | Range
"""Values as they are written in a setting, or a range of numbers."""


def read_values(key: str, text: str) -> Values:
    """What `--set KEY=TEXT` tries: values with commas between them, `LOW..HIGH`, or a single value. Commas inside
    brackets and quotes belong to a value. Raises RequestError.
    """
    if match := _RANGE.fullmatch(text):
        return make_range(key, match[1], match[2])
    values = tuple(part.strip() for part in _split(text))
    if not all(values):
        raise RequestError(f"{key}={text}: there is no value between two commas")
    return values


def make_range(key: str, first: str, last: str, scale: str | None = None) -> Range:
    """The range between two numbers. Raises RequestError."""
    low, high = float(first), float(last)
    if not (math.isfinite(high) and low < high):
        raise RequestError(f"{key}={first}..{last}: the first number has to be less than the last one")
    whole = not re.search(r"[.eE]", first + last)
    wide = low > 0 and high / low >= _LOGARITHMIC
    if scale not in (None, "linear", "logarithmic"):
        raise RequestError(f"{key}: scale is linear or logarithmic, not {scale}")
    if scale == "logarithmic" and low <= 0:
        raise RequestError(f"{key}: a logarithmic range begins above 0, not at {first}")
    return Range(low, high, whole, wide if scale is None else scale == "logarithmic")


def read_space(values: Mapping[str, Any]) -> dict[str, Values]:
    """The values by key as a sweep file writes them: a list, a text as for `--set`, or `{from, to, scale}`. Raises
    RequestError.
    """
    space: dict[str, Values] = {}
    for key, written in values.items():
        if isinstance(written, Mapping):
            if not {"from", "to"} <= written.keys() <= {"from", "to", "scale"}:
                raise RequestError(
                    f"{key}: a range has the keys from, to and scale, not {', '.join(map(str, written))}"
                )
            space[key] = make_range(key, str(written["from"]), str(written["to"]), written.get("scale"))
        elif isinstance(written, list):
            space[key] = tuple(value_text(value) for value in written)
        else:
            space[key] = read_values(key, written if isinstance(written, str) else value_text(written))
        if not space[key]:
            raise RequestError(f"{key}: there is nothing to try")
    return space


def value_text(value: Any) -> str:
    """A value as YAML on one line, as a setting has it."""
    text = yaml.safe_dump(value, default_flow_style=True, width=10**9, allow_unicode=True)
    return text.removesuffix("\n").removesuffix("\n...").strip()


def grid(space: Mapping[str, Values]) -> list[dict[str, str]]:
    """All combinations, the last key changing fastest. Raises RequestError for ranges, and for too many."""
    if ranges := [key for key, values in space.items() if isinstance(values, Range)]:
        raise RequestError(f"a grid has no ranges: write values for {ranges[0]}, or choose --method random")
    lists: list[Sequence[str]] = [values for values in space.values() if not isinstance(values, Range)]
    count = math.prod(map(len, lists))
    if count > _MOST:
        raise RequestError(f"the grid has {count:,} points, more than {_MOST:,}: choose --method random")
    return [dict(zip(space, point, strict=True)) for point in product(*lists)]


def drawn(space: Mapping[str, Values], count: int, seed: int) -> list[dict[str, str]]:
    """So many points drawn at random, the first ones the same for any ``count``."""
    points = []
    for number in range(count):
        generator = np.random.default_rng([seed, number])
        points.append(
            {
                key: values.draw(generator)
                if isinstance(values, Range)
                else values[int(generator.integers(len(values)))]
                for key, values in space.items()
            }
        )
    return points


def _split(text: str) -> list[str]:
    """The parts of a text between commas outside of brackets and quotes."""
    parts, depth, quote = [""], 0, ""
    for character in text:
        if quote:
            quote = "" if character == quote else quote
        elif character in "\"'":
            quote = character
        depth += 0 if quote else (character in _OPEN) - (character in _CLOSED)
        if character == "," and depth == 0 and not quote:
            parts.append("")
        else:
            parts[-1] += character
    return parts
