"""Recognizes activations and normalizations that exporters write as many nodes.

There are many ways to write them, so they are recognized by what they compute: a cluster of nodes that makes one value
from another is evaluated for random numbers and compared with the candidates.
"""

from .recognition import recognized

__all__ = ["recognized"]
