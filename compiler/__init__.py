"""From specs to machine code. Loading the package makes the operations known to the graph."""

from .ops import registry as registry
