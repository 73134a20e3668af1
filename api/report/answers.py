"""The report's sections on what a network answers: confusion matrices, scores per class, and the worst samples."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from netwright.runtime.data.samples import Samples
from netwright.runtime.data.summary import ArraySummary
from netwright.specs.manifest import BufferInfo

from ..data.needs import expected_arrays
from ..describe import count_text
from ..evaluation.class_scores import ClassScores
from ..evaluation.worst import WorstSample
from ..markup import escape
from ..model import Model
from .examination import Examination
from .png import data_address
from .sample_pictures import sample_picture, shown_input

#: A matrix of so many classes is a table; a larger one is a picture. So many pairs of classes are listed.
_MOST_CELLS, _MOST_PAIRS = 30, 12


def class_section(scores: Sequence[ClassScores], source: str) -> str:
    """Confusion matrices, the pairs of classes that are taken for each other most, and the scores of each class."""
    return "".join(_classes(score, source) for score in scores)


def _classes(scores: ClassScores, source: str) -> str:
    confusion = scores.confusion
    matrix = "" if confusion is None else _matrix(scores, confusion) + _pairs(scores, confusion)
    rows = "".join(
        f'<tr><th scope="row">{escape(name)}</th>'
        + "".join(f"<td>{number:.3f}</td>" for number in numbers[:3])
        + f"<td>{numbers[3]:,}</td></tr>"
        for name, *numbers in zip(
            scores.names,
            scores.precision.tolist(),
            scores.recall.tolist(),
            scores.f1.tolist(),
            scores.meant.tolist(),
            strict=True,
        )
    )
    table = (
        '<div class="wide"><table class="numbers"><thead><tr><th></th><th>precision</th><th>recall</th><th>F1</th>'
        f"<th>support</th></tr></thead><tbody>{rows}</tbody></table></div>"
    )
    return (
        f'<section class="classes" id="the-classes-of-{escape(scores.output)}"><h2>Classes of {escape(scores.output)}'
        f'</h2><p class="quiet">Counted on {escape(source)}: the targets are the rows, the answers the columns.</p>'
        f"{matrix}<details><summary>precision, recall and F1 of each class</summary>{table}</details></section>"
    )


def _matrix(scores: ClassScores, confusion: NDArray[np.int64]) -> str:
    share = confusion / np.maximum(confusion.sum(1, keepdims=True), 1)
    if len(scores.names) > _MOST_CELLS:
        grey = (255 - 255 * np.sqrt(share)).round().astype(np.uint8)
        return (
            f'<img class="matrix" src="{data_address(grey[:, :, None])}" '
            f'alt="the confusion matrix of {len(scores.names):,} classes">'
        )
    head = "".join(f"<th><span>{escape(name)}</span></th>" for name in scores.names)
    rows = []
    for i, name in enumerate(scores.names):
        cells = "".join(
            f'<td class="{"right" if i == j else "wrong"}" style="--share:{share[i, j]:.3f}" title="{escape(name)} '
            f'answered as {escape(scores.names[j])}: {count:,}, {share[i, j]:.1%}">{f"{count:,}" if count else ""}</td>'
            for j, count in enumerate(confusion[i].tolist())
        )
        rows.append(f'<tr><th scope="row">{escape(name)}</th>{cells}</tr>')
    return (
        f'<div class="wide"><table class="matrix"><thead><tr><th></th>{head}</tr></thead><tbody>{"".join(rows)}</tbody>'
        "</table></div>"
    )


def _pairs(scores: ClassScores, confusion: NDArray[np.int64]) -> str:
    wrong = confusion.copy()
    np.fill_diagonal(wrong, 0)
    order = np.argsort(wrong, axis=None, kind="stable")[::-1][:_MOST_PAIRS]
    pairs = [(divmod(int(place), len(wrong)), int(wrong.flat[place])) for place in order]
    items = "".join(
        f"<li>{escape(scores.names[i])} answered as {escape(scores.names[j])}: {count:,}</li>"
        for (i, j), count in pairs
        if count
    )
    return f'<h3>Taken for another most often</h3><ol class="pairs">{items}</ol>' if items else ""


def worst_section(model: Model, examination: Examination) -> str:
    """The samples with the largest losses, as pictures with what was meant and answered."""
    data, worst, looked_at = examination.data, examination.worst, examination.looked_at
    if not worst:
        return ""
    infos = {info.name: info for info in expected_arrays(model.network)}
    inputs = [
        infos[name]
        for name in model.network.inputs
        if name in data.headers and len(data.headers[name].shape) > 1
    ]
    rows = np.array([sample.sample for sample in worst])
    arrays = data.read(rows, [*(info.name for info in inputs), *_lengths(model, data).values()])
    lengths = {name: arrays[of] for name, of in _lengths(model, data).items()}
    figures = [_sample(data, inputs, arrays, lengths, number, sample) for number, sample in enumerate(worst)]
    wide = any("<img" not in figure or "map" in figure for figure in figures)
    of = f"the first {looked_at:,} samples" if looked_at < len(data) else count_text(len(data), "sample")
    sheet = f'<div class="sheet{" lines" if wide else ""}">{"".join(figures)}</div>'
    return (
        '<section id="the-worst"><h2>Worst samples</h2><p class="quiet">Those with the largest loss of '
        f"{escape(of)} of {escape(examination.source)}.</p>{sheet}</section>"
    )


def _lengths(model: Model, data: Samples) -> dict[str, str]:
    """The arrays that hold the lengths of the inputs' sequences."""
    return {
        name: input.lengths
        for name, input in model.spec.inputs.items()
        if input.lengths in data.headers and input.lengths
    }


def _sample(
    data: Samples,
    inputs: Sequence[BufferInfo],
    arrays: Mapping[str, NDArray],
    lengths: Mapping[str, NDArray],
    number: int,
    sample: WorstSample,
) -> str:
    pictures = []
    for info in inputs:
        values = arrays[info.name]
        summary = ArraySummary(info.name, values.dtype.name, values.shape[1:])
        summary.add(values)
        shown = shown_input(info, summary, data.vocabularies.get(info.name))
        length = int(lengths[info.name][number]) if info.name in lengths else None
        pictures.append(sample_picture(shown, values[number], length))
    meant = [(name, cell) for name, cell in sample.targets if data.headers[name].dtype != bool]  # no masks
    said = [("meant", meant), ("answered", sample.answers)]
    words = "<br>".join(
        f"{word} <b>{escape(', '.join(_short(cell) for _, cell in cells))}</b>"
        for word, cells in said
        if cells
    )
    return (
        f"<figure>{''.join(pictures)}<figcaption>{escape(sample.place)} · loss {sample.loss:.4g}<br>{words}"
        "</figcaption></figure>"
    )


def _short(text: str) -> str:
    return text if len(text) <= 60 else f"{text[:59]}…"
