"""Passes over recurrences: what is inside of a loop over steps, and what is not."""
