"""Diagnostics: their codes, pages, fixes, and output formats."""
