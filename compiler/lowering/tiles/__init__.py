"""How a kernel's work is cut: tiles of registers, the order of its loops, how many terms at once."""
