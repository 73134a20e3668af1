"""Networks that others wrote, exported and shipped: imported, compiled and compared with ONNX Runtime.

`python -m tests.zoo` runs them; `entries.py` says which there are, one module a source says how each is made.
"""
