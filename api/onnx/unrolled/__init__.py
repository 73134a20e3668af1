"""Recurrences that are written out step by step, as loops again: the same nodes for each part of a sequence."""

from .rewriting import folded

__all__ = ["folded"]
