"""Other arrangements of the same elements."""
