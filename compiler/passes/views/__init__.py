"""Passes over what only moves elements."""
