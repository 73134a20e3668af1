"""Packages that not everybody needs, imported when data need them."""

from __future__ import annotations

from importlib import import_module
from typing import Any

from ..errors import DataError


class MissingPackageError(DataError):
    """Data need a package that is not installed."""


def need(module: str, path: object) -> Any:
    """A module of the extra `data`. Raises MissingPackageError, whose message begins with the data's path."""
    try:
        return import_module(module)
    except ImportError:
        package = {"PIL": "Pillow"}.get(module.partition(".")[0], module.partition(".")[0])
        raise MissingPackageError(
            f"{path}: {package} is needed to read it, which is not installed: pip install 'netwright[data]'"
        ) from None
