"""Pictures of samples: images, waveforms, heat maps of features over time, and tokens with their numbers."""

from __future__ import annotations

from dataclasses import dataclass
from math import prod
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from netwright.runtime.arrays.binding import parse_shape
from netwright.runtime.data.summary import ArraySummary
from netwright.runtime.data.vocabulary import Vocabulary
from netwright.specs.manifest import BufferInfo

from ..markup import escape
from .png import data_address

#: The most pixels of an image's side, columns of a waveform, tokens of a text and numbers of a vector that are shown.
_SIDE, _COLUMNS, _TOKENS, _NUMBERS = 224, 320, 48, 8
_HEIGHT = 72

Kind = Literal["image", "wave", "map", "tokens", "numbers"]


@dataclass(frozen=True)
class Shown:
    """An input whose samples are shown: as what, and the range of its values in the whole set."""

    name: str
    kind: Kind
    low: float
    high: float
    vocabulary: Vocabulary | None = None


def shown_input(info: BufferInfo, summary: ArraySummary, vocabulary: Vocabulary | None) -> Shown:
    """How the samples of an input are shown, by its shape and type."""
    low, high = float(summary.least or 0), float(summary.greatest or 0)
    kind = _kind(info, summary.shape)
    if kind == "image":
        low = min(low, 0.0)
        high = 255.0 if summary.dtype == "uint8" and high > 64 else high
    return Shown(info.name, kind, low, high if high > low else low + 1, vocabulary)


def _kind(info: BufferInfo, shape: tuple[int, ...]) -> Kind:
    sizes = parse_shape(info)[1:]
    if len(shape) == 1 and info.dtype in ("int32", "int64"):
        return "tokens"
    if len(shape) == 3 and shape[2] in (1, 3, 4):
        return "image"
    if len(shape) == 2 and shape[1] > 1:
        return "map" if not isinstance(sizes[0], int) else "image"
    if len(shape) in (1, 2) and prod(shape) > _NUMBERS:
        return "wave"
    return "numbers"


def sample_picture(shown: Shown, sample: NDArray, length: int | None) -> str:
    """The picture of a sample as HTML. Of a sequence, ``length`` steps count."""
    if length is not None:
        sample = sample[:length]
    if not sample.size:
        return '<p class="quiet">empty</p>'
    if shown.kind == "tokens":
        return _tokens(sample, shown.vocabulary)
    if shown.kind == "wave":
        return _wave(sample.reshape(-1), shown)
    if shown.kind == "numbers":
        numbers = ", ".join(f"{value:.4g}" for value in sample.reshape(-1)[:_NUMBERS].tolist())
        return f"<p>{numbers}{', …' if sample.size > _NUMBERS else ''}</p>"
    if shown.kind == "map":
        sample = sample.T[::-1]  # time from left to right, the first feature at the bottom
    return _image(sample if sample.ndim == 3 else sample[:, :, None], shown)


def _image(sample: NDArray, shown: Shown) -> str:
    rows, columns = sample.shape[:2]
    step = max(1, -(-max(rows, columns) // _SIDE))
    values = sample[::step, ::step].astype(np.float64)
    share = np.nan_to_num((values - shown.low) / (shown.high - shown.low), posinf=1, neginf=0)
    pixels = (np.clip(share, 0, 1) * 255).round().astype(np.uint8)
    return f'<img class="{shown.kind}" src="{data_address(pixels)}" alt="{rows} × {columns}">'


def _wave(sample: NDArray, shown: Shown) -> str:
    """The least and greatest value in each column, so that a long signal shows its peaks."""
    values = np.nan_to_num(sample.astype(np.float64), posinf=shown.high, neginf=shown.low)
    cuts = np.linspace(0, len(values), min(len(values), _COLUMNS) + 1).astype(np.int64)[:-1]
    scale = _HEIGHT / (shown.high - shown.low)
    tops = (shown.high - np.maximum.reduceat(values, cuts)) * scale
    ends = (shown.high - np.minimum.reduceat(values, cuts)) * scale
    if len(values) <= _COLUMNS:
        points = " ".join(f"{i},{y:.1f}" for i, y in enumerate(tops.tolist()))
    else:
        there = [f"{i},{y:.1f}" for i, y in enumerate(tops.tolist())]
        points = " ".join([*there, *(f"{i},{y:.1f}" for i, y in reversed(list(enumerate(ends.tolist()))))])
    kind = "line" if len(values) <= _COLUMNS else "area"
    zero = min(max(shown.high * scale, 0), _HEIGHT)
    return (
        f'<svg class="wave" viewBox="0 0 {max(len(cuts) - 1, 1)} {_HEIGHT}" preserveAspectRatio="none" role="img" '
        f'aria-label="{len(values):,} steps"><line class="grid" x1="0" x2="{len(cuts)}" y1="{zero:.1f}" '
        f'y2="{zero:.1f}"/><polyline class="{kind}" points="{points}"/></svg>'
    )


def _tokens(sample: NDArray, vocabulary: Vocabulary | None) -> str:
    spans = [_token(number, vocabulary) for number in sample[:_TOKENS].tolist()]
    more = f'<span class="quiet">… {len(sample):,} tokens</span>' if len(sample) > _TOKENS else ""
    return f'<p class="tokens">{"".join(spans)}{more}</p>'


def _token(number: int, vocabulary: Vocabulary | None) -> str:
    if vocabulary is None or not 0 <= number < len(vocabulary):
        return f"<span>{number}</span>"
    text = vocabulary.entries[number]
    special = ' class="special"' if text in (vocabulary.padding, vocabulary.unknown) else ""
    text = {" ": "␣", "\n": "⏎", "\t": "⇥"}.get(text, text)
    return f"<span{special}>{escape(text)}<i>{number}</i></span>"
