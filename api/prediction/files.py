"""Predictions as JSON lines, as a CSV file and as arrays."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import IO

import numpy as np
from numpy.typing import NDArray

from netwright.runtime.files.npz import write_npz
from netwright.specs.files import write_file

from ..errors import RequestError
from .predictor import Prediction
from .samples import PlaceColumns, Shown


def json_lines(shown: Shown, prediction: Prediction) -> Iterator[str]:
    """An object per sample: its file and place, or the text that was given, and its `outputs` by name."""
    for row, values in enumerate(shown.values(prediction)):
        place = prediction.places[row]
        sample = {"file": place.file, **({place.kind: place.number} if place.kind else {})}
        answers = zip(shown.answers, values, strict=True)
        outputs = {answer.output: answer.to_json(value) for answer, value in answers}
        about = sample if place.file else {"text": prediction.texts[row]}
        yield _bytes(json.dumps({**about, "outputs": outputs}, ensure_ascii=False)).decode()


def write_json_lines(path: Path, shown: Shown, predictions: Iterable[Prediction]) -> None:
    """Writes an object per sample, all or nothing. Raises what making the predictions raises, and OSError."""

    def write(file: IO[bytes]) -> None:
        for prediction in predictions:
            file.writelines(f"{line}\n".encode() for line in json_lines(shown, prediction))

    write_file(path, write)


def write_csv(path: Path, shown: Shown, predictions: Iterable[Prediction]) -> None:
    """Writes a header and a row per sample, all or nothing. Raises as ``write_json_lines`` does, and RequestError for
    values that are too large for a cell.
    """

    def write(file: IO[bytes]) -> None:
        text = io.StringIO(newline="")
        rows, places = csv.writer(text, lineterminator="\n"), None
        for prediction in predictions:
            texts = [[] if place.file else [prediction.texts[i]] for i, place in enumerate(prediction.places)]
            if places is None:
                places = PlaceColumns(prediction.places[0])
                columns = (name for answer in shown.answers for name in answer.columns)
                rows.writerow([*places.names, *(["text"] if texts[0] else []), *columns])
            for row, values in enumerate(shown.values(prediction)):
                fields = (answer.fields(value) for answer, value in zip(shown.answers, values, strict=True))
                about = [*places.cells(prediction.places[row]), *texts[row]]
                rows.writerow([*about, *(field for some in fields for field in some)])
            file.write(_bytes(text.getvalue()))
            text.seek(0)
            text.truncate()

    write_file(path, write)


def write_arrays(path: Path, shown: Shown, predictions: Iterable[Prediction]) -> dict[str, NDArray]:
    """Writes all outputs of all samples, and what answers make of them, to a .npz file. Returns the arrays. Shorter
    sequences end in zeros. Raises as ``write_json_lines`` does, and RequestError for outputs of different shapes.
    """
    parts: dict[str, list[NDArray]] = {}
    for prediction in predictions:
        for name, array in shown.arrays(prediction).items():
            parts.setdefault(name, []).append(array)
    arrays = {name: _joined(name, some, shown) for name, some in parts.items()}
    write_npz(path, arrays)
    return arrays


def _bytes(text: str) -> bytes:
    """Text in UTF-8; names of files may hold bytes that are no characters, in whose place are question marks."""
    return text.encode(errors="replace")


def _joined(name: str, parts: list[NDArray], shown: Shown) -> NDArray:
    shapes = {part.shape[1:] for part in parts}
    if len(shapes) == 1:
        return np.concatenate(parts)
    longest = tuple(max(sizes) for sizes in zip(*shapes, strict=True))
    if name.partition(".")[0] not in shown.steps or len({shape[1:] for shape in shapes}) > 1:
        shapes_text = ", ".join(str(list(shape)) for shape in sorted(shapes)[:4])
        raise RequestError(f"{name} has different shapes ({shapes_text}): a .jsonl file holds them")
    filled = [
        np.pad(part, [(0, 0), (0, longest[0] - part.shape[1]), *[(0, 0)] * (part.ndim - 2)]) for part in parts
    ]
    return np.concatenate(filled)
