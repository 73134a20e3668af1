"""Checks of `train.data` and of how samples are varied and grouped: the names that are mentioned, splits, axes."""

from __future__ import annotations

from collections.abc import Iterable

from ..diagnostics.diagnostic import Diagnostics
from ..diagnostics.fixes import plain, respelled
from ..diagnostics.suggest import closest, did_you_mean
from ..equations.expressions import Name, walk
from ..models.augmentation import AnyAugmentation, CropAugmentation, ShiftAugmentation
from ..models.data import ArraysData, FolderData, SequenceData, SplitData, TableData, TokensData
from ..models.losses import ALIGNED, Comparison
from ..models.train import TrainSpec
from ..source.tree import Path, SourceTree
from .structure import Structure

SECTION = ("train", "data")
#: What others call validation data, in lower case.
_VALIDATION = ("validation", "val", "dev", "devel", "development")
AUGMENT = ("train", "augment")


def check_data_sets(structure: Structure, tree: SourceTree, diagnostics: Diagnostics) -> None:
    """Checks that data sets name inputs and targets that exist, and that splits can be made."""
    train: TrainSpec = structure.sections["train"]
    known = _arrays(structure, train)

    def array(name: str, path: Path, *, key: bool = False) -> None:
        if name not in known and not structure.knows("inputs", name):
            place = tree.key_span(path) if key else tree.value_span(path)
            meant = closest(name, known)
            help = did_you_mean(meant) or f"there is {', '.join(known)}"
            fixes = respelled(name, meant, place)
            diagnostics.error(
                "NW0411", f"there is no input or target named {name}", place, help=help, fixes=fixes
            )

    for name, data in train.data.items():
        path = (*SECTION, name)
        if isinstance(data, TableData):
            for column in data.columns:
                array(column, (*path, "columns", column), key=True)
            for column in data.text:
                array(column, (*path, "text", column), key=True)
            for column, target in data.followed.items():
                array(target, (*path, "text", column, "next_token"))
        elif isinstance(data, ArraysData) and isinstance(data.path, dict):
            for file in data.path:
                array(file, (*path, "path", file), key=True)
        elif isinstance(data, TokensData) and isinstance(data.path, dict):
            for file in data.path.keys() - {"ids", "offsets"}:
                array(file, (*path, "path", file), key=True)
        if isinstance(data, FolderData | SequenceData):
            for key, written in (("input", data.input), ("target", data.target)):
                if written is not None:
                    array(written, (*path, key))
        if isinstance(data, SplitData):
            if data.stratify is not None:
                array(data.stratify, (*path, "stratify"))
            _check_source(name, data, train, tree, diagnostics)
    _check_fractions(train, tree, diagnostics)
    if (name := meant_as_valid(train.data)) is not None:
        place = tree.key_span((*SECTION, name))
        message = f"training does not read the data set {name}: its validation data are named valid"
        help = "write valid, or give another name to data that training is not to see"
        fixes = respelled(name, "valid", place, safe=False)
        diagnostics.warning("NW0612", message, place, help=help, fixes=fixes)


def meant_as_valid(names: Iterable[str]) -> str | None:
    """The first of these names of data sets that others use for validation data; None if there is none, or if one is
    named `valid`.
    """
    names = list(names)
    return None if "valid" in names else next((name for name in names if plain(name) in _VALIDATION), None)


