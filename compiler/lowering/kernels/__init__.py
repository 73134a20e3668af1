"""Writes kernels as loop IR."""
