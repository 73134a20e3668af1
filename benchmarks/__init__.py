"""Netwright beside its peers: `python -m benchmarks inference | training | zoo | compile | goal | tables`."""
