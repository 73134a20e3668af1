"""Which operations share a kernel, and what each of them is to it."""
