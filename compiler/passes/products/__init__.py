"""Passes over products and sums, and how their weights lie in memory."""
