"""One module per family of layers: their shape rules and their expansion into primitives."""
