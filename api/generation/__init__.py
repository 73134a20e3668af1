"""Sequences of tokens that a trained network writes: it goes on with a text, or answers one text with another."""
