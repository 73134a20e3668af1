"""Recurrences, and backpropagation through time."""
