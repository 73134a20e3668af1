"""What runs an entry: compiled code over an arena and the pool of threads, behind one interface."""
