"""Checks that need no shapes: sections, names, and which layer reads which."""
