"""Adds the training section to an expanded network: targets, and the loss and metrics as sums and counts."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from netwright.specs.checks.wiring import Ref
from netwright.specs.diagnostics.fixes import replaced, with_key
from netwright.specs.dims import Shape, product
from netwright.specs.models.activations import Sigmoid, Softmax
from netwright.specs.models.layers.base import LayerSpec
from netwright.specs.models.layers.conv import Convolution
from netwright.specs.models.layers.dense import Dense
from netwright.specs.models.train import (
    BinaryCrossEntropy,
    LossSpec,
    MetricSpec,
    SoftmaxCrossEntropy,
    TargetSpec,
    TrainSpec,
)
from netwright.specs.source.tree import Path, Span

from ...graph.types import FLOATS, TensorType
from ...ops.layout import show
from ..expander import Expander
from ..problem import Label, Problem, show_type
from ..scope import Signal
from ..tensor import Tensor, dim_value, iota, where
from .losses import correct, loss_elements, squared_error

_INTEGERS = ("int32", "int64", "uint8")


@dataclass(frozen=True, slots=True)
class View:
    """An output as the loss and metrics use it: all its steps, or the last valid one. ``weights`` says which [N, T]
    or [N] count (None: all)."""

    name: str
    signal: Signal
    tensor: Tensor
    weights: Tensor | None
    last: Tensor | None
    """The rows of the last valid steps in [N·T, …], if they were selected."""

    @property
    def picked(self) -> bool:
        return self.tensor.shape != self.signal.shape


class Objective:
    """Adds loss and metrics to an expander's graph. Targets are declared when they are first needed."""

    def __init__(self, expander: Expander, train: TrainSpec):
        self.expander, self.train, self.load = expander, train, expander.load
        self.graph = expander.graph
        self.targets: dict[str, TensorType] = {}
        self._tensors: dict[str, Tensor] = {}

    def build(self) -> dict[str, Tensor]:
        """Scalars by name: `loss.numerator`, `loss.count`, and both for `metric.NAME`.

        Raises Problem, or reports all problems to the expander's diagnostics if it has any.
        """
        tensors: dict[str, Tensor] = {}
        pieces = [("loss", None, ("train", "loss"))]
        pieces += [(f"metric.{name}", metric, ("train", "metrics", i)) for name, i, metric in self.metrics()]
        for name, metric, path in pieces:
            try:
                tensors |= self.piece(name, metric, path)
            except Problem as problem:
                if not self.expander.reported(problem):
                    raise
        return tensors

    def piece(self, name: str, metric: MetricSpec | None, path: Path) -> dict[str, Tensor]:
        """The numerator and count of the loss or of a metric; None if its output is poisoned. Raises Problem."""
        loss = self.train.loss
        view = self.view((metric and metric.output) or loss.output, path)
        if view is None:
            return {}
        if metric is not None:
            return self.sums(name, self.metric(metric, view, path), view)
        self.check_output(loss, view)
        target = self.target(loss.target, view, isinstance(loss, SoftmaxCrossEntropy), (*path, "target"))
        x = view.tensor
        if view.weights is not None:  # select before multiplying: values that do not count may be NaN
            x, target = _counted(view.weights, x), _counted(view.weights, target)
        return self.sums(name, loss_elements(loss, x, target), view)

    def metrics(self) -> Iterator[tuple[str, int, MetricSpec]]:
        """Name, position and spec of each metric; a second one of the same type has its output in its name."""
        names: set[str] = set()
        for position, metric in enumerate(self.train.metrics):
            name = metric.type
            if name in names:
                name = f"{metric.type}_{metric.output or self.train.loss.output}"
            if name not in names:
                names.add(name)
                yield name, position, metric

    def metric(self, metric: MetricSpec, view: View, path: Path) -> Tensor:
        """A metric for each element."""
        loss, x = self.train.loss, view.tensor
        logistic = isinstance(loss, BinaryCrossEntropy) and view.name == loss.output
        by_class = metric.type == "accuracy" and not logistic
        name = metric.target or loss.target
        target = self.target(name, view, by_class, (*path, "target") if metric.target else path)
        if metric.type == "accuracy":
            return correct(x, target, logistic=logistic).cast(self.expander.dtype)
        if x.dtype not in FLOATS:
            message = f"{metric.type} compares floats, {view.name} is {show_type(x.dtype, x.shape)}"
            raise Problem("NW0406", message, self.load.span(path))
        return squared_error(x, target) if metric.type == "mse" else (x - target).abs()

    def sums(self, name: str, elements: Tensor, view: View) -> dict[str, Tensor]:
        """The sum of the elements that count, and their number."""
        if view.weights is None:
            count = dim_value(self.graph, product(elements.shape), elements.dtype)
            return {f"{name}.numerator": elements.sum(), f"{name}.count": count}
        leading = view.weights.rank
        counted = view.weights.broadcast(elements.shape, range(leading))
        count = view.weights.cast(elements.dtype).sum() * elements.count(product(elements.shape[leading:]))
        return {f"{name}.numerator": where(counted, elements, 0).sum(), f"{name}.count": count}

    # Outputs.

    def view(self, output: str, path: Path) -> View | None:
        """An output as it is compared with targets; None if it is poisoned. Raises Problem."""
        ref = self.load.wiring.outputs.get(output)
        signal = self.expander.signals.get(ref) if ref else None
        if signal is None:
            return None
        loss = self.train.loss
        own = output == loss.output
        valid = self.counting(signal, own)
        sequence = signal.rank >= 3
        if loss.steps == "all" or not (sequence or own):
            return View(output, signal, signal.tensor, valid, None)
        if not sequence:
            message = f"steps: last needs a sequence [N, T, …], {output} is {show(signal.shape)}"
            raise Problem(
                "NW0404", message, self.load.span(("train", "loss", "steps")), labels=self.origin(signal)
            )
        if valid is None:
            return View(output, signal, signal.tensor.take(1, signal.shape[1] - 1), None, None)
        steps = iota(self.graph, "int64", valid.shape, 1)
        last = where(valid, steps, 0).reduce("max", [1])
        rows = iota(self.graph, "int64", last.shape, 0) * last.count(signal.shape[1]) + last
        weights = valid.cast("int32").reduce("max", [1]).compare("gt", 0)
        return View(output, signal, _rows(signal.tensor, rows), weights, rows)

    def counting(self, signal: Signal, own: bool) -> Tensor | None:
        """Which steps count, bool [N, T]: those that exist and that the mask selects."""
        valid, name = signal.valid(), self.train.loss.mask
        if name is None:
            return valid
        path = ("train", "loss", "mask")
        steps = signal.shape[:2]
        given = self.expander.signals.get(Ref(name))
        type = given.tensor.type if given else self.declared(name) or TensorType(self.expander.dtype, steps)
        sequence = signal.rank >= 3 or signal.dtype not in FLOATS
        if not sequence or type.shape != steps:
            if not own:
                return valid
            message = f"the mask {name} is {show(type.shape)}, the steps of {self.train.loss.output} are "
            message += show(steps) if sequence else f"none: it is {show(signal.shape)}"
            raise Problem("NW0405", message, self.load.span(path), labels=self.origin(signal))
        counts = self.counted_by(given.tensor if given else self.tensor(name, type))
        return counts if valid is None else counts.both(valid)

    @staticmethod
    def counted_by(mask: Tensor) -> Tensor:
        """Where a mask is not zero."""
        return mask if mask.dtype == "bool" else mask.compare("ne", 0)

    def check_output(self, loss: LossSpec, view: View) -> None:
        """Raises Problem if the loss has no meaning for the output; warns of doubled activations."""
        span = self.load.span(("train", "loss", "output"))
        labels = self.origin(view.signal)
        x = view.tensor
        if x.dtype not in FLOATS:
            message = f"{self.kind} needs floats, {view.name} is {show_type(x.dtype, x.shape)}"
            raise Problem("NW0406", message, span, labels=labels)
        if isinstance(loss, SoftmaxCrossEntropy):
            if x.rank < 2 or not isinstance(x.shape[-1], int) or x.shape[-1] < 2:
                message = (
                    f"softmax_cross_entropy needs classes in the last axis, {view.name} is {show(x.shape)}"
                )
                help = "for two classes in one number take binary_cross_entropy" if x.rank >= 2 else None
                raise Problem("NW0406", message, span, labels=labels, help=help)
            self.warn_doubled(loss, "NW0606", Softmax, "softmax")
        elif isinstance(loss, BinaryCrossEntropy):
            self.warn_doubled(loss, "NW0608", Sigmoid, "sigmoid")

    @property
    def kind(self) -> str:
        return self.train.loss.type

    def warn_doubled(self, loss: LossSpec, code: str, kind: type, name: str) -> None:
        ref = self.load.wiring.outputs[loss.output]
        layer = self.expander.layer(ref.name)
        if layer is None or ref.port or not _activates(layer, kind):
            return
        place = self.load.layer_span(layer.name, "type" if isinstance(layer, kind) else "activation")
        if isinstance(layer, kind):
            path = ("outputs", loss.output)
            shown = self.load.node((*path, "from")) or self.load.node(path)
            source = str(self.load.wiring.inputs[layer.name][0])
            fixes = replaced(shown, source, title=f"outputs: {{{loss.output}: {source}}}")
        else:
            node = self.load.node(self.load.entries[layer.name].path)
            fixes = with_key(node, "activation", "linear")
        self.expander.warn(
            code,
            f"{self.kind} applies {name} itself, and {loss.output} has been through it already",
            self.load.span(("train", "loss", "output")),
            [(place, f"{name} here")],
            f"make the layer before it the output of the loss, and keep {name} for another output",
            fixes,
        )

    def origin(self, signal: Signal, axis: int = -1) -> list[Label]:
        return self.expander.origin_label(signal.origins[axis]) if signal.origins else []

    # Targets.

    def declared(self, name: str) -> TensorType | None:
        """The type of a target as the spec declares it."""
        spec: TargetSpec | None = self.train.targets.get(name)
        return None if spec is None else TensorType(spec.dtype, self.expander.shape(spec.shape))

    def tensor(self, name: str, type: TensorType) -> Tensor:
        """The graph's input for a target."""
        if name not in self._tensors:
            self.targets[name] = type
            self._tensors[name] = Tensor(self.graph, self.graph.input(name, type, "target"))
        return self._tensors[name]

    def target(self, name: str, view: View, by_class: bool, used: Path) -> Tensor:
        """A target in the view's steps: floats, or classes (int64, set to 0 in steps that do not count). Raises
        Problem."""
        x = view.tensor
        has_classes = x.dtype not in FLOATS  # an output that holds classes already, such as argmax's
        labels = x.shape if has_classes else x.shape[:-1]
        default = TensorType("int64", labels) if by_class else TensorType(self.expander.dtype, x.shape)
        given = self.expander.signals.get(Ref(name))
        type = given.tensor.type if given else self.targets.get(name) or self.declared(name) or default
        classes = by_class and type.dtype in _INTEGERS
        expected = labels if classes or has_classes else x.shape
        whole = (*view.signal.shape[:2], *expected[1:]) if view.picked else expected
        self.check_target(name, type, expected, whole, by_class, view, used)
        tensor = given.tensor if given else self.tensor(name, type)
        if type.shape != expected:
            assert view.picked
            tensor = tensor.take(1, whole[1] - 1) if view.last is None else _rows(tensor, view.last)
        if not classes:
            return tensor.cast(self.expander.dtype)
        tensor = tensor.cast("int64")
        if view.weights is None:
            return tensor
        return _counted(view.weights, tensor)  # padding may hold any number, such as -1

    def check_target(
        self,
        name: str,
        type: TensorType,
        expected: Shape,
        whole: Shape,
        by_class: bool,
        view: View,
        used: Path,
    ) -> None:
        declared = name in self.train.targets
        labels = [(self.load.span(used), f"compared with {view.name} here")] if declared else []
        labels += self.origin(view.signal)
        target = f"{name} is {show_type(type.dtype, type.shape)}"
        if by_class and type.dtype == "bool":
            raise Problem(
                "NW0403",
                f"{target}: classes are integers",
                self.target_span(name, "dtype", used),
                labels=labels,
            )
        if by_class and type.dtype in FLOATS and type.shape == view.tensor.shape[:-1]:
            message = f"{target}: classes are integers, and probabilities are {show(view.tensor.shape)}"
            raise Problem(
                "NW0403", message, self.target_span(name, "dtype", used), labels=labels, help="dtype: int64"
            )
        if type.dtype in FLOATS and type.dtype != self.expander.dtype:
            message = f"{target}, the model computes in {self.expander.dtype}"
            raise Problem(
                "NW0319", message, self.target_span(name, "dtype", used), help=f"dtype: {self.expander.dtype}"
            )
        if type.shape in (expected, whole):
            return
        message = f"{target}, but {view.name} is {show(view.tensor.shape)}"
        help = f"shape: {show(expected)}"
        raise Problem("NW0403", message, self.target_span(name, "shape", used), labels=labels, help=help)

    def target_span(self, name: str, key: str, used: Path) -> Span:
        if name in self.train.targets:
            return self.load.span(("train", "targets", name, key))
        if name in self.expander.spec.inputs:
            return self.load.span(("inputs", name, key))
        return self.load.span(used)


def _counted(weights: Tensor, x: Tensor) -> Tensor:
    """Zeros in place of the samples or steps that do not count."""
    return where(weights.broadcast(x.shape, range(weights.rank)), x, 0)


def _rows(tensor: Tensor, rows: Tensor) -> Tensor:
    """Rows of a tensor [N, T, …] seen as [N·T, …]."""
    return tensor.reshape((product(tensor.shape[:2]), *tensor.shape[2:])).gather(rows)


def _activates(layer: LayerSpec, kind: type) -> bool:
    if isinstance(layer, Dense | Convolution):
        return isinstance(layer.activation, kind)
    return isinstance(layer, kind)
