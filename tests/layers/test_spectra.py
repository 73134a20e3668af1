"""Spectrograms against NumPy's FFT frame by frame, mel bands by their definition and against librosa's numbers."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from netwright.compiler.formulas import window
from netwright.compiler.frontend.layers.filters import cosine_transform, mel_bands
from netwright.specs.models.layers.spectrum import MelSpectrogram

from ..frontend.helpers import codes, diagnosed
from .harness import check_gradients, spec, values

RNG = np.random.default_rng(4)
SOUND = RNG.normal(size=(2, 61))
WINDOWS = {"hann": np.hanning, "hamming": np.hamming, "rectangular": lambda size: np.ones(size)}


def transforms(
    x: NDArray, frame: int, hop: int, points: int, kind: str = "hann", padding: str = "center"
) -> NDArray:
    """The transforms of all frames by `numpy.fft`, [N, frames, bins]: frames of ``points`` samples in whose middle the
    window stands, as librosa and PyTorch take them, or else of ``frame`` samples."""
    # Periodic windows are symmetric over one more sample; that of a single sample is 1.
    weights = WINDOWS[kind](frame + 1)[:-1] if frame > 1 else np.ones(1)
    if padding in ("center", "reflect"):
        mode = "constant" if padding == "center" else "reflect"
        x = np.pad(x, ((0, 0), (points // 2, points // 2)), mode=mode)  # type: ignore[call-overload]
        before = (points - frame) // 2
        weights = np.pad(weights, (before, points - frame - before))
    elif padding == "causal":
        x = np.pad(x, ((0, 0), (frame - 1, 0)))
    starts = range(0, x.shape[1] - len(weights) + 1, hop)
    return np.stack([np.fft.rfft(x[:, at : at + len(weights)] * weights, points) for at in starts], 1)


def layer(kind: str = "spectrogram", **keys: object) -> str:
    written = {"name": "y", "type": kind, **keys}
    return f"[{{{', '.join(f'{key}: {value}' for key, value in written.items())}}}]"


SIZES = [(16, 5, 16), (16, 4, 32), (15, 4, 16), (7, 10, 9), (6, 3, 9), (1, 1, 1), (1, 2, 3)]


@pytest.mark.alike(2)
@pytest.mark.parametrize(("frame", "hop", "points"), SIZES)
@pytest.mark.parametrize("padding", ["center", "reflect", "causal", "valid"])
def test_power_is_that_of_the_fft(frame: int, hop: int, points: int, padding: str) -> None:
    keys = {"frame_length": frame, "hop_length": hop, "fft_length": points, "padding": padding}
    expected = np.abs(transforms(SOUND, frame, hop, points, padding=padding)) ** 2
    shape = [*expected.shape[1:]]
    found = values(spec(layer(**keys, expect=f"[N, {shape[0]}, {shape[1]}]"), x="[N, 61]"), x=SOUND)["y"]
    np.testing.assert_allclose(found, expected, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("kind", ["hann", "hamming", "rectangular"])
@pytest.mark.parametrize("power", [1, 2])
def test_windows_and_magnitudes(kind: str, power: int) -> None:
    keys = {"frame_length": 12, "hop_length": 4, "window": kind, "power": power}
    expected = np.abs(transforms(SOUND, 12, 4, 12, kind)) ** power
    open_size = spec(layer(**keys, expect="[N, T // 4 + 1, 7]"), x="[N, T]")
    np.testing.assert_allclose(values(open_size, x=SOUND)["y"], expected, rtol=1e-9, atol=1e-9)


def test_channels_stay_last() -> None:
    x = RNG.normal(size=(2, 30, 3))
    text = spec(layer(frame_length=8, hop_length=4, expect="[N, T // 4 + 1, 5, 3]"), x="[N, T, 3]")
    found = values(text, x=x)["y"]
    for channel in range(3):
        expected = np.abs(transforms(x[:, :, channel], 8, 4, 8)) ** 2
        np.testing.assert_allclose(found[..., channel], expected, rtol=1e-9, atol=1e-9)


def test_single_precision() -> None:
    x = RNG.normal(size=(2, 1600)).astype(np.float32)
    text = spec(layer(frame_length=400, hop_length=160, fft_length=512), x="[N, T] float32")
    found = values(text, x=x)["y"]
    expected = np.abs(transforms(x.astype(np.float64), 400, 160, 512)) ** 2
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-4 * expected.max())


@pytest.mark.parametrize(
    ("frame", "points", "padding"), [(6, 6, "center"), (5, 7, "center"), (6, 6, "valid")]
)
def test_frames_of_a_sequence_are_those_it_has_alone(frame: int, points: int, padding: str) -> None:
    lengths = np.array([0, 1, 5, 6, 20, 61])
    x = RNG.normal(size=(len(lengths), 61))
    spectrum = layer(frame_length=frame, hop_length=3, fft_length=points, padding=padding)
    total = "{name: m, type: global_mean_pool, inputs: [y]}"
    text = f"""
