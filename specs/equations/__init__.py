"""Equations of cells and expression layers, as typed trees."""
