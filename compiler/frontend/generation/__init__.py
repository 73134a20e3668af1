"""Networks that write sequences: which of their operations belong to one step, and graphs that compute a step."""
