"""Quantization: products with weights become products of bytes, for which ranges of the data were measured."""
