"""Specs to ONNX: layers as the operators of the same name where there are such, everything else by its primitives."""
