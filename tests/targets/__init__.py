"""Drawn networks, compiled for every target, run by an emulator, and compared with the interpreter."""
