"""One module for each kind of layer: its shape rule and its expansion into primitives."""
