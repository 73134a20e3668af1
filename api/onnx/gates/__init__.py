"""Cells whose equations are those of the language's own recurrent layers: recognized by what they compute."""

from .layers import Added, Gated, Made, Plan, Source, Value, layers_of

__all__ = ["Added", "Gated", "Made", "Plan", "Source", "Value", "layers_of"]
