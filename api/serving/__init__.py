"""Serving a network over HTTP, by the Open Inference Protocol (version 2), which clients of KServe and Triton speak."""
