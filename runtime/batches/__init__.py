"""The batches of each epoch: which samples, in which order, how long, augmented, and read ahead of the step."""

from .ahead import read_ahead
from .batches import Batch, Batches

__all__ = ["Batch", "Batches", "read_ahead"]
