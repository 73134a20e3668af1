"""Folders of runs: what a training was of, how it went, and what it made."""
