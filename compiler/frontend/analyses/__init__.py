"""What is said of a network without running it: arithmetic, limits, gradients."""
