"""Equations of the language as graphs of tensors."""
