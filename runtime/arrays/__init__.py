"""What callers give and get: arrays by name, checked, converted, and bound to open sizes."""
