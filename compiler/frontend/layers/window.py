"""How windows slide along an axis: padding, the number of cells, and errors about them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from netwright.specs.diagnostics.fixes import Fix, replaced, with_key
from netwright.specs.dims import Dim, DimLike, bounds, ceil_div, dim_max, dim_min, dim_symbols, evaluate
from netwright.specs.models.layers.pool import Pool
from netwright.specs.models.layers.window import KernelLayer

from ..origins import input_sizes, smallest_input
from ..problem import Problem
from ..scope import Scope, Signal
from ..tensor import Tensor, where

Windowed = KernelLayer | Pool
#: What convolutions and pools read, by their number of spatial axes.
SPATIAL_SHAPES = {1: "[N, T, C]", 2: "[N, H, W, C]", 3: "[N, D, H, W, C]"}


@dataclass(frozen=True, slots=True)
class WindowAxis:
    """One spatial axis: ``span`` is the window's size with dilation, ``cells`` the number of windows."""

    size: DimLike
    span: int
    stride: int
    low: DimLike
    high: DimLike
    cells: DimLike
    window: int
    dilation: int

    @property
    def padded(self) -> DimLike:
        return self.size + self.low + self.high

    @property
    def covered(self) -> DimLike:
        """The cells from the first cell of the first window to the last cell of the last."""
        return (self.cells - 1) * self.stride + self.span

    @property
    def fits_whole(self) -> bool:
        """Whether no window is cut at the border of the padded input."""
        return self.cells == (self.padded - self.span) // self.stride + 1


def check_windows(scope: Scope) -> list[WindowAxis]:
    """The windows of a convolution or pool on its input, one entry per spatial axis. Raises Problem."""
    spec, signal = scope.spec, scope.input
    assert isinstance(spec, KernelLayer | Pool)
    help = None
    if signal.rank == spec.rank + 1:
        shape = [*map(str, signal.shape), "1"]
        help = f"for one channel: {{type: reshape, shape: [{', '.join(shape)}]}}"
    scope.check_rank(signal, SPATIAL_SHAPES[spec.rank], signal.rank == spec.rank + 2, help)
    axes = [_axis(scope, spec, signal, position) for position in range(spec.rank)]
    _warn(scope, spec, axes)
    return axes


def _axis(scope: Scope, spec: Windowed, signal: Signal, position: int) -> WindowAxis:
    size, window = signal.shape[1 + position], spec.window[position]
    stride, dilation = spec.strides[position], spec.dilations[position]
    span = (window - 1) * dilation + 1
    low, high = _padding(scope, spec.padding[position], size, span, stride)
    if isinstance(spec, Pool) and max(_at_least(low), _at_least(high)) >= span:
        message = f"a window of {span} can lie wholly in the padding, where there is nothing to pool"
        raise scope.problem("NW0304", message, "padding")
    padded = size + low + high
    least = scope.least(padded)
    if least is None or least < span:
        raise _does_not_fit(scope, spec, position, span, padded, least)
    ceil = isinstance(spec, Pool) and spec.rounding == "ceil"
    cells = _cells(size, low, padded, span, stride, ceil)
    axis = WindowAxis(size, span, stride, low, high, cells, window, dilation)

    padding = spec.padding[position]

    def rule(size: int) -> int | None:  # without the scope, which keeps it
        amounts = _amounts(padding, size, span, stride)
        if amounts is None:
            return None
        low, high = amounts
        padded = size + low + high
        cells = _cells(size, low, padded, span, stride, ceil)
        return cells if isinstance(padded, int) and padded >= span and isinstance(cells, int) else None

    # An unchanged size stays unchanged for other inputs, too, so its origin says nothing.
    if cells != size or stride > 1:
        scope.derive(1 + position, arithmetic(axis, ceil), signal.origins[1 + position], rule=rule)
    return axis


def _cells(size: DimLike, low: DimLike, padded: DimLike, span: int, stride: int, ceil: bool) -> DimLike:
    """The number of windows."""
    if not ceil:
        return (padded - span) // stride + 1
    cells = ceil_div(padded - span, stride) + 1
    if cells == ceil_div(size, stride):
        return cells
    # A window that starts beyond the input, in the padding after it, has no cell at all.
    return dim_min(cells, ceil_div(size + low, stride))


def _at_least(size: DimLike) -> int:
    return bounds(size, {})[0] or 0


def _padding(
    scope: Scope, padding: str | tuple[int, int], size: DimLike, span: int, stride: int
) -> tuple[DimLike, DimLike]:
    """The cells before and after the input. Raises Problem if they can't be known."""
    amounts = _amounts(padding, size, span, stride)
    if amounts is None:
        message = f"{padding} with a stride larger than the window needs a known size, not {size}"
        raise scope.problem("NW0314", message, "padding", labels=scope.blame(scope.input))
    return amounts


