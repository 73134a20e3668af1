"""Rows by their numbers."""
