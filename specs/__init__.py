"""The language: what a user can write, what it means, and how mistakes in it are reported.

This package imports no other package of Netwright. Its public names resolve on first use, so that
`netwright.specs.dims` and `netwright.specs.manifest` can be imported on a machine without loading pydantic.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .load import LoadResult, load_spec, load_spec_text
    from .models.spec import ModelSpec

__all__ = ["LoadResult", "ModelSpec", "load_spec", "load_spec_text"]

_HOMES = {"LoadResult": ".load", "load_spec": ".load", "load_spec_text": ".load", "ModelSpec": ".models.spec"}


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(import_module(_HOMES[name], __name__), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
