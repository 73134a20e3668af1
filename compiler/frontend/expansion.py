"""How a layer becomes primitives: what each family of layers lists."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from .scope import Scope, Signal

Ports = Mapping[str, Signal]


@dataclass(frozen=True, slots=True)
class Expansion:
    """How a layer becomes primitives. ``honours_lengths``: whether padded steps are dealt with there."""

    expand: Callable[[Scope], Signal | Ports]
    honours_lengths: bool = False
