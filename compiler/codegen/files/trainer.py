"""Executables that train: how they are linked."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from netwright.specs.files import scratch_folder
from netwright.specs.manifest import BATCH, BufferInfo, EntryInfo, Manifest

from ...formulas import Fourier
from ..llvm.debug import DebugInfo, stripped
from ..llvm.features import features_of
from ..llvm.support import has_threads
from ..targets.target import Target
from .aot import emit
from .artifacts import entry_of
from .contents import Contents, check_described, contents_symbol
from .csource import model_source
from .linker import C_SOURCES, find_compiler, link_static, system_flags
from .made import Made
from .trainer_tables import FirstValues, Part, TrainerPlan, training_source

#: What a trainer has no use for.
_PREDICTING = (
    *("driver.c", "options.c", "inputs.c", "outputs.c", "buffers.c"),
    *("source.c", "source.h", "sound.c", "sound.h"),
)


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
    """Writes an executable that trains with the entries of ``step``, which are `loss` and `train_step`, or in its place
    those of parts of batches, the entries `order` and
    `rate` of ``around``, and the programs of the plan's variations. It computes ``constants`` that have ``formulas`` at
    its start. Returns whether it needs nothing but the system's kernel.

    Raises LinkError without a C compiler.
    """
    check_described(step.program, step.manifest)
    varying = [variation.part for variation in plan.variations]
    for part in (around, *varying):
        check_described(part.program, part.manifest)
    manifest, contents = step.manifest, Contents()
    blob = contents_symbol(manifest)
    whole = _whole_entry(manifest, varying)
    fixed = {name: constants[name] for name in constants if name in {*whole.reads, *whole.writes}}
    made = Made()
    computed = made.add(fixed, formulas or {})
    offsets = contents.add(manifest, {name: fixed[name] for name in fixed if name not in computed})
    first = FirstValues(
        {name: contents.place(array) for name, array in plan.weights.items()},
        {name: contents.place(array) for name, array in plan.states.items() if array.any()},
    )
    with scratch_folder() as folder:
        contents.write(folder, blob, target)
        # Weights have memory of their own, wherever the contents have their first values.
        known = {**offsets, **first.weights}
        plain = manifest.model_copy(update={"buffers": [_of_data(info) for info in manifest.buffers]})
        features, threads = features_of(target), has_threads(target)
        tables = model_source(plain, whole, known, blob, features, threads=threads, made=computed)
        folder.write("tables.c", tables)
        folder.write("training.c", training_source(manifest, around.manifest, plan, first, blob))
        folder.write("model.o", emit(step.program, "object", target, manifest, debug=debug))
        objects = ["contents.S", "model.o"]
        for number, part in enumerate((around, *varying)):
            objects.append(f"around{number}.o")
            folder.write(objects[-1], emit(part.program, "object", target))
        files = [path for path in C_SOURCES.glob("*.[ch]") if path.name not in _PREDICTING]
        files += [*(C_SOURCES / "train").glob("*.[ch]")]
        for source in files:
            folder.write(source.name, source.read_bytes())
        sources = sorted(path.name for path in files if path.suffix == ".c")
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


def _whole_entry(manifest: Manifest, others: Sequence[Part]) -> EntryInfo:
    """What all entries read and write, as one entry, with as many slots as any of them needs, or of ``others``."""
    entries = manifest.entries
    slots = [entry.slots for entry in entries]
    slots += [entry.slots for other in others for entry in other.manifest.entries]
    return entry_of(manifest, "loss").model_copy(
        update={
            "reads": list(dict.fromkeys(name for entry in entries for name in entry.reads)),
            "writes": list(dict.fromkeys(name for entry in entries for name in entry.writes)),
            "slots": max(slots),
        }
    )


def _of_data(info: BufferInfo) -> BufferInfo:
    """A buffer with the ranges that all of its elements keep, which are checked before training begins. What no data
    set holds is no input: the trainer has memory for it, as for states."""
    own = info.role == "gradient" or info.name.startswith(BATCH)
    kept = [range for range in info.ranges or () if not range.partial]
    return info.model_copy(update={"ranges": kept or None, "role": "state" if own else info.role})
