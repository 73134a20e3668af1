"""Tests of training by several processes, which `mpirun` starts; and ``python -m tests.ranks --kills 20``."""
