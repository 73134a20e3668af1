"""Finds recurrences that are unrolled in the file, the same nodes for each part of a sequence, and turns them back into
loops.
"""

from .rewriting import folded

__all__ = ["folded"]
