"""Checks for the extra that the ONNX bridge needs."""

from __future__ import annotations

import importlib.util

from ..errors import RequestError


def need_onnx() -> None:
    """Raises RequestError if the onnx package is not installed."""
    if importlib.util.find_spec("onnx") is None:
        raise RequestError("ONNX models need the extra onnx: pip install 'netwright[onnx]'")
