"""The bodies of ONNX's loops as cells of the language: equations over one sample."""

from . import moves, pointwise
from .body import CellBody, cell_of_body
from .table import OPERATORS

__all__ = ["OPERATORS", "CellBody", "cell_of_body", "moves", "pointwise"]
