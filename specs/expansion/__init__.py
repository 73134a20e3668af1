"""Expands blocks, repetition, variables and included files."""
