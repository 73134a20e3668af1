"""What data sets are read from: one module per type, listed in the registry."""
