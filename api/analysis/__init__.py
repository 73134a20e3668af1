"""Analyses of a network before it runs, one module each."""
