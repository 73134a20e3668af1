"""The target that an output is compared with: its default type, and whether both fit."""

from __future__ import annotations

from netwright.specs.dims import Shape
from netwright.specs.source.tree import Path

from ...graph.types import FLOATS, TensorType
from ...ops.views.layout import show
from ..problem import Problem, show_type
from ..tensor import Tensor
from .outputs import Outputs, View, rows

_INTEGERS = ("int32", "int64", "uint8")


class Comparing:
    """Finds the targets of views."""

    def __init__(self, outputs: Outputs):
        self.outputs, self.targets = outputs, outputs.targets
        self.expander, self.load = outputs.expander, outputs.load

    def target(self, name: str, view: View, by_class: bool, used: Path) -> Tensor:
        """A target in the view's steps: floats, or classes (int64, set to 0 in steps that do not count). Raises
        Problem."""
        x = view.tensor
        has_classes = x.dtype not in FLOATS  # an output that holds classes already, such as argmax's
        labels = x.shape if has_classes else x.shape[:-1]
        default = TensorType("int64", labels) if by_class else TensorType(self.expander.dtype, x.shape)
        type = self.targets.known(name) or default
        classes = by_class and type.dtype in _INTEGERS
        expected = labels if classes or has_classes else x.shape
        whole = (*view.signal.shape[:2], *expected[1:]) if view.picked else expected
        self.check(name, type, expected, whole, by_class, view, used)
        tensor = self.targets.given(name, type)
        if type.shape != expected:
            assert view.picked
            tensor = tensor.take(1, whole[1] - 1) if view.last is None else rows(tensor, view.last)
        if not classes:
            return tensor.cast(self.expander.dtype)
        return view.counted(tensor.cast("int64"))  # padding may hold any number, such as -1

    def check(
        self,
        name: str,
        type: TensorType,
        expected: Shape,
        whole: Shape,
        by_class: bool,
        view: View,
        used: Path,
    ) -> None:
        """Raises Problem unless a target of this type can be compared with the view."""
        place = self.load.span(used)
        labels = [(place, f"compared with {view.name} here")] if name in self.targets.train.targets else []
        labels += self.outputs.origin(view.signal)
        target = f"{name} is {show_type(type.dtype, type.shape)}"
        at_dtype, at_shape = (self.targets.span(name, key, place) for key in ("dtype", "shape"))
        if by_class and type.dtype == "bool":
            raise Problem("NW0403", f"{target}: classes are integers", at_dtype, labels=labels)
        if by_class and type.dtype in FLOATS and type.shape == view.tensor.shape[:-1]:
            message = f"{target}: classes are integers, and probabilities are {show(view.tensor.shape)}"
            raise Problem("NW0403", message, at_dtype, labels=labels, help="dtype: int64")
        self.targets.check_float(name, type, place)
        if type.shape in (expected, whole):
            return
        message = f"{target}, but {view.name} is {show(view.tensor.shape)}"
        raise Problem("NW0403", message, at_shape, labels=labels, help=f"shape: {show(expected)}")