def _amounts(
    padding: str | tuple[int, int], size: DimLike, span: int, stride: int
) -> tuple[DimLike, DimLike] | None:
    if not isinstance(padding, str):
        return padding
    if padding == "valid":
        return 0, 0
    if padding == "causal":
        return span - 1, 0
    if padding == "same":
        return (span - 1) // 2, span - 1 - (span - 1) // 2
    total: DimLike = (ceil_div(size, stride) - 1) * stride + span - size
    if span < stride:
        if isinstance(total, Dim):
            return None
        total = dim_max(0, total)
    less, more = total // 2, total - total // 2
    return (less, more) if padding == "same_upper" else (more, less)


def _does_not_fit(
    scope: Scope, spec: Windowed, position: int, span: int, padded: DimLike, least: int | None
) -> Problem:
    key = "pool_size" if isinstance(spec, Pool) else "kernel_size"
    size, window = scope.input.shape[1 + position], spec.window[position]
    wide = f"{span}" if window == span else f"{window} cells, {span} with the dilation,"
    room = f"{size}" if padded == size else f"{size}, {padded} with its padding"
    load = scope.expander.load
    layer = load.node(load.entries[spec.name].path)
    fixes = list(with_key(layer, "padding", "same"))
    if isinstance(padded, int):
        label = f"{wide} is larger than the input, {room}"
        fitting = (padded - 1) // spec.dilations[position] + 1
        if padded > 0:
            square = len(set(spec.window)) == 1
            sizes = [fitting if axis == position else size for axis, size in enumerate(spec.window)]
            fixes += with_key(layer, key, fitting if square else sizes)
        fixes += _larger_input(scope, spec)
    else:
        shortest = f", which may be as short as {least}" if least is not None else ""
        label = f"{wide} may be larger than the input, {room}{shortest}"
        fixes = [*_minimum(scope, spec), *fixes]
    listed = load.layer_span(spec.name, key, position) != load.layer_span(spec.name, key)
    return scope.problem(
        "NW0304",
        "the window does not fit",
        *((key, position) if listed else (key,)),
        label=label,
        labels=scope.trace((scope.input, 1 + position)),
        fixes=fixes,
    )


def _larger_input(scope: Scope, spec: Windowed) -> tuple[Fix, ...]:
    """The smallest input for which all windows of the layer fit."""
    choices = []
    for position, window in enumerate(spec.window):
        span = (window - 1) * spec.dilations[position] + 1

        def fits(size: int, position: int = position, span: int = span) -> bool:
            low, high = _padding(scope, spec.padding[position], size, span, spec.strides[position])
            padded = size + low + high
            return isinstance(padded, int) and padded >= span

        choices.append(smallest_input(scope.input.origins[1 + position], fits))
    return input_sizes(scope.expander.load, choices, " or more")


def _minimum(scope: Scope, spec: Windowed) -> tuple[Fix, ...]:
    """The declaration for which all windows of the layer fit: one fix for all sizes that may be too small."""
    wanted: dict[str, int] = {}
    for position, window in enumerate(spec.window):
        span, size = (window - 1) * spec.dilations[position] + 1, scope.input.shape[1 + position]
        low, high = _padding(scope, spec.padding[position], size, span, spec.strides[position])
        padded = size + low + high
        known = scope.least(padded)
        if isinstance(padded, int) or (known is not None and known >= span):
            continue
        minimum = least_size(padded, span)
        if minimum is None:
            return ()
        name, least = minimum
        wanted[name] = max(least, wanted.get(name, 0))
    if not wanted:
        return ()
    load, edits = scope.expander.load, []
    title = minimum_text(wanted)
    for name, least in wanted.items():
        declared = load.node(("dims", name))
        if declared is not None and isinstance(declared.value, str):
            fixes = replaced(declared, {"role": declared.value, "min": least})
        else:
            fixes = with_key(declared, "min", least)
        if not fixes:
            return ()
        edits += fixes[0].edits
    return (Fix(title, tuple(edits)),)


def minimum_text(wanted: Mapping[str, int]) -> str:
    """The section `dims` that declares minimum sizes."""
    return f"dims: {{{', '.join(f'{name}: {{min: {least}}}' for name, least in wanted.items())}}}"


def least_size(size: DimLike, needed: int) -> tuple[str, int] | None:
    """The only dim that a size depends on, and its least value for which the size is large enough."""
    symbols = dim_symbols(size)
    if len(symbols) != 1:
        return None
    (name,) = symbols
    for least in range(1, 4097):
        if (
            evaluate(size, {name: least}) >= needed
            and (bounds(size, {name: (least, None)})[0] or 0) >= needed
        ):
            return name, least
    return None


