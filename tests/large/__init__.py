"""Training on a data set that is larger than memory: `python -m tests.large`."""
