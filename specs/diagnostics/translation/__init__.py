"""Translates pydantic's errors to diagnostics."""
