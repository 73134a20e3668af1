"""Training by several processes, the ranks: each computes the gradients of some parts of every batch."""
