"""``scan_window``: every window as a sample, and the combination of the windows' answers."""

from __future__ import annotations

from netwright.specs.dims import DimLike, Shape, product
from netwright.specs.models.initializers import GlorotUniform, Zeros
from netwright.specs.models.layers.scan_window import CombineWindows, Windows

from ...ops.views.layout import show
from ...ops.windows.scan_window import WindowsAttributes
from ..expansion import Expansion
from ..functions.activation import softmax
from ..scope import Scope, Signal
from ..tensor import Tensor
from .window import warn_dropped


def expand_windows(scope: Scope) -> Signal:
    """`[N, *S, C]` gives `[N·cells, *window, C]`."""
    signal = scope.input
    attrs = _windows(scope, signal)
    cells = attrs.counts(signal.shape)
    tensor = signal.tensor.apply("windows", attrs=attrs)
    rows = product((signal.shape[0], *cells))
    covered = [
        (size, (count - 1) * step + window)
        for size, count, step, window in zip(
            signal.shape[1:-1], cells, attrs.stride, attrs.window, strict=True
        )
    ]
    warn_dropped(scope, covered, "stride")
    scope.notes[0] = f"{rows} = {signal.shape[0]} samples × {' · '.join(map(str, cells))} windows"
    return scope.give(tensor.reshape((rows, *attrs.window, signal.shape[-1])))


def expand_combine_windows(scope: Scope) -> Signal:
    """`[N·cells, *R]` gives `[N, *cells, *R]`, or `[N, *R]` where the windows are combined."""
    spec = scope.spec
    assert isinstance(spec, CombineWindows)
    values, scanned = scope.inputs
    attrs = _windows(scope, scanned)
    cells = attrs.counts(scanned.shape)
    batch = scanned.shape[0]
    if values.shape[0] != product((batch, *cells)):
        message = f"{show(values.shape)} are not the answers for {product((batch, *cells))} windows"
        raise scope.problem("NW0308", message, labels=scope.blame(values, 0))
    x = scope.floats(values).reshape((batch, *cells, *values.shape[1:]))
    axes = list(range(1, 1 + len(cells)))
    return scope.give(_combined(scope, spec, x, cells, axes), like=scanned)


def _combined(scope: Scope, spec: CombineWindows, x: Tensor, cells: Shape, axes: list[int]) -> Tensor:
    match spec.combine:
        case "max":
            return x.reduce("max", axes)
        case "mean":
            return x.mean(axes)
        case "softmax":
            rest = x.shape[1 + len(cells) :]
            rows = x.reshape((x.shape[0], product(cells), *rest))
            return (rows * softmax(rows, 1)).sum([1])
        case "logistic":
            rest = x.shape[1 + len(cells) :]
            shape = [_known(scope, size) for size in (*cells, *rest)]
            kernel = scope.parameter("kernel", shape, GlorotUniform())
            bias = scope.parameter("bias", shape[len(cells) :], Zeros())
            return ((x * kernel).sum(axes) + bias).sigmoid()
    return x


def _known(scope: Scope, size: DimLike) -> int:
    if not isinstance(size, int):
        message = f"combine: logistic has a weight for each window, their number {size} has to be known"
        raise scope.problem(
            "NW0314", message, "combine", help="combine: softmax, max or mean take any number"
        )
    return size


def _windows(scope: Scope, signal: Signal) -> WindowsAttributes:
    """The geometry of the windows on a signal. Raises Problem."""
    spec = scope.spec
    assert isinstance(spec, Windows | CombineWindows)
    scope.check_rank(signal, "[N, T, C], [N, H, W, C] or [N, D, H, W, C]", 3 <= signal.rank <= 5)
    rank = signal.rank - 2
    window = _per_axis(scope, spec.window, rank, "window")
    stride = _per_axis(scope, spec.stride, rank, "stride")
    for axis, size in enumerate(signal.shape[1:-1]):
        least = scope.least(size)
        if least is None or least < window[axis]:
            label = f"{window[axis]} is larger than the input, {size}"
            if not isinstance(size, int):
                label = (
                    f"{window[axis]} may be larger than the input, {size}, which may be as short as {least}"
                )
            raise scope.problem(
                "NW0304",
                "the window does not fit",
                "window",
                label=label,
                labels=scope.trace((signal, 1 + axis)),
            )
    return WindowsAttributes(window, stride)


def _per_axis(scope: Scope, value: int | tuple[int, ...], rank: int, key: str) -> tuple[int, ...]:
    if isinstance(value, int):
        return (value,) * rank
    if len(value) != rank:
        message = f"expected {rank} values, one for each axis that is scanned, found {len(value)}"
        raise scope.problem("NW0208", message, key)
    return value


EXPANSIONS = {
    Windows: Expansion(expand_windows),
    CombineWindows: Expansion(expand_combine_windows),
}
