"""The bodies of ONNX's loops as cells of the language: equations over one sample."""

from .body import CellBody, cell_of_body

__all__ = ["CellBody", "cell_of_body"]
