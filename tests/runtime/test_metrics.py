"""Metrics as files: events that TensorBoard reads, lines that may be torn, tables; and learning rates as numbers."""

from __future__ import annotations

import csv
import json
import math
import struct
from pathlib import Path

import numpy as np
import pytest

from netwright.compiler.frontend.tensor import Tensor
from netwright.compiler.frontend.training.schedules import learning_rate
from netwright.compiler.graph.graph import Graph
from netwright.compiler.graph.types import TensorType
from netwright.compiler.interpreter import evaluate
from netwright.runtime.training.metrics.records import (
    epoch_record,
    kept_records,
    line_of,
    read_records,
    step_record,
)
from netwright.runtime.training.metrics.tensorboard import crc32c, first_event, scalars_event
from netwright.runtime.training.metrics.writer import MetricsWriter, is_recorded
from netwright.runtime.training.plan import EpochRecord
from netwright.runtime.training.schedules import rate_after
from netwright.specs.models.train import ConstantRate, CosineRate, PlateauRate, StepRate


def epoch(number: int, loss: float) -> EpochRecord:
    return EpochRecord(number, 2 * number, {"loss": loss}, {"loss": loss / 2}, 0.5, 20, 0.01)


def test_checksums() -> None:
    """The examples of RFC 3720, appendix B.4."""
    assert crc32c(bytes(32)) == 0x8A9136AA
    assert crc32c(b"\xff" * 32) == 0x62A8AB43
    assert crc32c(bytes(range(32))) == 0x46DD794E
    assert crc32c(b"123456789") == 0xE3069283


def test_an_event_byte_by_byte() -> None:
    record = scalars_event(1.0, 300, {"a": 0.5})
    (length,) = struct.unpack("<Q", record[:8])
    data = record[12 : 12 + length]
    assert len(record) == 12 + length + 4
    value = b"\x0a\x01a" + b"\x15" + struct.pack("<f", 0.5)  # tag = 1, simple_value = 2
    summary = b"\x0a" + bytes([len(value)]) + value
    assert (
        data == b"\x09" + struct.pack("<d", 1.0) + b"\x10\xac\x02" + b"\x2a" + bytes([len(summary)]) + summary
    )
    assert b"brain.Event:2" in first_event(0.0)


def test_tensorboard_reads_the_events(tmp_path: Path) -> None:
    """Also after a training was resumed: no step is there twice."""
    accumulator = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")
    write(tmp_path, [epoch(1, 4.0)], steps=2)
    write(tmp_path, [epoch(1, 4.0), epoch(2, 1e300), epoch(3, math.nan)], steps=6)
    events = accumulator.EventAccumulator(str(tmp_path))
    events.Reload()
    assert set(events.Tags()["scalars"]) == {
        *("loss/train", "loss/valid", "loss/step", "learning_rate", "samples_per_second")
    }
    assert [(event.step, event.value) for event in events.Scalars("loss/train")] == [(2, 4.0), (4, math.inf)]
    assert [event.step for event in events.Scalars("loss/step")] == [1, 5]
    assert [event.step for event in events.Scalars("learning_rate")] == [1, 2, 4, 5, 6]
    assert events.Scalars("learning_rate")[0].value == pytest.approx(0.01)


def write(folder: Path, history: list[EpochRecord], steps: int) -> None:
    """Goes on with a training after all but the last epoch, which it records with its steps."""
    *before, last = history
    writer = MetricsWriter(folder)
    assert is_recorded(folder)
    writer.begin(before, [1], steps - 2)
    writer.write(step_record(steps - 1, last.epoch, 3.0, 0.01, 0.1, 5.0))
    writer.write(epoch_record(last, False, 6.0))
    writer.close()
    assert not is_recorded(folder)


def test_lines_are_cut_back_to_the_checkpoint(tmp_path: Path) -> None:
    path = tmp_path / "metrics.jsonl"
    write(tmp_path, [epoch(1, 4.0)], steps=2)
    whole = path.read_bytes()
    torn = whole + line_of(step_record(3, 2, 1.0, None, 0.1, 5.0)) + b'{"kind": "step", "st'
    path.write_bytes(torn)
    assert [record["step"] for record in read_records(path)] == [1, 2, 3]
    assert kept_records(path, 1, 3) == (read_records(path), len(torn) - 20)
    assert kept_records(path, 1, 2)[1] == len(whole)  # the step came after the checkpoint
    assert [record["step"] for record in kept_records(path, 0, 1)[0]] == [1]
    assert kept_records(path, 0, 2)[0] == kept_records(path, 0, 1)[0]  # in the middle of validation
    assert kept_records(tmp_path / "none", 1, 1) == ([], 0)
    write(tmp_path, [epoch(1, 4.0), epoch(2, 3.0)], steps=4)
    assert path.read_bytes().startswith(whole)
    assert [record["step"] for record in read_records(path)] == [1, 2, 3, 4]
    # Epochs that the checkpoint knows and the file does not are added.
    path.write_bytes(b'\0\0\0\0{"kind": "epoch"}\n[]\n')
    write(tmp_path, [epoch(1, 4.0), epoch(2, 3.0), epoch(3, 2.0)], steps=6)
    assert [(r["kind"], r["step"], r.get("best")) for r in read_records(path)] == [
        ("epoch", 2, True),
        ("epoch", 4, False),
        ("step", 5, None),
        ("epoch", 6, False),
    ]
    with (tmp_path / "metrics.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [(row["epoch"], row["train_loss"], row["best"]) for row in rows] == [
        ("1", "4.0", "1"),
        ("2", "3.0", "0"),
        ("3", "2.0", "0"),
    ]
    assert len(list(tmp_path.glob("events*"))) == 1


def test_numbers_that_are_not_finite_are_null(tmp_path: Path) -> None:
    record = epoch_record(EpochRecord(1, 2, {"loss": math.nan, "f1": math.inf}, None), True, 1.0)
    assert json.loads(line_of(record)) == record
    assert record["train"] == {"loss": None, "f1": None}
    assert (record["valid"], record["samples_per_second"]) == (None, None)


@pytest.mark.parametrize(
    "schedule",
    [
        ConstantRate(initial=0.1),
        ConstantRate(initial=0.1, warm_up=4),
        StepRate(initial=0.1, every=3, factor=0.5),
        CosineRate(initial=0.1, steps=7, final=0.01, warm_up=2),
        PlateauRate(initial=0.1, final=0.04),
    ],
    ids=lambda schedule: schedule.type,
)
def test_rates_are_those_of_the_training_step(schedule) -> None:
    graph = Graph()
    step = Tensor(graph, graph.input("step", TensorType("int64", ())))
    scale = Tensor(graph, graph.input("scale", TensorType("float64", ())))
    graph.set_output("rate", learning_rate(schedule, step, lambda name, type: scale).value)
    for updates in range(12):
        inputs = {"step": np.asarray(updates), "scale": np.asarray(0.3)}
        assert rate_after(schedule, updates, 0.3) == pytest.approx(
            float(evaluate(graph, inputs)["rate"]), rel=1e-12
        )
