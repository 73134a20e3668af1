"""Proves that sizes are never negative."""
