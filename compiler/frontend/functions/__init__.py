"""Functions of tensors, composed of primitives, that cells, layers and losses share."""
