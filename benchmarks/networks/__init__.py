"""The networks that are measured, as specs: each function makes one as a dict, which ``netwright.load`` takes."""
