"""Netwright: a declarative graph compiler for convolutional and recurrent networks."""
