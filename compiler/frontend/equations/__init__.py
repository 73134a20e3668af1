"""Turns the language's equations into graphs of tensors."""
