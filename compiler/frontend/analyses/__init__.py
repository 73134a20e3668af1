"""Analyses of a network that run nothing: arithmetic, limits, gradients."""
