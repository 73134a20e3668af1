"""The page about data sets: what is in them, and a sheet of samples. Nothing on it is loaded from elsewhere."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from netwright.runtime.augmentation import Augmenter
from netwright.runtime.data.samples import Samples
from netwright.runtime.data.summary import ArraySummary, SetSummary
from netwright.specs.manifest import BufferInfo

from ..data.needs import expected_arrays
from ..data.words import number_text, vocabulary_text
from ..describe import count_text, shape_text
from ..markup import escape
from ..model import Model
from ..version import VERSION
from .sample_pictures import Shown, sample_picture, shown_input
from .template import file_text, whole_page

#: How many samples of a set are shown, and how many classes are counted in bars.
_SAMPLES, _CLASSES = 24, 40


@dataclass(frozen=True)
class ShownSet:
    """A data set with what was found out about it."""

    samples: Samples
    summary: SetSummary
    problems: Sequence[str] = ()


def data_report(model: Model, sets: Mapping[str, ShownSet]) -> str:
    """The page as HTML. Reads some samples of each set. Raises DataError."""
    totals = "".join(
        f"<div><dt>{escape(name)}</dt><dd>{escape(count_text(shown.summary.samples, 'sample'))}</dd></div>"
        for name, shown in sets.items()
    )
    values = {
        "title": escape(f"{model.name}: data"),
        "totals": totals,
        "sets": "".join(_section(model, name, shown) for name, shown in sets.items()),
        "footer": escape(f"netwright {VERSION} · {model.load.file}"),
        "style": file_text("page.css") + file_text("data.css"),
    }
    return whole_page("data.html", values, policy="img-src data:")


def _section(model: Model, name: str, shown: ShownSet) -> str:
    summary = shown.summary
    problems = "".join(f'<li class="problem">{escape(problem)}</li>' for problem in shown.problems)
    return (
        f'<section><h2>{escape(name)}</h2><p class="quiet">{escape(count_text(summary.samples, "sample"))} of '
        f"{escape(summary.source)}</p>{f'<ul>{problems}</ul>' if problems else ''}{_table(summary)}{_texts(summary)}"
        f"{''.join(_classes(summary, array) for array in summary.arrays)}{_sheet(model, name, shown)}</section>"
    )


def _table(summary: SetSummary) -> str:
    rows = "".join(
        f'<tr><th scope="row">{escape(array.name)}</th><td>{array.dtype}</td><td>{shape_text(array.shape)}</td>'
        f"<td>{number_text(array.least)}</td><td>{number_text(array.greatest)}</td><td>{array.nans:,}</td>"
        f"<td>{array.infinities:,}</td></tr>"
        for array in summary.arrays
    )
    titles = "".join(
        f"<th>{title}</th>"
        for title in ("array", "type", "sample", "least", "greatest", "not a number", "infinite")
    )
    return f'<div class="wide"><table><thead><tr>{titles}</tr></thead><tbody>{rows}</tbody></table></div>'


def _texts(summary: SetSummary) -> str:
    return "".join(f"<p>{escape(vocabulary_text(*text))}</p>" for text in summary.texts.items())


def _classes(summary: SetSummary, array: ArraySummary) -> str:
    counts = summary.class_counts(array)
    if not counts:
        return ""
    most = max(1, *counts.values())
    bars = "".join(
        f'<div><dt>{escape(name)}</dt><dd><b style="--share: {count / most:.3f}"></b>{count:,}</dd></div>'
        for name, count in list(counts.items())[:_CLASSES]
    )
    more = f'<p class="quiet">… {len(counts):,} classes</p>' if len(counts) > _CLASSES else ""
    return f'<h3>{escape(array.name)}</h3><dl class="bars">{bars}</dl>{more}'


def _sheet(model: Model, name: str, shown: ShownSet) -> str:
    """Some samples, as many of each class as of any other, beside what augmentation makes of them in the first epoch.
    Of data that don't fit the model, all steps are shown as they are.
    """
    samples, summary = shown.samples, shown.summary
    spec = model.spec
    infos = {info.name: info for info in expected_arrays(model.network) if info.name in samples.headers}
    lengths = {name: input.lengths for name, input in spec.inputs.items() if input.lengths in infos}
    lengths = {} if shown.problems else lengths
    summaries = {array.name: array for array in summary.arrays}
    inputs = [
        shown_input(infos[name], summaries[name], samples.vocabularies.get(name))
        for name in spec.inputs
        if name in infos and len(samples.headers[name].shape) > 1
    ]
    rows = _chosen(samples, summary)
    arrays = samples.read(rows, infos)
    varied: dict[str, NDArray] = {}
    if name == "train" and spec.train is not None and spec.train.augment and not shown.problems:
        infos_varied = [infos[name] for name in spec.train.augment if name in infos]
        augment = {info.name: spec.train.augment[info.name] for info in infos_varied}
        augmenter = Augmenter(augment, spec.train.seed, infos_varied, lengths, samples.headers)
        varied = augmenter.apply(arrays, rows, 0)
    figures = []
    for i, row in enumerate(rows.tolist()):
        pictures = []
        for input in inputs:
            length = int(arrays[lengths[input.name]][i]) if input.name in lengths else None
            versions = [version for version in (arrays, varied) if input.name in version]
            pictures += [sample_picture(input, version[input.name][i], length) for version in versions]
        labels = _labels(summary, arrays, inputs, infos, i)
        figures.append(
            f"<figure>{''.join(pictures)}<figcaption>{escape(samples.place(row))}"
            f"{f' · <b>{escape(labels)}</b>' if labels else ''}</figcaption></figure>"
        )
    wide = any(input.kind in ("tokens", "wave", "map") for input in inputs)
    note = '<p class="quiet">the second picture of each: as varied in the first epoch</p>' if varied else ""
    return f'<h3>Samples</h3>{note}<div class="sheet{" lines" if wide else ""}">{"".join(figures)}</div>'


def _chosen(samples: Samples, summary: SetSummary) -> NDArray[np.int64]:
    """The rows of samples from the whole set, or of as many from the whole of each class."""
    count = min(_SAMPLES, len(samples))
    target = next((array for array in summary.arrays if array.counts is not None and array.shape == ()), None)
    if target is None:
        return np.unique(np.linspace(0, len(samples) - 1, count).astype(np.int64))
    labels = np.concatenate([arrays[target.name] for _, arrays in samples.pieces([target.name])])
    members = [np.flatnonzero(labels == label) for label in np.unique(labels)[:count]]
    each = count // len(members)
    spread = [rows[np.unique(np.linspace(0, len(rows) - 1, each).astype(np.int64))] for rows in members]
    return np.concatenate(spread)


def _labels(
    summary: SetSummary,
    arrays: Mapping[str, NDArray],
    inputs: Sequence[Shown],
    infos: Mapping[str, BufferInfo],
    i: int,
) -> str:
    """The classes and single numbers of a sample."""
    pictured = {input.name for input in inputs}
    labels = []
    for name in infos:
        value = arrays[name][i]
        if name in pictured or value.size != 1:
            continue
        number = value.reshape(()).item()
        names = summary.classes.get(name, ())
        known = isinstance(number, int) and 0 <= number < len(names)
        labels.append(names[number] if known else f"{name} {number_text(number)}")
    return ", ".join(labels)
