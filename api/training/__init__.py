"""Trainings asked for in Python or by a command: what they begin with, and by how many processes they run."""
