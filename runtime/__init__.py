"""What happens after compiling: engines and sessions, weights, data, the training loop, checkpoints.

This package imports ``netwright.specs`` only, so a machine that just loads artifacts needs no compiler.
"""