def arithmetic(axis: WindowAxis, ceil: bool) -> str:
    """How the number of windows is computed, in words."""
    padded = " + ".join(str(part) for part in (axis.size, axis.low, axis.high) if part != 0)
    inside = padded if " " not in padded else f"({padded})"
    if axis.stride == 1:
        return f"{axis.cells} = {padded} − {axis.span} + 1"
    if ceil and axis.span == axis.stride:
        return f"{axis.cells} = ⌈{inside} / {axis.stride}⌉"
    left, right = "⌈⌉" if ceil else "⌊⌋"
    return f"{axis.cells} = {left}({padded} − {axis.span}) / {axis.stride}{right} + 1"


def _warn(scope: Scope, spec: Windowed, axes: list[WindowAxis]) -> None:
    for axis, padding in zip(axes, spec.padding, strict=True):
        if padding == "same" and (axis.stride > 1 or axis.span % 2 == 0):
            why = f"stride {axis.stride}" if axis.stride > 1 else f"an even window, {axis.span}"
            message = f"padding: same with {why} differs from TensorFlow and Keras"
            help = (
                "padding: same_upper gives their numbers; same pads ⌊(F − 1) / 2⌋ before, whatever the stride"
            )
            fixes = scope.with_setting("padding", "same_upper")
            scope.warn("NW0604", message, "padding", help=help, fixes=fixes)
            break
    for axis in axes:
        floor_cells = (axis.padded - axis.span) // axis.stride + 1
        if axis.cells != floor_cells:
            message = f"rounding: ceil gives {axis.cells} cells where Keras and PyTorch give {floor_cells}"
            fixes = scope.with_setting("rounding", "floor")
            scope.warn("NW0605", message, "rounding", help="rounding: floor gives their shape", fixes=fixes)
            break
    # Cells of the padding may be left over: nothing is lost with them. A window that is smaller than its stride skips
    # cells everywhere, on purpose, as in the shortcuts of residual networks.
    covered = [axis.size if axis.span < axis.stride else axis.covered - axis.low for axis in axes]
    warn_dropped(scope, [(axis.size, size) for axis, size in zip(axes, covered, strict=True)], "stride")


def warn_dropped(scope: Scope, axes: Sequence[tuple[DimLike, DimLike]], key: str) -> None:
    """Warns of cells at the border that no window covers; for each spatial axis, how many these are and how many are
    covered."""
    names = {1: ["step"], 2: ["row", "column"], 3: ["slice", "row", "column"]}[len(axes)]
    dropped = [
        f"the last {count} of {size} {name}s" if count > 1 else f"the last of {size} {name}s"
        for name, (size, covered) in zip(names, axes, strict=True)
        if isinstance(count := size - covered, int) and count > 0
    ]
    if dropped:
        message = f"the stride drops border cells: no window covers {' and '.join(dropped)}"
        labels = scope.blame(scope.input, 1)
        padded = "padding" in type(scope.spec).model_fields
        fixes = scope.with_setting("padding", "same_upper") if padded else ()
        help = "pad the input, or take another stride"
        scope.warn("NW0603", message, key, labels=labels, help=help, fixes=fixes)


def pad_windows(x: Tensor, axes: list[WindowAxis], fill: float) -> Tensor:
    """The input with its padding, extended so that the last window is complete."""
    low: list[DimLike] = [0, *(axis.low for axis in axes), 0]
    high: list[DimLike] = [0, *(axis.high + _missing(axis) for axis in axes), 0]
    x = x.pad(low, high, fill)
    for position, axis in enumerate(axes):
        if not axis.fits_whole and axis.stride > axis.span:
            x = x.slice(1 + position, 0, axis.covered)
    return x


def _missing(axis: WindowAxis) -> DimLike:
    """How many cells windows cover beyond the padded input; an upper bound if that may be zero."""
    if axis.fits_whole:
        return 0
    return axis.stride if axis.stride > axis.span else axis.covered - axis.padded


def check_time(scope: Scope, axes: list[WindowAxis]) -> Tensor:
    """The input for windows along time, with zeros past each sequence's end. Raises Problem if the result has other
    steps than the input."""
    signal = scope.input
    if signal.lengths is not None and (axes[0].cells != axes[0].size or axes[0].stride != 1):
        why = f"it turns {axes[0].size} steps into {axes[0].cells}"
        scope.refuse_lengths(signal, f"{why}; padding: same or causal with stride 1 keeps them")
    valid = signal.valid_like()
    x = scope.floats(signal)
    return x if valid is None else where(valid, x, 0)
