"""How long a whole process takes from a spec to a network that is good enough, compiling included, beside PyTorch."""
