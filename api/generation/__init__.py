"""Sequences of tokens that a trained language model goes on with."""
