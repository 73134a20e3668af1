"""Measures which plans of products are fastest on this computer, and keeps them in the cache and in files."""
