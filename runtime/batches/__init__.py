"""The batches of each epoch: which samples, in which order, how long, augmented, and read ahead of the step."""

from .ahead import read_ahead
from .batches import Batch, Batches
from .division import WHOLE, Division

__all__ = ["WHOLE", "Batch", "Batches", "Division", "read_ahead"]
