"""Everything after compiling: engines and sessions, weights, data, the training loop, checkpoints.

This package imports ``netwright.specs`` only, so a machine that only runs compiled models needs no compiler.
"""
