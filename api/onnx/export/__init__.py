"""Exports specs to ONNX: layers become the operator of the same name if there is one, otherwise their primitives."""
