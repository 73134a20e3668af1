"""Networks that others wrote, imported from ONNX, beside ONNX Runtime: the time of a call, and of a cold compile."""
