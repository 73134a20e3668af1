"""The tables of C code that describe a training."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from netwright.specs.manifest import (
    AVERAGE,
    BATCH,
    BATCHES,
    EPOCH,
    GATHERED,
    LENGTHS,
    ORDER,
    PLAIN,
    RATE,
    RATE_SCALE,
    ROWS,
    SCALE,
    TRAIN,
    UPDATES,
    VARIED,
    EntryInfo,
    Manifest,
    ScoreInfo,
)

from ...loop import ir
from .artifacts import entry_of
from .csource import c_dtype, c_string


@dataclass(frozen=True)
class SplitTable:
    """Samples taken out of the training or validation data (``specs.models.data.SplitData``): the ``entry`` gives the
    order that they are taken in.
    """

    name: str
    source: str
    share: float
    folds: int | None
    fold: int | None
    stratify: str | None
    entry: str


@dataclass(frozen=True)
class Part:
    """A program in loop IR and its manifest."""

    program: ir.Program
    manifest: Manifest


@dataclass(frozen=True)
class VariationTable:
    """How samples of an ``input`` are varied: by the entries of a program (``frontend.training.variations``), of which
    each is for data of a type. The first of these ``entries`` is for all that have none. ``lengths`` names the input
    that says how many steps of a sample count.
    """

    input: str
    lengths: str | None
    part: Part
    entries: Mapping[str, str]


@dataclass(frozen=True)
class TrainerPlan:
    """How an executable trains: what of a ``runtime.plan.TrainingPlan`` is settled when it is compiled.

    ``identity`` and ``settings`` are JSON: the members of what must not change when a training is resumed, but for the
    number of samples and the monitor, and the list of the spec's settings. ``weights`` and ``states`` are the values
    that a training begins with; weights may have some that no entry reads, and a state's axis without elements has the
    size that a batch gives it.
    """

    identity: str
    settings: str
    epochs: int
    batch_size: int
    shuffle: bool
    monitor: str | None
    patience: int | None
    min_delta: float
    drop: tuple[int, float, float, str | None] | None
    """Of a rate that drops on a plateau: patience, factor, min_delta and monitor."""
    every_epochs: int | None
    every_steps: int | None
    every_minutes: float | None
    weights: Mapping[str, np.ndarray]
    states: Mapping[str, np.ndarray]
    splits: Sequence[SplitTable] = ()
    window: int | None = None
    time: str = ""
    """The dim that windows are cut along."""
    carry_state: bool = True
    grouped: bool = False
    lengths: Sequence[tuple[str, str]] = ()
    """Inputs that hold lengths, each with the dim that counts the steps."""
    balance: str | None = None
    """The array of classes that each epoch has equally many samples of."""
    classes: Sequence[str] = ()
    """The entry that orders the samples of each class."""
    variations: Sequence[VariationTable] = ()
    parts: int | None = None
    """How many parts of a batch are added up; then the program has `counts`, `gradients` and `update` in place of
    `train_step`."""


#: No entry of what is around a step.
_NO_ENTRY = "{NULL, NULL, 0}"
_NONE = f"{{{_NO_ENTRY}, 0, {{-1, -1}}, 0}}"


@dataclass(frozen=True)
class FirstValues:
    """Where the contents have the first values of weights and, but for zeros, of states."""

    weights: Mapping[str, int]
    states: Mapping[str, int]


def training_source(
    manifest: Manifest, around: Manifest, plan: TrainerPlan, first: FirstValues, blob: str
) -> str:
    """The C file that describes the training."""
    numbers = {buffer.name: number for number, buffer in enumerate(manifest.buffers)}
    dims = {dim.name: number for number, dim in enumerate(manifest.dims)}
    states = {name: number for number, name in enumerate(plan.states)}
    updates = next(name for name in ("optimizer.updates", "optimizer.step") if name in states)
    lines = ["#include <stddef.h>", '#include "trainer.h"', f"extern const unsigned char {blob}[];"]
    varying = [entry for variation in plan.variations for entry in variation.part.manifest.entries]
    lines += [_extern(entry) for entry in (*manifest.entries, *around.entries, *varying)]
    lines += _tensors("weight", plan.weights, numbers, first.weights, blob, states)
    lines += _tensors("state", plan.states, numbers, first.states, blob, {})
    lines += _scores(manifest.scores, numbers)
    lines += _splits(plan.splits, around, numbers)
    orders = [_around(around, entry, (EPOCH,), ORDER) for entry in plan.classes]
    lines += [
        "static const nw_around classes[] = {",
        *(f"    {order}," for order in orders),
        f"    {_NONE},",
        "};",
    ]
    lines += ["static const nw_length lengths[] = {"]
    lines += [f"    {{{numbers[name]}, {dims[dim]}}}," for name, dim in plan.lengths]
    lines += ["    {-1, -1},", "};"]
    lines += _variations(plan.variations, numbers, dims)
    lines += _parts(manifest, plan.parts, numbers, dims)
    drop = plan.drop or (0, 1.0, 0.0, None)
    lines += [
        "const nw_trainer nw_the_trainer = {",
        f"    {c_string(manifest.netwright)}, {c_string(manifest.model)},",
        f"    {c_string(plan.identity)}, {c_string(plan.settings)},",
        f"    {_entry(manifest, TRAIN) if plan.parts is None else _NO_ENTRY}, {_entry(manifest, 'loss')},",
        f"    {_around(around, ORDER, (EPOCH,))}, {_around(around, BATCHES, (EPOCH,), ORDER)},",
        f"    {_around(around, RATE, (UPDATES, RATE_SCALE))},",
        f"    {len(plan.weights)}, {len(plan.states)}, {len(manifest.scores)}, weights, states, scores,",
        f"    {plan.epochs}, {plan.batch_size}, {int(plan.shuffle)}, {_text(plan.monitor)}, {plan.patience or 0}, "
        f"{plan.min_delta!r},",
        f"    {drop[0]}, {drop[1]!r}, {drop[2]!r}, {_text(drop[3])},",
        f"    {plan.every_epochs or 0}, {plan.every_steps or 0}, {plan.every_minutes or 0.0!r},",
        f"    {states[updates]}, {states.get(GATHERED, -1)}, {states.get(SCALE, -1)},",
        f"    {plan.window or 0}, {dims.get(plan.time, -1)}, {int(plan.carry_state)}, {int(plan.grouped)}, "
        f"{len(plan.lengths)}, lengths,",
        f"    {len(plan.splits)}, splits,",
        f"    {-1 if plan.balance is None else numbers[plan.balance]}, {len(plan.classes)}, classes,",
        f"    {len(plan.variations)}, variations,",
        f"    {'NULL' if plan.parts is None else '&parts'},",
        "};",
    ]
    return "\n".join(lines) + "\n"


def _text(value: str | None) -> str:
    return "NULL" if value is None else c_string(value)


def _extern(entry: EntryInfo) -> str:
    return (
        f"extern int32_t {entry.symbol}(const netwright_context *, int32_t, int32_t);\n"
        f"extern int64_t {entry.plan}(const int64_t *, int64_t *);"
    )


def _entry(manifest: Manifest, name: str) -> str:
    entry = entry_of(manifest, name)
    return f"{{{entry.symbol}, {entry.plan}, {entry.slots}}}"


def _around(around: Manifest, name: str, inputs: Sequence[str], output: str | None = None) -> str:
    """An entry with the places of its inputs (at most two) and of its ``output``, by default of the same name."""
    if all(entry.name != name for entry in around.entries):
        return _NONE
    reads = entry_of(around, name).reads
    numbers = {buffer.name: number for number, buffer in enumerate(around.buffers)}
    places = [numbers[input] if input in reads else -1 for input in inputs] + [-1] * (2 - len(inputs))
    listed = ", ".join(map(str, places))
    return f"{{{_entry(around, name)}, {len(numbers)}, {{{listed}}}, {numbers[output or name]}}}"


def _tensors(
    what: str,
    arrays: Mapping[str, np.ndarray],
    numbers: Mapping[str, int],
    offsets: Mapping[str, int],
    blob: str,
    states: Mapping[str, int],
) -> list[str]:
    shapes: list[str] = []
    rows: list[str] = []
    for number, (name, array) in enumerate(arrays.items()):
        sizes = ", ".join(str(size if size else -1) for size in array.shape) or "1"
        shapes.append(f"static const int64_t {what}_shape_{number}[] = {{{sizes}}};")
        initial = f"{blob} + {offsets[name]}" if name in offsets else "NULL"
        rows.append(
            f"    {{{c_string(name)}, {numbers.get(name, -1)}, {c_dtype(array.dtype.name)}, {array.ndim}, "
            f"{what}_shape_{number}, {initial}, {states.get(AVERAGE + name, -1)}}},"
        )
    end = '    {"", -1, {0, 0}, 0, NULL, NULL, -1},'
    return [*shapes, f"static const nw_tensor {what}s[] = {{", *rows, end, "};"]


def _scores(scores: Sequence[ScoreInfo], numbers: Mapping[str, int]) -> list[str]:
    tables: list[str] = []
    rows: list[str] = []
    for number, score in enumerate(scores):
        sums = ", ".join(str(numbers[name]) for name in score.sums)
        weights = ", ".join(repr(float(weight)) for weight in score.weights) or "1.0"
        tables.append(f"static const int32_t sums_{number}[] = {{{sums}}};")
        tables.append(f"static const double factors_{number}[] = {{{weights}}};")
        rows.append(
            f"    {{{c_string(score.name)}, {c_string(score.formula)}, {len(score.sums)}, sums_{number}, "
            f"factors_{number}, {int(score.rises)}}},"
        )
    return [*tables, "static const nw_score scores[] = {", *rows, "};"]


def _splits(splits: Sequence[SplitTable], around: Manifest, numbers: Mapping[str, int]) -> list[str]:
    rows = [
        f"    {{{c_string(split.name)}, {int(split.source == 'valid')}, {int(split.name == 'valid')}, "
        f"{split.share!r}, {split.folds or 0}, {split.fold or 0}, "
        f"{-1 if split.stratify is None else numbers[split.stratify]}, "
        f"{_around(around, split.entry, (EPOCH,), ORDER)}}},"
        for split in splits
    ]
    none = '    {"", 0, 0, 0.0, 0, 0, -1, {{NULL, NULL, 0}, 0, {-1, -1}, 0}},'
    return ["static const nw_split splits[] = {", *rows, none, "};"]


def _variations(
    variations: Sequence[VariationTable], numbers: Mapping[str, int], dims: Mapping[str, int]
) -> list[str]:
    tables: list[str] = []
    rows: list[str] = []
    for number, variation in enumerate(variations):
        manifest = variation.part.manifest
        variants = [
            f"{{{c_dtype(stored)}, {_entry(manifest, entry)}}}" for stored, entry in variation.entries.items()
        ]
        own = [str(dims[dim.name]) for dim in manifest.dims[1:]]
        tables.append(f"static const nw_variant variants_{number}[] = {{{', '.join(variants)}}};")
        tables.append(f"static const int32_t varied_dims_{number}[] = {{{', '.join(own) or '-1'}}};")
        places = {buffer.name: place for place, buffer in enumerate(manifest.buffers)}
        listed = ", ".join(str(places.get(name, -1)) for name in (PLAIN, ROWS, EPOCH, LENGTHS, VARIED))
        rows.append(
            f"    {{{numbers[variation.input]}, {numbers.get(variation.lengths or '', -1)}, {len(variants)}, "
            f"variants_{number}, {len(own)}, varied_dims_{number}, {len(places)}, {listed}}},"
        )
    none = "    {-1, -1, 0, NULL, 0, NULL, 0, -1, -1, -1, -1, -1},"
    return [*tables, "static const nw_variation variations[] = {", *rows, none, "};"]


def _parts(
    manifest: Manifest, parts: int | None, numbers: Mapping[str, int], dims: Mapping[str, int]
) -> list[str]:
    if parts is None:
        return []
    entries = [_entry(manifest, name) for name in ("counts", "gradients", "update")]
    wholes = {name.removeprefix(BATCH): name for name in numbers if name.startswith(BATCH)}
    losses = [
        f"{{{numbers[own]}, {numbers[whole]}}}" for own, whole in wholes.items() if own.endswith(".count")
    ]
    gradients = [str(numbers[info.name]) for info in manifest.buffers if info.role == "gradient"]
    (first,) = [dims[dim.name] for dim in manifest.dims if dim.first_row]
    return [
        f"static const nw_count counted[] = {{{', '.join(losses)}}};",
        f"static const int32_t gradients[] = {{{', '.join(gradients)}}};",
        f"static const nw_parts parts = {{{parts}, {', '.join(entries)}, {len(losses)}, counted, "
        f"{numbers.get(wholes.get('rows', ''), -1)}, {first}, {len(gradients)}, gradients}};",
    ]
