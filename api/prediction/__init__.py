"""Predictions for files, as a command shows them: what is read, what outputs mean, and how answers are written."""
