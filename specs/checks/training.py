"""Checks of `train` that need no shapes: the names of outputs, targets, masks, losses, metrics and data sets."""

from __future__ import annotations

from typing import get_args

from ..diagnostics.diagnostic import Diagnostics
from ..diagnostics.fixes import respelled
from ..diagnostics.suggest import closest, did_you_mean
from ..equations.layers import compile_equation
from ..models.losses import ALIGNED, Comparison, ExpressionLoss
from ..models.metrics import AnyMetric
from ..models.reported import TOTAL, loss_names, metric_names, reported_names
from ..models.train import PlateauRate, TrainSpec
from ..source.tree import Path, SourceTree
from .data import check_data_sets, check_varied
from .structure import Structure

_METRICS = frozenset(model.model_fields["type"].default for model in get_args(AnyMetric))


def check_train(structure: Structure, tree: SourceTree, diagnostics: Diagnostics) -> None:
    """Checks the names in `train`, and parses the equations of losses."""
    train = structure.sections.get("train")
    if train is not None:
        _Checks(structure, train, tree, diagnostics).run()


class _Checks:
    def __init__(
        self, structure: Structure, train: TrainSpec, tree: SourceTree, diagnostics: Diagnostics
    ) -> None:
        self.structure, self.train, self.tree, self.diagnostics = structure, train, tree, diagnostics
        self.outputs = structure.sections.get("outputs") or {}
        # Targets that are not declared follow from the loss.
        self.targets = [*train.targets, *(structure.sections.get("inputs") or {})]

    def run(self) -> None:
        for position, loss in enumerate(self.train.losses):
            path = self.train.loss_path(position)
            if isinstance(loss, Comparison):
                self.output(loss.output, (*path, "output"))
                self.target(loss.target, (*path, "target"), "NW0402", "target")
            if isinstance(loss, ALIGNED) and loss.target_lengths is not None:
                self.target(loss.target_lengths, (*path, "target_lengths"), "NW0402", "input or target")
            if loss.mask is not None:
                self.target(loss.mask, (*path, "mask"), "NW0405", "input or target")
            if isinstance(loss, ExpressionLoss):
                self.equation(position, (*path, "value"))
        self.metrics()
        if self.train.balance is not None:
            self.balance(self.train.balance)
        if self.train.parts is not None and self.train.parts > self.train.batch_size:
            labels = [(self.tree.key_span(("train", "batch_size")), "the samples of a batch")]
            message = f"{self.train.batch_size} samples can't be divided into {self.train.parts} parts"
            place, written = (
                self.tree.value_span(("train", "parts")),
                "batch_size" in self.train.model_fields_set,
            )
            self.diagnostics.error("NW0212", message, place, labels=labels if written else ())
        self.names()
        check_data_sets(self.structure, self.tree, self.diagnostics)
        check_varied(self.structure, self.tree, self.diagnostics)
        stopping, rate = self.train.early_stopping, self.train.optimizer.learning_rate
        if stopping is not None:
            written = "monitor" in stopping.model_fields_set
            self.monitor(stopping.monitor, ("train", "early_stopping"), "early stopping", written)
        if isinstance(rate, PlateauRate) and rate.monitor is not None:
            path = ("train", "optimizer", "learning_rate")
            self.monitor(rate.monitor, path, "a learning rate that depends", True)

    def output(self, name: str, path: Path) -> None:
        if not self.structure.knows("outputs", name):
            self.unknown(name, closest(name, self.outputs), "NW0401", "output", path)

    def target(self, name: str, path: Path, code: str, what: str) -> None:
        if self.train.targets and name not in self.targets and not self.structure.knows("inputs", name):
            self.unknown(name, closest(name, self.targets), code, what, path)

    def unknown(self, name: str, meant: str | None, code: str, what: str, path: Path) -> None:
        place = self.tree.value_span(path)
        fixes = respelled(name, meant, place)
        self.diagnostics.error(
            code, f"there is no {what} named {name}", place, help=did_you_mean(meant), fixes=fixes
        )

    def equation(self, position: int, path: Path) -> None:
        node = self.tree.node(path)
        assert node is not None
        broken = self.structure.broken.get("outputs", set()) | self.structure.broken.get("inputs", set())
        known = [*self.outputs, *self.targets, *(broken - {"*"})]
        hint = "declare what it reads: targets: {{{name}: {{shape: [N, …], dtype: float32}}}}"
        expression = compile_equation(
            node, None if "*" in broken else known, self.diagnostics, hint=hint, what="a loss"
        )
        if expression is not None:
            self.structure.loss_expressions[position] = expression

    def balance(self, name: str) -> None:
        path = ("train", "balance")
        compared = [loss.target for loss in self.train.comparisons]
        known = [*self.train.targets, *(() if self.train.targets else compared)]
        if name not in known:
            self.unknown(name, closest(name, known), "NW0402", "target", path)
        elif name in self.train.targets and len(self.train.targets[name].shape) != 1:
            shape = ", ".join(map(str, self.train.targets[name].shape))
            message = f"samples are balanced by one class number each, {name} is [{shape}]"
            self.diagnostics.error("NW0212", message, self.tree.value_span(path))
        if not self.train.shuffle:
            labels = [(self.tree.value_span(("train", "shuffle")), "this keeps their order")]
            message = "samples are drawn at random to balance their classes"
            self.diagnostics.error("NW0212", message, self.tree.value_span(path), labels=labels)

    def metrics(self) -> None:
        comparisons = self.train.comparisons
        compared = {loss.target for loss in comparisons}
        for position, metric in enumerate(self.train.metrics):
            path = ("train", "metrics", position)
            if metric.output is not None:
                self.output(metric.output, (*path, "output"))
            if metric.target is not None and metric.target not in compared:
                self.target(metric.target, (*path, "target"), "NW0402", "target")
            lacking = [key for key in ("output", "target") if getattr(metric, key) is None]
            if lacking and not comparisons:
                message = (
                    f"{metric.type} needs {' and '.join(lacking)}: no loss compares an output with a target"
                )
                help = f"{{type: {metric.type}, output: …, target: …}}"
                self.diagnostics.error("NW0202", message, self.tree.value_span(path), help=help)

    def names(self) -> None:
        """Checks that no two numbers are reported by the same name."""
        train, taken = self.train, {TOTAL: self.tree.key_span(("train", "loss"))}
        named: list[tuple[str, Path]] = []
        named += [(name, train.loss_path(i)) for i, name in enumerate(loss_names(train))]
        named += [(name, ("train", "metrics", i)) for i, (name, _) in enumerate(metric_names(train))]
        for name, path in named:
            written = self.tree.node((*path, "name"))
            place = self.tree.value_span((*path, "name") if written else path)
            if name in taken:
                message = f"two numbers would be reported as {name}"
                help = "give one of them a name of its own, name: …"
                labels = [(taken[name], "the other")]
                self.diagnostics.error("NW0212", message, place, labels=labels, help=help)
            taken.setdefault(name, place)

    def monitor(self, monitor: str, owner: Path, what: str, written: bool) -> None:
        tree, train = self.tree, self.train
        data_set, _, number = monitor.partition("_")
        path = (*owner, "monitor")
        place = tree.value_span(path) if written else tree.key_span(owner)
        reported = reported_names(train)
        meant = closest(monitor, [f"{part}_{name}" for part in ("valid", "train") for name in reported])
        fixes = respelled(monitor, meant, place) if written else ()
        if data_set not in ("train", "valid"):
            message = f'monitor is train_ or valid_ with the name of a loss or metric, not "{monitor}"'
            help = did_you_mean(meant) or f"such as valid_{reported[-1]}"
            self.diagnostics.error("NW0205", message, place, help=help, fixes=fixes)
        elif train.data and data_set not in train.data:  # without a section, the data come from elsewhere
            message = f"{what} on {monitor} needs the data set {data_set}"
            labels = [(tree.key_span(("train", "data")), "the data sets")]
            help = f"data: {{{data_set}: FILE.npz}}"
            self.diagnostics.error("NW0407", message, place, labels=labels, help=help)
        elif number not in reported:
            message = f"{number} is not among the metrics"
            metrics = ("train", "metrics")
            labels = [(tree.key_span(metrics), "the metrics")] if tree.node(metrics) else []
            help = f"add {number} to metrics" if number in _METRICS else did_you_mean(meant)
            help = help or f"there is {', '.join(reported)}"
            fixes = () if number in _METRICS else fixes
            self.diagnostics.error("NW0212", message, place, labels=labels, help=help, fixes=fixes)
