"""Cells whose equations are those of the language's own recurrent layers: recognized by what they compute."""

from .layers import Gated, Made, Plan, Source, layers_of

__all__ = ["Gated", "Made", "Plan", "Source", "layers_of"]
