"""Functions of tensors, each a composition of the few primitives: what cells, layers and losses share."""
