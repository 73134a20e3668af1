"""What exporters spell out in many nodes, recognized as what it is: activations and normalizations.

Not by how it is spelled, of which there are many ways, but by what it computes: a few nodes that make one value of
another are evaluated for drawn numbers, and compared with what they may be.
"""

from .recognition import recognized

__all__ = ["recognized"]
