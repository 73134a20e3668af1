"""What all data sets have in common."""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator
from pydantic_core import PydanticCustomError

from ..base import SpecModel


def _location(value: str) -> str:
    if not value or "\0" in value:
        raise PydanticCustomError("text", "a path has characters, and no NUL among them")
    return value


Location = Annotated[str, AfterValidator(_location)]
"""A path relative to the spec."""


class DataSpec(SpecModel):
    """Base of the data sets. Their arrays have the names of inputs and targets, and one row per sample."""
