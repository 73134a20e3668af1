"""Whether a loss has a meaning for its output and target; warns of activations that the loss applies itself."""

from __future__ import annotations

from netwright.specs.diagnostics.fixes import replaced, with_key
from netwright.specs.models.activations import Sigmoid, Softmax
from netwright.specs.models.layers.base import LayerSpec
from netwright.specs.models.layers.conv import Convolution
from netwright.specs.models.layers.dense import Dense
from netwright.specs.models.losses import (
    AnyComparison,
    BinaryCrossEntropy,
    Cosine,
    Ctc,
    KlDivergence,
    MultiClassHinge,
    SoftDtw,
    SoftmaxCrossEntropy,
)
from netwright.specs.source.tree import Path

from ...graph.types import FLOATS
from ...ops.views.layout import show
from ..problem import Problem, show_type
from ..tensor import Tensor
from .outputs import Outputs, View

_OF_CLASSES = (SoftmaxCrossEntropy, MultiClassHinge, KlDivergence)


class Suitability:
    """Checks the losses of an expanded network; ``path`` is that of the loss."""

    def __init__(self, outputs: Outputs):
        self.outputs, self.expander, self.load = outputs, outputs.expander, outputs.load

    def check_output(self, loss: AnyComparison, view: View, path: Path) -> None:
        """Raises Problem if the loss has no meaning for the output."""
        span = self.load.span((*path, "output"))
        labels = self.outputs.origin(view.signal)
        x = view.tensor
        if x.dtype not in FLOATS:
            message = f"{loss.type} needs floats, {view.name} is {show_type(x.dtype, x.shape)}"
            raise Problem("NW0406", message, span, labels=labels)
        if isinstance(loss, _OF_CLASSES) and (
            x.rank < 2 or not isinstance(x.shape[-1], int) or x.shape[-1] < 2
        ):
            message = f"{loss.type} needs classes in the last axis, {view.name} is {show(x.shape)}"
            two = "hinge" if isinstance(loss, MultiClassHinge) else "binary_cross_entropy"
            help = f"for two classes in one number take {two}" if x.rank >= 2 else None
            raise Problem("NW0406", message, span, labels=labels, help=help)
        if isinstance(loss, Ctc):
            self.check_ctc(loss, view, path)
        if isinstance(loss, SoftDtw) and x.rank != 3:
            message = f"soft_dtw compares sequences of vectors, [N, T, F], {view.name} is {show(x.shape)}"
            raise Problem("NW0406", message, span, labels=labels)
        if isinstance(loss, Cosine) and x.rank < 2:
            message = f"cosine compares vectors along the last axis, {view.name} is {show(x.shape)}"
            raise Problem("NW0406", message, span, labels=labels, help=f"an output [{x.shape[0]}, …, F]")
        if isinstance(loss, SoftmaxCrossEntropy) and loss.class_weights is not None:
            self.check_count(loss.class_weights, "class_weights", "classes", view, path)
        if isinstance(loss, BinaryCrossEntropy) and isinstance(loss.positive_weight, tuple):
            self.check_count(loss.positive_weight, "positive_weight", "elements of the last axis", view, path)
        if isinstance(loss, SoftmaxCrossEntropy | KlDivergence | Ctc):
            self.warn_doubled(loss, "NW0606", Softmax, "softmax", path)
        elif isinstance(loss, BinaryCrossEntropy):
            self.warn_doubled(loss, "NW0608", Sigmoid, "sigmoid", path)

    def check_ctc(self, loss: Ctc, view: View, path: Path) -> None:
        """Raises Problem unless the output has logits per step, and one of their classes is the blank."""
        shape, labels = view.tensor.shape, self.outputs.origin(view.signal)
        if len(shape) != 3 or not isinstance(shape[-1], int) or shape[-1] < 2:
            message = f"ctc needs logits per step, [N, T, C], {view.name} is {show(shape)}"
            raise Problem("NW0406", message, self.load.span((*path, "output")), labels=labels)
        if loss.blank != "last" and loss.blank >= shape[-1]:
            message = f"the blank is class {loss.blank}, but {view.name} has {shape[-1]} classes"
            place = self.load.span((*path, "blank"))
            raise Problem("NW0406", message, place, labels=labels, help="blank: last")

    def check_count(self, weights: tuple[float, ...], key: str, what: str, view: View, path: Path) -> None:
        """Raises Problem unless there is a weight per element of the last axis."""
        size = view.tensor.shape[-1] if view.tensor.rank >= 2 else None
        if size != len(weights):
            shape = show(view.tensor.shape)
            message = f"{key} has {len(weights)} weights, but {view.name} is {shape}"
            help = f"one for each of the {size} {what}" if isinstance(size, int) else "one number for all"
            labels = self.outputs.origin(view.signal)
            raise Problem("NW0406", message, self.load.span((*path, key)), labels=labels, help=help)

    def check_target(self, loss: AnyComparison, target: Tensor, path: Path) -> None:
        """Raises Problem if the loss has no meaning for the target."""
        if isinstance(loss, MultiClassHinge) and target.dtype in FLOATS:
            message = (
                f"multi_class_hinge needs classes, {loss.target} is {show_type(target.dtype, target.shape)}"
            )
            labels = [(self.load.span((*path, "type")), "this loss")]
            place = self.outputs.targets.span(loss.target, "dtype", self.load.span((*path, "target")))
            help = f"shape: {show(target.shape[:-1])}, dtype: int64"
            raise Problem("NW0403", message, place, labels=labels, help=help)

    def warn_doubled(self, loss: AnyComparison, code: str, kind: type, name: str, path: Path) -> None:
        ref = self.load.wiring.outputs[loss.output]
        layer = self.expander.layer(ref.name)
        if layer is None or ref.port or not _activates(layer, kind):
            return
        place = self.load.layer_span(layer.name, "type" if isinstance(layer, kind) else "activation")
        if isinstance(layer, kind):
            written = ("outputs", loss.output)
            shown = self.load.node((*written, "from")) or self.load.node(written)
            source = str(self.load.wiring.inputs[layer.name][0])
            fixes = replaced(shown, source, title=f"outputs: {{{loss.output}: {source}}}")
        else:
            node = self.load.node(self.load.entries[layer.name].path)
            fixes = with_key(node, "activation", "linear")
        self.expander.warn(
            code,
            f"{loss.type} applies {name} itself, and {loss.output} has been through it already",
            self.load.span((*path, "output")),
            [(place, f"{name} here")],
            f"make the layer before it the output of the loss, and keep {name} for another output",
            fixes,
        )


def _activates(layer: LayerSpec, kind: type) -> bool:
    if isinstance(layer, Dense | Convolution):
        return isinstance(layer.activation, kind)
    return isinstance(layer, kind)
