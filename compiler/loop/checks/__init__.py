"""Checks loop IR, and what threads may divide."""