dims: {{N: batch, T: {{role: time, min: 10}}}}
inputs:
  x: {{shape: [N, T], dtype: float64, lengths: n}}
  n: {{shape: [N], dtype: int64}}
layers: {spectrum[:-1]}, {total}]
outputs: {{y: y, mean: m}}
"""
    found = values(text, x=x, n=lengths)
    for own, row, mean, length in zip(x, found["y"], found["mean"], lengths, strict=True):
        fits = length and length + (0 if padding == "valid" else points // 2 * 2) >= points
        if not fits:
            np.testing.assert_array_equal(mean, 0)
            continue
        alone = np.abs(transforms(own[None, :length], frame, 3, points, padding=padding))[0] ** 2
        np.testing.assert_allclose(row[: len(alone)], alone, rtol=1e-9, atol=1e-9)
        np.testing.assert_allclose(mean, alone.mean(0), rtol=1e-9, atol=1e-9)


# Bands.

# The example of librosa.mel_frequencies(n_mels=40), in its documentation: Slaney's scale up to 11025 Hz.
LIBROSA = """0 85.317 170.635 255.952 341.269 426.586 511.904 597.221 682.538 767.855 853.173 938.49 1024.856 1119.114
1222.042 1334.436 1457.167 1591.187 1737.532 1897.337 2071.84 2262.393 2470.47 2697.686 2945.799 3216.731 3512.582
3835.643 4188.417 4573.636 4994.285 5453.621 5955.205 6502.92 7101.009 7754.107 8467.272 9246.028 10096.408 11025"""


def bands(**keys: object) -> NDArray:
    sizes = {"frame_length": 4096, "hop_length": 512, "sample_rate": 22050}
    return mel_bands(MelSpectrogram.model_validate({"name": "y", **sizes, **keys}))


def triangles(edges: NDArray, frequencies: NDArray) -> NDArray:
    """The bands by their definition, one number at a time."""
    found = np.zeros((len(frequencies), len(edges) - 2))
    for i, f in enumerate(frequencies):
        for m, (low, middle, high) in enumerate(zip(edges, edges[1:], edges[2:], strict=False)):
            if low < f <= middle:
                found[i, m] = (f - low) / (middle - low)
            elif middle < f < high:
                found[i, m] = (high - f) / (high - middle)
    return found


def test_slaney_bands_stand_where_librosa_says() -> None:
    edges = np.array(LIBROSA.split(), float)
    frequencies = np.fft.rfftfreq(4096, 1 / 22050)
    expected = triangles(edges, frequencies)
    np.testing.assert_allclose(bands(mels=38, mel_scale="slaney"), expected, atol=2e-5)
    areas = 2 / (edges[2:] - edges[:-2])
    found = bands(mels=38, mel_scale="slaney", norm="slaney")
    np.testing.assert_allclose(found, expected * areas, atol=2e-5 * areas.max())


def test_htk_bands_lie_evenly_on_their_scale() -> None:
    low, high = (2595 * np.log10(1 + f / 700) for f in (100, 8000))
    edges = 700 * (10 ** (np.linspace(low, high, 12) / 2595) - 1)
    expected = triangles(edges, np.fft.rfftfreq(4096, 1 / 22050))
    np.testing.assert_allclose(bands(mels=10, low_frequency=100, high_frequency=8000), expected, atol=1e-12)


@pytest.mark.parametrize(
    ("log", "scale"), [("natural", 1), ("log10", 1 / np.log(10)), ("db", 10 / np.log(10))]
)
@pytest.mark.parametrize("power", [1, 2])
def test_logarithms(log: str, scale: float, power: int) -> None:
    keys = {"frame_length": 32, "hop_length": 8, "sample_rate": 1000, "mels": 5, "power": power}
    matrix = bands(**{**keys, "frame_length": 32})
    expected = np.abs(transforms(SOUND, 32, 8, 32)) ** power @ matrix
    found = values(spec(layer("mel_spectrogram", **keys), x="[N, T]"), x=SOUND)["y"]
    np.testing.assert_allclose(found, expected, rtol=1e-9)
    found = values(spec(layer("log_mel", **keys, log=log, floor=0.5), x="[N, T]"), x=SOUND)["y"]
    scale *= 2 / power if log == "db" else 1
    np.testing.assert_allclose(found, scale * np.log(np.maximum(expected, 0.5)), rtol=1e-9, atol=1e-9)


def test_cepstral_coefficients() -> None:
    keys = {"frame_length": 32, "hop_length": 8, "sample_rate": 1000, "mels": 5}
    bands = values(spec(layer("log_mel", **keys), x="[N, T]"), x=SOUND)["y"]
    found = values(spec(layer("mfcc", **keys, coefficients=3), x="[N, T]"), x=SOUND)["y"]
    doubled = np.fft.fft(np.concatenate([bands, bands[..., ::-1]], -1))[..., :3]  # the DCT-II by an FFT
    turned = (doubled * np.exp(-0.5j * np.pi * np.arange(3) / 5)).real / 2
    np.testing.assert_allclose(found, turned * np.sqrt(np.array([1, 2, 2]) / 5), rtol=1e-9, atol=1e-9)
    whole = cosine_transform(5, 5)
    np.testing.assert_allclose(whole.T @ whole, np.eye(5), atol=1e-12)


def test_hann_by_hand() -> None:
    np.testing.assert_allclose(window("hann", 4), [0, 0.5, 1, 0.5], atol=1e-15)
    np.testing.assert_allclose(window("hamming", 4), [0.08, 0.54, 1, 0.54], atol=1e-15)


# Gradients.


@pytest.mark.parametrize(
    "text",
    [
        layer(frame_length=6, hop_length=3),
        layer(frame_length=6, hop_length=4, fft_length=9, power=1, padding="reflect"),
        layer("log_mel", frame_length=8, hop_length=3, sample_rate=100, mels=3, padding="causal"),
        layer("mfcc", frame_length=8, hop_length=3, sample_rate=100, mels=3, coefficients=2),
    ],
)
def test_gradients(text: str) -> None:
    check_gradients(spec(text, x="[N, 13]"), x=SOUND[:, :13], tolerance=1e-5)


def test_silence_has_the_gradient_0() -> None:
    silence = {"x": np.zeros((1, 12))}
    kinds = [layer(frame_length=4, hop_length=2, power=1)]
    kinds += [layer("log_mel", frame_length=4, hop_length=2, sample_rate=8, mels=2, power=1)]
    for text in kinds:
        # Central differences of |X| around 0 are 0, too: the same on both sides.
        check_gradients(spec(text, x="[N, 12]"), **silence)


# Messages.

WRONG = [
    ({"frame_length": 8, "hop_length": 4, "fft_length": 7}, "[N, 61]", "NW0212", "less than the frame's"),
    ({"frame_length": 8, "hop_length": 4, "padding": "valid"}, "[N, T]", "NW0304", "may be more than"),
    ({"frame_length": 8, "hop_length": 4, "padding": "valid"}, "[N, 7]", "NW0304", "are more than"),
    ({"frame_length": 16, "hop_length": 4, "padding": "reflect"}, "[N, T]", "NW0304", "needs 9 cells"),
    ({"frame_length": 8, "hop_length": 4}, "[N, T] int32", "NW0311", "reads floats"),
    ({"frame_length": 8, "hop_length": 4}, "[N, 4, 4, 1]", "NW0309", "reads samples"),
]


@pytest.mark.parametrize(("keys", "shape", "code", "words"), WRONG)
def test_errors(keys: dict[str, object], shape: str, code: str, words: str) -> None:
    (problem,) = diagnosed(spec(layer(**keys), x=shape))
    text = f"{problem.message} {problem.label}"
    assert problem.code == code
    assert words in text


def test_errors_of_bands() -> None:
    sizes = {"frame_length": 32, "hop_length": 8, "sample_rate": 1000}
    for keys, words in [
        ({"mels": 4, "high_frequency": 501}, "up to 500 Hz"),
        ({"mels": 4, "low_frequency": 500}, "begin at 500 Hz and end at 500 Hz"),
    ]:
        (problem,) = diagnosed(spec(layer("mel_spectrogram", **sizes, **keys), x="[N, T]"))
        assert words in problem.message
    (problem,) = diagnosed(spec(layer("mfcc", **sizes, mels=4, coefficients=5), x="[N, T]"))
    assert "5 coefficients of 4 bands" in problem.message


def test_lengths_can_not_be_mirrored() -> None:
    text = f"""
dims: {{N: batch, T: {{role: time, min: 10}}}}
inputs: {{x: {{shape: [N, T], lengths: n}}, n: {{shape: [N], dtype: int64}}}}
layers: {layer(frame_length=8, hop_length=2, padding="reflect")}
outputs: {{y: y}}
"""
    assert codes(text) == ["NW0315"]


def test_empty_bands_are_told() -> None:
    keys = {"frame_length": 16, "hop_length": 8, "sample_rate": 16000, "mels": 40}
    (warning,) = diagnosed(spec(layer("log_mel", **keys), x="[N, T]"))
    assert warning.code == "NW0611"
    assert "of 40 bands" in warning.message
    assert codes(spec(layer("log_mel", **{**keys, "mels": 3}), x="[N, T]")) == []
