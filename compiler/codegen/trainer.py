"""Executables that train: the tables of their C code, and how they are linked."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from netwright.specs.files import scratch_folder
from netwright.specs.manifest import (
    AVERAGE,
    BATCHES,
    EPOCH,
    GATHERED,
    ORDER,
    RATE,
    RATE_SCALE,
    SCALE,
    TRAIN,
    UPDATES,
    BufferInfo,
    EntryInfo,
    Manifest,
    ScoreInfo,
)

from ..formulas import Fourier
from ..loop import ir
from .aot import emit
from .artifacts import entry_of
from .contents import Contents, check_described, contents_symbol
from .csource import c_dtype, c_string, model_source
from .debug import DebugInfo, stripped
from .features import features_of
from .linker import C_SOURCES, find_compiler, link_static, system_flags
from .made import Made
from .support import has_threads
from .target import Target

#: What a trainer has no use for.
_PREDICTING = (
    *("driver.c", "options.c", "inputs.c", "outputs.c", "buffers.c"),
    *("source.c", "source.h", "sound.c", "sound.h"),
)


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


#: No entry of what is around a step.
_NONE = "{{NULL, NULL, 0}, 0, {-1, -1}, 0}"


@dataclass(frozen=True)
class _First:
    """Where the contents have the first values of weights and, but for zeros, of states."""

    weights: Mapping[str, int]
    states: Mapping[str, int]


@dataclass(frozen=True)
class Part:
    """A program in loop IR and its manifest."""

    program: ir.Program
    manifest: Manifest


def link_trainer(
    step: Part,
    around: Part,
    constants: Mapping[str, np.ndarray],
    plan: TrainerPlan,
    output: Path,
    target: Target,
    *,
    debug: DebugInfo | None = None,
    flags: Sequence[str] = (),
    formulas: Mapping[str, Fourier] | None = None,
) -> bool:
    """Writes an executable that trains with the entries `train_step` and `loss` of ``step``, and the entries `order`
    and `rate` of ``around``. It computes ``constants`` that have ``formulas`` at its start. Returns whether it needs
    nothing but the system's kernel.

    Raises LinkError without a C compiler.
    """
    check_described(step.program, step.manifest)
    check_described(around.program, around.manifest)
    manifest, contents = step.manifest, Contents()
    blob = contents_symbol(manifest)
    whole = _whole_entry(manifest)
    fixed = {name: constants[name] for name in constants if name in {*whole.reads, *whole.writes}}
    made = Made()
    computed = made.add(fixed, formulas or {})
    offsets = contents.add(manifest, {name: fixed[name] for name in fixed if name not in computed})
    first = _First(
        {name: contents.place(array) for name, array in plan.weights.items()},
        {name: contents.place(array) for name, array in plan.states.items() if array.any()},
    )
    with scratch_folder() as folder:
        contents.write(folder, blob, target)
        # Weights have memory of their own, wherever the contents have their first values.
        known = {**offsets, **first.weights}
        plain = manifest.model_copy(update={"buffers": [_whole_ranges(info) for info in manifest.buffers]})
        features, threads = features_of(target), has_threads(target)
        tables = model_source(plain, whole, known, blob, features, threads=threads, made=computed)
        folder.write("tables.c", tables)
        folder.write("training.c", _training_source(manifest, around.manifest, plan, first, blob))
        folder.write("model.o", emit(step.program, "object", target, manifest, debug=debug))
        folder.write("around.o", emit(around.program, "object", target))
        files = [path for path in C_SOURCES.glob("*.[ch]") if path.name not in _PREDICTING]
        files += [*(C_SOURCES / "train").glob("*.[ch]")]
        for source in files:
            folder.write(source.name, source.read_bytes())
        sources = sorted(path.name for path in files if path.suffix == ".c")
        objects = ["contents.S", "model.o", "around.o"]
        arguments = [
            *sources,
            "tables.c",
            "training.c",
            *made.write(folder),
            *objects,
            *system_flags(target),
            *(flags or stripped(debug)),
        ]
        # A compiler that contracts products and sums would give other bits than Python does.
        arguments.insert(0, "-ffp-contract=off")
        return link_static(find_compiler(target), folder, arguments, output, target)


def _whole_entry(manifest: Manifest) -> EntryInfo:
    """What both entries read and write, as one entry."""
    step, loss = entry_of(manifest, TRAIN), entry_of(manifest, "loss")
    return step.model_copy(
        update={
            "reads": list(dict.fromkeys((*step.reads, *loss.reads))),
            "writes": list(dict.fromkeys((*step.writes, *loss.writes))),
            "slots": max(step.slots, loss.slots),
        }
    )


def _whole_ranges(info: BufferInfo) -> BufferInfo:
    """A buffer with the ranges that all of its elements keep, which are checked before training begins."""
    kept = [range for range in info.ranges or () if not range.partial]
    return info.model_copy(update={"ranges": kept or None})


def _training_source(
    manifest: Manifest, around: Manifest, plan: TrainerPlan, first: _First, blob: str
) -> str:
    """The C file that describes the training."""
    numbers = {buffer.name: number for number, buffer in enumerate(manifest.buffers)}
    dims = {dim.name: number for number, dim in enumerate(manifest.dims)}
    states = {name: number for number, name in enumerate(plan.states)}
    updates = next(name for name in ("optimizer.updates", "optimizer.step") if name in states)
    lines = ["#include <stddef.h>", '#include "trainer.h"', f"extern const unsigned char {blob}[];"]
    lines += [_extern(entry) for entry in (*manifest.entries, *around.entries)]
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
    drop = plan.drop or (0, 1.0, 0.0, None)
    lines += [
        "const nw_trainer nw_the_trainer = {",
        f"    {c_string(manifest.netwright)}, {c_string(manifest.model)},",
        f"    {c_string(plan.identity)}, {c_string(plan.settings)},",
        f"    {_entry(manifest, TRAIN)}, {_entry(manifest, 'loss')},",
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
