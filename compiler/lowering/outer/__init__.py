"""Sums of outer products: the gradients of weights."""
