"""Weights in safetensors files: one tensor per parameter or statistic, called ``layer.param`` (docs/weights.md)."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from netwright.specs.manifest import Manifest

from ..arrays.named import find_problems, weight_buffers
from ..data.class_names import CLASSES_KEY, ClassNames, classes_from_metadata, classes_to_text
from ..data.vocabulary import KEY, Vocabulary, from_metadata, to_text
from ..errors import WeightsError
from ..files.tensors import write_tensors
from ..files.weights_file import WeightsFile


def save_weights(
    path: str | Path,
    manifest: Manifest,
    values: Mapping[str, NDArray],
    vocabularies: Mapping[str, Vocabulary] | None = None,
    classes: ClassNames | None = None,
) -> None:
    """Writes the model's parameters and statistics (``Session.weights``), atomically, with the vocabularies of inputs
    that are made from text, and the names of the targets' classes.

    Raises WeightsError if ``values`` don't match the model's parameters and statistics exactly, OSError if the file
    can't be written.
    """
    described = {name: (value.shape, value.dtype) for name, value in values.items()}
    if problems := find_problems(weight_buffers(manifest), described):
        raise WeightsError(_listing(f"these are not the weights of {manifest.model!r}", problems), problems)
    metadata = {"netwright": manifest.netwright, "model": manifest.model, "format": "np"}
    metadata |= {KEY: to_text(vocabularies)} if vocabularies else {}
    metadata |= {CLASSES_KEY: classes_to_text(classes)} if classes else {}
    write_tensors(path, values, metadata)


def load_vocabularies(path: str | Path) -> dict[str, Vocabulary]:
    """The vocabularies of the inputs that are made from text. Raises WeightsError."""
    return from_metadata(WeightsFile(path).metadata, path)


def load_classes(path: str | Path) -> dict[str, tuple[str, ...]]:
    """The names of the classes of each target, as far as the training data had names. Raises WeightsError."""
    return classes_from_metadata(WeightsFile(path).metadata, path)


def load_weights(path: str | Path, manifest: Manifest) -> dict[str, NDArray]:
    """Reads the model's parameters and statistics from a weights file or a checkpoint (see ``WeightsFile``), and casts
    them to the model's dtypes if nothing is lost.

    Raises WeightsError if the file can't be read, or – all problems in one error – if tensors are missing, unknown, or
    of a wrong shape or dtype.
    """
    expected = weight_buffers(manifest)
    tensors = WeightsFile(path)
    if problems := find_problems(expected, tensors.headers):
        raise WeightsError(_listing(f"{path} does not fit the model {manifest.model!r}", problems), problems)
    return {
        name: tensors.read(name).astype(np.dtype(info.dtype), copy=False) for name, info in expected.items()
    }


def _listing(title: str, problems: list[str]) -> str:
    return "\n  ".join([f"{title}:", *problems])
