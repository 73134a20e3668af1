"""The entry with which a family of layers registers how a layer becomes primitives."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from .scope import Scope, Signal

Ports = Mapping[str, Signal]


@dataclass(frozen=True, slots=True)
class Expansion:
    """How a layer becomes primitives. ``honours_lengths``: whether the expansion handles padded steps itself."""

    expand: Callable[[Scope], Signal | Ports]
    honours_lengths: bool = False
