"""Random numbers, and samples that they vary."""
