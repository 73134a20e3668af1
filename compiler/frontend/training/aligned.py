"""What losses of whole sequences compare: the steps of an output, and those of a target that may have others."""

from __future__ import annotations

from netwright.specs.models.losses import Ctc, SoftDtw
from netwright.specs.source.tree import Path

from ...graph.types import FLOATS, TensorType
from ...ops.views.layout import show
from ..problem import Problem, show_type
from ..tensor import Tensor, full, iota
from .outputs import View
from .targets import Targets

_INTEGERS = ("int32", "int64", "uint8")


def counted_steps(view: View, targets: Targets) -> tuple[Tensor, Tensor]:
    """An output [N, T, …] with zeros in the steps that do not count, and which of them do, bool [N, T]; without the
    steps in which all sequences have ended."""
    x = view.counted(view.tensor)
    exists, steps = view.weights, targets.expander.steps_of(view.signal)
    if exists is None:
        exists = full(x.graph, True, TensorType("bool", x.shape[:2]))
    return x.first(1, steps), exists.first(1, steps)


def sequences(loss: Ctc | SoftDtw, view: View, targets: Targets, path: Path) -> tuple[Tensor, Tensor, Tensor]:
    """The target of a loss, how many of its steps each sample has, int64 [N], and which these are, bool [N, M]. Raises
    Problem."""
    target = _target(loss, view, targets, path)
    batch, most = target.shape[:2]
    steps = iota(target.graph, "int64", (batch, most), 1)
    if loss.target_lengths is None:
        lengths = full(target.graph, 1, TensorType("int64", (batch,))) * steps.count(most)
    else:
        lengths = _lengths(loss.target_lengths, target, targets, path)
    return target, lengths, steps.compare("lt", lengths.broadcast(steps.shape, [0]))


def _target(loss: Ctc | SoftDtw, view: View, targets: Targets, path: Path) -> Tensor:
    """Labels [N, L], or vectors [N, M, F] like the output's. Raises Problem."""
    shape, name = view.tensor.shape, loss.target
    used = targets.expander.load.span((*path, "target"))
    labels = isinstance(loss, Ctc)
    form = f"[{shape[0]}, …]" if labels else f"[{shape[0]}, …, {shape[-1]}]"
    dtypes = _INTEGERS if labels else FLOATS
    wanted = "int64" if labels else targets.expander.dtype
    type = targets.known(name)
    if type is None:
        help = f"train: {{targets: {{{name}: {{shape: {form}, dtype: {wanted}}}}}}}"
        raise Problem("NW0403", f"the shape of {name} does not follow from {view.name}", used, help=help)
    shown, place = show_type(type.dtype, type.shape), targets.span(name, "dtype", used)
    if type.dtype not in dtypes:
        kind = "labels are integers" if labels else "it is compared with floats"
        raise Problem("NW0403", f"{name} is {shown}: {kind}", place, help=f"dtype: {wanted}")
    targets.check_float(name, type, used)
    around = (shape[0],) if labels else (shape[0], shape[-1])
    if type.rank != len(around) + 1 or (type.shape[0], *type.shape[2:]) != around:
        message = f"{name} is {show(type.shape)}, {loss.type} takes {form} beside {view.name}, {show(shape)}"
        place = targets.span(name, "shape", used)
        raise Problem("NW0403", message, place, help=f"shape: {form}")
    return targets.given(name, type)


def _lengths(name: str, target: Tensor, targets: Targets, path: Path) -> Tensor:
    """The steps of each sample's target. Raises Problem."""
    expected = TensorType("int64", target.shape[:1])
    own = targets.known(name) or expected
    if own.dtype not in ("int32", "int64") or own.shape != expected.shape:
        message = f"lengths are integers {show(expected.shape)}, {name} is {show_type(own.dtype, own.shape)}"
        used = targets.expander.load.span((*path, "target_lengths"))
        raise Problem("NW0403", message, targets.span(name, "shape", used))
    return targets.expander.checked_lengths(targets.given(name, own).cast("int64"), target.shape[1])
