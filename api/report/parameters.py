"""The report's sections on weights: how they are spread before and after training, and filters as pictures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from netwright.compiler.frontend.network import Network, Parameter
from netwright.specs.load import LoadResult
from netwright.specs.models.layers.base import LayerSpec
from netwright.specs.models.layers.conv import Convolution

from ..describe import count_text, shape_text
from ..inspection.activity import Activity, histogram
from ..markup import escape
from ..weights.network import weights_or_first
from .charts import Chart, ChartSheet, Line
from .png import data_address

#: So many parameters have a histogram, so many layers have pictures of filters, so many of each are shown.
_MOST_CHARTS, _MOST_LAYERS, _MOST_FILTERS = 48, 24, 64


def weight_section(network: Network, weights: Mapping[str, NDArray], sheet: ChartSheet) -> str:
    """Histograms of the trained parameters, of ``weights`` and of those that training begins with."""
    first = weights_or_first(network)
    trained = [
        name for name, parameter in network.parameters.items() if parameter.trained and weights[name].size > 1
    ]
    charts = [_weight_chart(name, first[name], weights[name]) for name in trained[:_MOST_CHARTS]]
    if not charts:
        return ""
    more = len(trained) - len(charts)
    left = f'<p class="quiet">… and {escape(count_text(more, "parameter"))} more</p>' if more else ""
    return (
        '<section id="the-weights"><h2>Weights</h2><p class="quiet">How often the numbers of each parameter lie where: '
        '<span class="key train">before training</span> <span class="key valid">after it</span></p>'
        f"{sheet.row(charts)}{left}</section>"
    )


def _weight_chart(name: str, first: NDArray, trained: NDArray) -> Chart:
    before, after = histogram(first, trained)
    lines = [
        Line("before", *before.points, "train"),
        Line("after", *after.points, "valid"),
    ]
    return Chart(
        name, lines, "value", f"{shape_text(trained.shape)} · σ {trained.std():.3g}", kind="histogram"
    )


def activity_section(activities: Sequence[Activity], samples: int, source: str, sheet: ChartSheet) -> str:
    """Histograms of the values of layers."""
    charts = [
        Chart(
            activity.layer,
            [Line("values", *activity.histogram.points)],
            "value",
            _said(activity),
            kind="histogram",
        )
        for activity in activities[:_MOST_CHARTS]
    ]
    if not charts:
        return ""
    return (
        '<section id="the-activity"><h2>Activity</h2><p class="quiet">The values of layers in prediction, for '
        f"{escape(count_text(samples, 'sample'))} of {escape(source)}</p>{sheet.row(charts)}</section>"
    )


def _said(activity: Activity) -> str:
    parts = [f"{activity.mean:.3g} ± {activity.deviation:.3g}"]
    parts += [f"{activity.zeros:.0%} are 0"] if activity.zeros >= 0.005 else []
    parts += [f"{activity.silent} of {count_text(activity.units, 'unit')} silent"] if activity.silent else []
    return " · ".join(parts)


def filter_section(load: LoadResult, network: Network, weights: Mapping[str, NDArray]) -> str:
    """Pictures of the kernels of convolutions."""
    assert load.model is not None
    rows = []
    for layer in load.model.layers:
        kernel = network.parameters.get(f"{layer.name}.kernel")
        if isinstance(layer, Convolution) and kernel is not None and len(rows) < _MOST_LAYERS:
            rows.append(_filters(layer, kernel, weights[f"{layer.name}.kernel"]))
    if not any(rows):
        return ""
    return (
        '<section id="the-filters"><h2>Filters</h2><p class="quiet">The kernels of convolutions: red is below 0, blue '
        "above it, as strong as the largest number of the layer. Filters of more than one or three channels show the "
        f"mean over their channels.</p>{''.join(rows)}</section>"
    )


def _filters(layer: LayerSpec, parameter: Parameter, kernel: NDArray) -> str:
    """The filters of a layer, whose kernel is ``[sizes…, channels, filters]``, as one picture."""
    if kernel.ndim not in (3, 4) or not np.isfinite(kernel).all():
        return ""
    pictures = _pictures(kernel)
    if max(pictures.shape[1:3]) < 2:
        return ""
    shown = pictures[:_MOST_FILTERS]
    image = _montage(shown)
    more = f", {len(shown)} of them" if len(shown) < len(pictures) else ""
    scale = max(1, min(14, 640 // max(image.shape[1], 1)))
    said = f"{count_text(len(pictures), 'filter')} {shape_text(kernel.shape[:-2])}{more}"
    return (
        f'<figure class="filters"><figcaption>{escape(layer.name)} <span class="quiet">{escape(said)}</span>'
        f'</figcaption><img src="{data_address(image)}" width="{image.shape[1] * scale}" alt="{escape(said)}"></figure>'
    )


def _pictures(kernel: NDArray) -> NDArray[np.uint8]:
    """Each filter as pixels ``[filters, rows, columns, 3]``: colours of three channels as they are, others by sign."""
    flat = kernel.astype(np.float64)
    if flat.ndim == 3:  # of one axis: a row per filter
        flat = flat[None]
    most = float(np.abs(flat).max()) or 1.0
    if flat.shape[2] == 3:
        share = 0.5 + 0.5 * flat / most
        return (share * 255).round().astype(np.uint8).transpose(3, 0, 1, 2)
    values = flat.mean(2)
    share = values / (float(np.abs(values).max()) or 1.0)
    return _signed(share).transpose(2, 0, 1, 3)


def _signed(share: NDArray[np.float64]) -> NDArray[np.uint8]:
    """Numbers from −1 to 1 as red, white and blue."""
    negative, positive = np.array([178, 24, 43]), np.array([33, 88, 181])
    towards = np.where(share[..., None] < 0, negative, positive)
    return (255 + (towards - 255) * np.abs(share)[..., None]).round().astype(np.uint8)


def _montage(pictures: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Pictures side by side, in rows, with a grey pixel between them."""
    count, height, width, channels = pictures.shape
    columns = min(count, max(1, 64 // (width + 1), round((count * (height + 1) / (width + 1)) ** 0.5)))
    rows = -(-count // columns)
    image = np.full((rows * (height + 1) + 1, columns * (width + 1) + 1, channels), 128, np.uint8)
    for number, picture in enumerate(pictures):
        top, left = number // columns * (height + 1) + 1, number % columns * (width + 1) + 1
        image[top : top + height, left : left + width] = picture
    return image
