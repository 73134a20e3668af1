"""Products with sums over axes."""
