"""Many runs of a network: sweeps over values in its spec, and the folds of a cross-validation."""
