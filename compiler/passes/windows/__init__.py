"""Passes over convolutions and pools."""
