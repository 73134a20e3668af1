"""What is recorded of a training: an object for some of its steps and one for each epoch, and the lines they become.

Records are plain values by key, as `docs/runs.md` lists them. Numbers that are not finite are None. Each is a line of
JSON; the last line of a file may be cut off, by a kill or a full disk.
"""

from __future__ import annotations

import csv
import io
import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ..plan import EpochRecord

Record = dict[str, Any]


def step_record(
    step: int, epoch: int, loss: float, learning_rate: float | None, seconds: float, time: float
) -> Record:
    """The mean loss of the steps since the record before, or since the epoch began. ``seconds`` are those of the epoch
    so far, ``time`` is in seconds since 1970.
    """
    return {
        "kind": "step",
        "step": step,
        "epoch": epoch,
        "loss": _finite(loss),
        "learning_rate": _finite(learning_rate),
        "seconds": round(seconds, 6),
        "time": round(time, 3),
    }


def epoch_record(record: EpochRecord, best: bool, time: float) -> Record:
    """The numbers of an epoch. ``best`` says whether its weights are the best so far."""
    rate = record.samples / record.seconds if record.seconds > 0 else math.nan
    return {
        "kind": "epoch",
        "epoch": record.epoch,
        "step": record.steps,
        "train": {name: _finite(value) for name, value in record.train.items()},
        "valid": record.valid and {name: _finite(value) for name, value in record.valid.items()},
        "learning_rate": _finite(record.learning_rate),
        "best": best,
        "samples": record.samples,
        "seconds": round(record.seconds, 6),
        "samples_per_second": _finite(round(rate, 3)),
        "time": round(time, 3),
    }


def line_of(record: Record) -> bytes:
    """A record as a line."""
    return json.dumps(record, ensure_ascii=False, allow_nan=False).encode() + b"\n"


def read_records(path: str | Path) -> list[Record]:
    """The records in a file of metrics, without lines that are cut off or damaged. Raises OSError."""
    return [record for line in Path(path).read_bytes().splitlines(True) if (record := _record(line))]


def kept_records(path: str | Path, epochs: int, steps: int) -> tuple[list[Record], int]:
    """The records of the first ``epochs`` and ``steps``, and how many bytes of the file they take up. Whatever follows
    a damaged line does not count. Without a file there are none. Raises OSError.
    """
    try:
        content = Path(path).read_bytes()
    except FileNotFoundError:
        return [], 0
    records: list[Record] = []
    size = 0
    for line in content.splitlines(True):
        record = _record(line)
        if record is None or record["epoch"] > epochs + 1 or record["step"] > steps:
            break
        if record["kind"] == "epoch" and record["epoch"] > epochs:
            break
        records.append(record)
        size += len(line)
    return records, size


def table_header(record: Record) -> list[str]:
    """The columns of the table of epochs, by the first of them."""
    numbers = [f"{part}_{name}" for part in ("train", "valid") for name in record[part] or {}]
    return ["epoch", "step", *numbers, "learning_rate", "seconds", "samples_per_second", "best"]


def table_row(record: Record, header: Sequence[str]) -> list[Any]:
    """An epoch as a row with the columns of ``header``; what it does not have is empty."""
    values = dict(record)
    for part in ("train", "valid"):
        values |= {f"{part}_{name}": value for name, value in (record[part] or {}).items()}
    values["best"] = int(record["best"])
    return [values.get(name) for name in header]


def csv_line(cells: Sequence[Any]) -> bytes:
    """A row of a table as CSV."""
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerow(cells)
    return text.getvalue().encode()


def scalars(record: Record) -> dict[str, float]:
    """The numbers of a record by their tags for TensorBoard, which shows what is called ``loss/…`` together."""
    if record["kind"] == "step":
        numbers = {"loss/step": record["loss"]}
    else:
        parts: Mapping[str, Mapping[str, float]] = {part: record[part] or {} for part in ("train", "valid")}
        numbers = {f"{name}/{part}": value for part, means in parts.items() for name, value in means.items()}
        numbers["samples_per_second"] = record["samples_per_second"]
    numbers["learning_rate"] = record["learning_rate"]
    return {tag: value for tag, value in numbers.items() if value is not None}


def _record(line: bytes) -> Record | None:
    """The record in a line; None if it is none, or is cut off."""
    if not line.endswith(b"\n"):
        return None
    try:
        record = json.loads(line)
    except (ValueError, RecursionError):
        return None
    if not isinstance(record, dict) or record.get("kind") not in ("step", "epoch"):
        return None
    counted = all(type(record.get(name)) is int for name in ("epoch", "step"))
    parts = [record.get(part) for part in ("train", "valid")] if record["kind"] == "epoch" else []
    return record if counted and all(part is None or isinstance(part, dict) for part in parts) else None


def _finite(value: float | None) -> float | None:
    return value if value is not None and math.isfinite(value) else None
