"""Recognizes cells that compute the same as the language's own recurrent layers."""

from .layers import Added, Gated, Made, Plan, Source, Value, layers_of

__all__ = ["Added", "Gated", "Made", "Plan", "Source", "Value", "layers_of"]
