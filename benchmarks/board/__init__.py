"""A network on an emulated Cortex-M4, beside what others make of it."""
