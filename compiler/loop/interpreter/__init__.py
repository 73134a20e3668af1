"""Runs loop IR slowly, checking every access."""
