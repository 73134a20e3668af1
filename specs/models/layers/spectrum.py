"""Spectra of sound: short-time Fourier transforms and what is computed from them."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from ..base import NonNegativeNumber, Positive, Size, at
from .base import LayerSpec

#: The transform is a product with a matrix of frame_length · (fft_length + 2) numbers.
LARGEST_FRAME = 4096
FrameSize = Annotated[Size, Field(le=LARGEST_FRAME)]


class Spectrogram(LayerSpec):
    """How strong each frequency is in each frame of a sound: |X|² or |X|, where X is the discrete Fourier transform of
    the frame times a window.

    Samples `[N, T]` give `[N, frames, bins]`, and `[N, T, C]` give `[N, frames, bins, C]`, which `conv2d` reads. There
    are fft_length // 2 + 1 bins; bin k is the frequency k · sample rate / fft_length. If the samples have `lengths`, so
    do the frames: as many as the sequence would have alone.

    The numbers are those of `torchaudio.transforms.Spectrogram` and of `librosa.stft` with the same sizes; theirs pads
    by `reflect` (torchaudio) or with zeros (librosa). Gradients reach the samples; where |X| is 0, its gradient is 0.
    The transform is a convolution with constant cosines and sines, 2 · frame_length · (fft_length + 2) operations per
    frame. Up to some 1024 samples that is fast enough; an FFT would need fewer in long frames.
    """

    type: Literal["spectrogram"] = "spectrogram"
    frame_length: FrameSize
    """How many samples a frame has."""
    hop_length: Size
    """How many samples lie between the beginnings of two frames."""
    fft_length: FrameSize | None = None
    """How many samples the transform has, at least frame_length, which is the default: frames are filled up with zeros,
    so that the bins lie closer.
    """
    window: Literal["hann", "hamming", "rectangular"] = "hann"
    """What a frame is multiplied by: with φ = 2πn / frame_length, hann is 0.5 − 0.5·cos φ (the periodic form), hamming
    0.54 − 0.46·cos φ, rectangular 1.
    """
    padding: Literal["center", "reflect", "causal", "valid"] = "center"
    """center: frame t has its middle at sample t · hop_length, and zeros beyond the sound; reflect: the same, but the
    sound continues mirrored; causal: frame t ends with sample t · hop_length, zeros before the first; valid: frame t
    begins at sample t · hop_length, and all frames lie within the sound. center and reflect give T // hop_length + 1
    frames if fft_length is even.
    """
    power: Literal[1, 2] = 2
    """2: the power |X|²; 1: the magnitude |X|."""

    @model_validator(mode="after")
    def _frames_fit(self) -> Self:
        if self.fft_length is not None and self.fft_length < self.frame_length:
            message = "fft_length is {fft}, less than the frame's {frame} samples"
            raise at("fft_length", "together", message, fft=self.fft_length, frame=self.frame_length)
        return self

    @property
    def points(self) -> int:
        """How many samples the transform has."""
        return self.fft_length or self.frame_length

    @property
    def bins(self) -> int:
        """How many frequencies the transform has."""
        return self.points // 2 + 1

    @property
    def margins(self) -> tuple[int, int]:
        """How many samples are added before and after. A centered frame has its middle where that of the whole
        transform is, of which it is the middle part, as in librosa and PyTorch.
        """
        frame, points = self.frame_length, self.points
        if self.padding in ("causal", "valid"):
            return (frame - 1 if self.padding == "causal" else 0, 0)
        low = points // 2 - (points - frame) // 2
        return low, frame - points % 2 - low


class MelSpectrogram(Spectrogram):
    """A spectrogram whose frequencies are summed in bands as wide as hearing is fine: samples `[N, T]` give
    `[N, frames, mels]`, and `[N, T, C]` give `[N, frames, mels, C]`.

    Band m is a triangle over frequencies: 0 at f(m), 1 at f(m + 1), 0 at f(m + 2), where f(0), …, f(mels + 1) lie
    evenly on the mel scale from low_frequency to high_frequency. These are the bands of `librosa.filters.mel` and
    `torchaudio.functional.melscale_fbanks`; Keras's and TensorFlow's are triangles over mels instead.
    """

    type: Literal["mel_spectrogram"] = "mel_spectrogram"  # type: ignore[assignment]
    sample_rate: Size
    """Samples per second."""
    mels: FrameSize
    """The number of bands."""
    low_frequency: NonNegativeNumber = 0.0
    """Where the first band begins, in Hz."""
    high_frequency: Positive | None = None
    """Where the last band ends, in Hz; by default half the sample rate."""
    mel_scale: Literal["htk", "slaney"] = "htk"
    """The mels of a frequency f. htk: 2595·log10(1 + f/700) (torchaudio's default); slaney: 3f/200 up to 1000 Hz, above
    it 15 + 27·ln(f/1000) / ln(6.4) (librosa's default).
    """
    norm: Literal["slaney"] | None = None
    """slaney: band m is multiplied by 2 / (f(m + 2) − f(m)), so that all have the same area (librosa's default)."""

    @property
    def highest(self) -> float:
        """Where the last band ends, in Hz."""
        return self.sample_rate / 2 if self.high_frequency is None else self.high_frequency

    @model_validator(mode="after")
    def _frequencies_fit(self) -> Self:
        if self.highest > self.sample_rate / 2:
            message, half = "{rate} samples per second hold frequencies up to {half} Hz", self.sample_rate / 2
            raise at("high_frequency", "together", message, rate=self.sample_rate, half=f"{half:g}")
        if self.low_frequency >= self.highest:
            message, low = "the bands begin at {low} Hz and end at {high} Hz", f"{self.low_frequency:g}"
            raise at("low_frequency", "together", message, low=low, high=f"{self.highest:g}")
        return self


class LogMel(MelSpectrogram):
    """The logarithm of a mel spectrogram, which keeps quiet sounds visible beside loud ones: log(max(y, floor)) of each
    band y.

    The gradient of a band below the floor is 0. librosa's and Keras's `top_db`, which cuts off what is far below the
    loudest frame, is not part of it: it needs the whole sound.
    """

    type: Literal["log_mel"] = "log_mel"  # type: ignore[assignment]
    log: Literal["natural", "log10", "db"] = "natural"
    """natural; log10; or db, decibels: 10·log10 of a power, 20·log10 of a magnitude."""
    floor: Positive = 1e-10
    """The least number that the logarithm is taken of."""


class Mfcc(LogMel):
    """Mel-frequency cepstral coefficients: the orthonormal discrete cosine transform (DCT-II) of a log-mel spectrogram
    along its bands. Samples `[N, T]` give `[N, frames, coefficients]`, `[N, T, C]` give
    `[N, frames, coefficients, C]`. `log: db` gives librosa's and torchaudio's scale.
    """

    type: Literal["mfcc"] = "mfcc"  # type: ignore[assignment]
    coefficients: Size
    """How many coefficients are kept, the first ones, at most as many as bands."""

    @model_validator(mode="after")
    def _enough_bands(self) -> Self:
        if self.coefficients > self.mels:
            message = "{count} coefficients of {mels} bands: there are at most as many"
            raise at("coefficients", "together", message, count=self.coefficients, mels=self.mels)
        return self


LAYERS = (
    Spectrogram,
    MelSpectrogram,
    LogMel,
    Mfcc,
)
