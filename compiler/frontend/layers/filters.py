"""The constant matrices of spectra: mel bands, and the cosine transform. All are float64."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from netwright.specs.models.layers.spectrum import MelSpectrogram

Array = NDArray[np.float64]


def mel_bands(spec: MelSpectrogram) -> Array:
    """The weight of each frequency in each band: [bins, mels]. See `MelSpectrogram` for the formula, which is that of
    `librosa.filters.mel` and `torchaudio.functional.melscale_fbanks`.
    """
    low, high = (_mels(frequency, spec.mel_scale) for frequency in (spec.low_frequency, spec.highest))
    edges = _frequencies(np.linspace(low, high, spec.mels + 2), spec.mel_scale)
    bins = np.arange(spec.bins)[:, None] * (spec.sample_rate / spec.points)
    widths = np.diff(edges)
    rising = (bins - edges[:-2]) / widths[:-1]
    falling = (edges[2:] - bins) / widths[1:]
    bands = np.maximum(0, np.minimum(rising, falling))
    return bands * (2 / (edges[2:] - edges[:-2])) if spec.norm == "slaney" else bands


#: Slaney's scale (Auditory Toolbox, 1998) is linear up to 1000 Hz, 15 mels; above, 27 mels are a factor of 6.4.
_KNEE, _KNEE_MELS, _FACTOR = 1000.0, 15.0, 27 / math.log(6.4)


def _mels(frequency: float, scale: str) -> float:
    """A frequency in Hz as mels."""
    if scale == "htk":
        return 2595 * math.log10(1 + frequency / 700)
    if frequency < _KNEE:
        return frequency * _KNEE_MELS / _KNEE
    return _KNEE_MELS + _FACTOR * math.log(frequency / _KNEE)


def _frequencies(mels: Array, scale: str) -> Array:
    """Mels as frequencies in Hz."""
    if scale == "htk":
        return 700 * (10 ** (mels / 2595) - 1)
    above = _KNEE * np.exp((mels - _KNEE_MELS) / _FACTOR)
    return np.where(mels < _KNEE_MELS, mels * _KNEE / _KNEE_MELS, above)


def cosine_transform(size: int, kept: int) -> Array:
    """The orthonormal DCT-II: [size, kept]. y(k) = s(k)·Σ x(n)·cos(π·(n + ½)·k / size), where s(0) = √(1/size) and
    s(k) = √(2/size).
    """
    n, k = np.arange(size)[:, None], np.arange(kept)
    scale = np.where(k == 0, math.sqrt(1 / size), math.sqrt(2 / size))
    return scale * np.cos(np.pi * (n + 0.5) * k / size)
