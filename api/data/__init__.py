"""The data sets of a model: opens them as the spec declares them, and checks whether they fit."""
