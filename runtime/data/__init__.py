"""Data sets: what they are read from, whether they fit a model, and how they are split."""

from .dataset import Dataset, load_dataset
from .fitting import check_against
from .samples import Samples

__all__ = ["Dataset", "Samples", "check_against", "load_dataset"]
