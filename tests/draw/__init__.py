"""Networks drawn over the whole language, by the thousand: see `__main__`."""
