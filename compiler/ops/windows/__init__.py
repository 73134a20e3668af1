"""Convolutions, pools, and all else that looks at neighbouring cells."""
