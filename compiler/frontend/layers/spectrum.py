"""Spectra of sound: products of frames with cosines and sines, then with the bands of the mel scale."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from netwright.specs.dims import product
from netwright.specs.models.layers.spectrum import LogMel, MelSpectrogram, Mfcc, Spectrogram

from ...formulas import Fourier
from ...ops.windows.conv import ConvAttributes
from ..expansion import Expansion
from ..functions.arithmetic import floor_divide
from ..problem import Problem, count
from ..scope import Scope, Signal
from ..tensor import Tensor, computed, constant, full, where
from .filters import cosine_transform, mel_bands
from .padding import continued
from .window import WindowAxis, arithmetic, least_size, minimum_text


def expand_spectrum(scope: Scope) -> Signal:
    """A spectrogram, its mel bands, their logarithms, or the cosine transform of these: `[N, T]` gives `[N, frames,
    bins]`, `[N, T, C]` gives `[N, frames, bins, C]`."""
    spec, signal = scope.spec, scope.input
    assert isinstance(spec, Spectrogram)
    scope.check_rank(signal, "samples [N, T] or [N, T, C]", signal.rank in (2, 3))
    axis = _frames(scope, spec)
    y = _spectrum(scope, spec, _samples(scope, spec, axis), axis)
    note = f"{spec.points} // 2 + 1 frequencies"
    if isinstance(spec, MelSpectrogram):
        bands = mel_bands(spec)
        _warn_of_empty_bands(scope, spec, bands)
        y = y.matmul(constant(y.graph, bands.astype(y.dtype)))
        note = count(spec.mels, "band")
    if isinstance(spec, LogMel):
        y = y.maximum(spec.floor).log()
        if spec.log != "natural":
            decibels = 20 / spec.power if spec.log == "db" else 1
            y = y * (decibels / math.log(10))
    if isinstance(spec, Mfcc):
        transform = cosine_transform(spec.mels, spec.coefficients)
        y = y.matmul(constant(y.graph, transform.astype(y.dtype)))
        note = count(spec.coefficients, "coefficient")
    scope.notes[2] = note
    if signal.rank == 3:
        y = y.reshape((signal.shape[0], signal.shape[2], *y.shape[1:])).transpose(0, 2, 3, 1)
        scope.kept[3] = signal.origins[2]
    return scope.give(y, _frames_of_lengths(scope, signal.lengths, axis))


def _frames(scope: Scope, spec: Spectrogram) -> WindowAxis:
    """The frames along the samples. Raises Problem if there may be none."""
    signal = scope.input
    size, frame, hop = signal.shape[1], spec.frame_length, spec.hop_length
    low, high = spec.margins
    least = scope.least(size + low + high)
    if least is None or least < frame:
        raise _too_short(scope, spec)
    cells = (size + low + high - frame) // hop + 1
    axis = WindowAxis(size, frame, hop, low, high, cells, frame, 1)

    def rule(size: int) -> int | None:
        padded = size + low + high
        return (padded - frame) // hop + 1 if padded >= frame else None

    scope.derive(1, arithmetic(axis, False), signal.origins[1], rule=rule)
    return axis


def _too_short(scope: Scope, spec: Spectrogram) -> Problem:
    signal, frame = scope.input, spec.frame_length
    needed = frame - sum(spec.margins)
    least = least_size(signal.shape[1], needed)
    open = least is not None and not isinstance(signal.shape[1], int)
    return scope.problem(
        "NW0304",
        "the frame does not fit",
        "frame_length",
        label=f"{frame} samples {'may be' if open else 'are'} more than the sound has, {signal.shape[1]}",
        labels=scope.trace((signal, 1)),
        help=minimum_text({least[0]: least[1]}) if open and least else None,
        fixes=scope.with_setting("padding", "center"),
    )


def _samples(scope: Scope, spec: Spectrogram, axis: WindowAxis) -> Tensor:
    """The sound with its margins, one channel per row: [N·C, samples, 1]. Zeros follow each sequence's end, as they
    would follow the sequence alone."""
    signal = scope.input
    x, valid = scope.floats(signal), signal.valid_like()
    if valid is not None:
        x = where(valid, x, 0)
    rest = (0,) * (signal.rank - 2)
    if spec.padding == "reflect":
        scope.refuse_lengths(
            signal, "reflect mirrors the last sample of the longest; center puts zeros", "padding"
        )
        x = continued(scope, x, 1, axis.low, axis.high, "reflect")
    else:
        x = x.pad((0, axis.low, *rest), (0, axis.high, *rest))
    if signal.rank == 2:
        return x.reshape((*x.shape, 1))
    channels = scope.static(signal)
    return x.transpose(0, 2, 1).reshape((product((x.shape[0], channels)), x.shape[1], 1))


def _spectrum(scope: Scope, spec: Spectrogram, x: Tensor, axis: WindowAxis) -> Tensor:
    """|X|² or |X| of each frame: [N·C, frames, bins]."""
    kernel = computed(x.graph, Fourier(spec.frame_length, spec.bins, spec.points, spec.window), scope.dtype)
    parts = x.apply("conv", kernel, attrs=ConvAttributes((axis.stride,), (1,), 1))
    real, imaginary = parts.slice(2, 0, spec.bins), parts.slice(2, spec.bins, 2 * spec.bins)
    power = real * real + imaginary * imaginary
    if spec.power == 2:
        return power
    # The root's own gradient at 0 is infinite, and infinity times the 0 below it is NaN.
    sounding = power.compare("gt", 0)
    return where(sounding, where(sounding, power, 1).sqrt(), 0)


def _frames_of_lengths(scope: Scope, lengths: Tensor | None, axis: WindowAxis) -> Tensor | None:
    """How many frames each sequence has: as many as it would have alone, [N]; None without lengths."""
    if lengths is None:
        return None
    margin = axis.low + axis.high - axis.span
    assert isinstance(margin, int)
    hop = full(lengths.graph, axis.stride, lengths.type)
    frames = floor_divide(lengths + margin, hop) + 1
    counts = where(lengths.compare("ge", max(1, -margin)), frames, 0)
    longest = scope.expander.longest.get(lengths)
    if longest is not None and margin >= 0:
        scope.expander.longest[counts] = (longest + margin) // axis.stride + 1
    return counts


def _warn_of_empty_bands(scope: Scope, spec: MelSpectrogram, bands: NDArray[np.float64]) -> None:
    empty = int((bands.max(axis=0) == 0).sum())
    if empty:
        message = f"{empty} of {count(spec.mels, 'band')} {'has' if empty == 1 else 'have'} no frequency"
        width = spec.sample_rate / spec.points
        help = f"frequencies are {width:.4g} Hz apart; take fewer bands, or a larger fft_length"
        scope.warn("NW0611", message, "mels", help=help)


EXPANSIONS = {Spectrogram: Expansion(expand_spectrum, honours_lengths=True)}
