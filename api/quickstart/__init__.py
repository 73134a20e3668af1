"""The quickstart's spec and data, copied out of the package by `netwright quickstart`."""