def check_varied(structure: Structure, tree: SourceTree, diagnostics: Diagnostics) -> None:
    """Checks that augmentation names inputs with the axes that it changes, and that samples have lengths to be grouped
    by.
    """
    train: TrainSpec = structure.sections["train"]
    inputs = structure.sections.get("inputs") or {}
    broken = structure.broken.get("inputs", set())
    for name, changes in train.augment.items():
        if name not in inputs:
            if not broken & {name, "*"}:
                place = tree.key_span((*AUGMENT, name))
                meant = closest(name, inputs)
                help = did_you_mean(meant) or f"there is {', '.join(inputs)}"
                fixes = respelled(name, meant, place)
                message = f"there is no input named {name}"
                diagnostics.error("NW0411", message, place, help=help, fixes=fixes)
            continue
        spec = inputs[name]
        if not spec.dtype.startswith("float") and spec.dtype != "uint8":
            message = f"augmentation changes numbers that are measured, {name} is {spec.dtype}"
            diagnostics.error("NW0212", message, tree.key_span((*AUGMENT, name)))
            continue
        for i, change in enumerate(changes):
            if (axes := _axes_changed(change)) >= len(spec.shape):
                shape = f"[{', '.join(map(str, spec.shape))}]"
                message = f"{change.type} changes axis {axes}, {name} is {shape}"
                labels = [(tree.value_span(("inputs", name, "shape")), f"is {shape}")]
                diagnostics.error("NW0212", message, tree.value_span((*AUGMENT, name, i)), labels=labels)
    if train.group_by_length and not broken:
        place = tree.value_span(("train", "group_by_length"))
        dims = structure.sections.get("dims") or {}
        if train.windows is not None:
            labels = [(tree.key_span(("train", "bptt")), "this cuts sequences into windows")]
            message = "group_by_length cuts batches to their longest sequence, which bptt can't divide"
            diagnostics.error("NW0212", message, place, labels=labels, help="leave out one of them")
        elif not any(
            spec.lengths and len(spec.shape) > 1 and spec.shape[1] in dims for spec in inputs.values()
        ):
            message = "no input has lengths along an open dim, by which samples could be grouped"
            help = "give an input [N, T, …] the key lengths: NAME"
            labels = [
                (tree.value_span(("inputs", name, "shape")), "its second axis is no open dim")
                for name, spec in inputs.items()
                if spec.lengths
            ]
            diagnostics.error("NW0212", message, place, labels=labels, help=help)


def _axes_changed(change: AnyAugmentation) -> int:
    """The last axis that a change needs."""
    if isinstance(change, ShiftAugmentation):
        return len(change.by)
    if isinstance(change, CropAugmentation):
        return 2
    return getattr(change, "axis", 1)


def _arrays(structure: Structure, train: TrainSpec) -> list[str]:
    """The names of inputs and targets. Targets that are not declared follow from the loss."""
    inputs = structure.sections.get("inputs") or {}
    outputs = structure.sections.get("outputs") or {}
    compared = [name for name in arrays_compared(structure, train) if name not in outputs]
    return list(dict.fromkeys([*inputs, *train.targets, *compared]))


def arrays_compared(structure: Structure, train: TrainSpec) -> dict[str, None]:
    """What losses and metrics read, besides outputs."""
    names: list[str | None] = []
    for position, loss in enumerate(train.losses):
        names += [loss.target] if isinstance(loss, Comparison) else []
        names.append(loss.mask)
        names.append(loss.target_lengths if isinstance(loss, ALIGNED) else None)
        equation = structure.loss_expressions.get(position)
        names += [part.id for part in walk(equation) if isinstance(part, Name)] if equation else []
    names += [metric.target for metric in train.metrics]
    return dict.fromkeys(name for name in names if name is not None)


def _check_source(
    name: str, split: SplitData, train: TrainSpec, tree: SourceTree, diagnostics: Diagnostics
) -> None:
    place = tree.value_span((*SECTION, name, "from"))
    source = train.data.get(split.source)
    if source is None and split.source != "train":  # which can also be given when it is needed
        meant = closest(split.source, [other for other in train.data if other != name])
        message = f"there is no data set named {split.source}"
        fixes = respelled(split.source, meant, place)
        help = did_you_mean(meant) or f"data: {{{split.source}: FILE.npz}}"
        diagnostics.error("NW0407", message, place, help=help, fixes=fixes)
    elif isinstance(source, SplitData):
        if source is split:
            diagnostics.error("NW0212", f"{name} is a split of itself", place)
            return
        labels = [(tree.key_span((*SECTION, split.source)), "this one")]
        help = "take both from the same set, each its own fraction"
        diagnostics.error("NW0212", f"{split.source} is a split itself", place, labels=labels, help=help)


def _check_fractions(train: TrainSpec, tree: SourceTree, diagnostics: Diagnostics) -> None:
    taken: dict[str, float] = {}
    for name, split in train.data.items():
        if not isinstance(split, SplitData):
            continue
        before = taken.get(split.source, 0.0)
        taken[split.source] = before + split.share
        if before < 1 <= taken[split.source]:
            place = tree.value_span((*SECTION, name, "fraction" if split.fraction is not None else "folds"))
            message = f"the splits leave nothing of {split.source}: they take {taken[split.source]:.6g} of it"
            diagnostics.error("NW0212", message, place)
