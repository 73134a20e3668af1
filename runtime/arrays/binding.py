"""Binds the named dims to the shapes of arrays. Errors say which axis disagrees with what."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from netwright.specs.dims import Dim, DimLike, dim, evaluate, parse_dim
from netwright.specs.manifest import BufferInfo, DimInfo

from ..errors import InputError


def parse_shape(info: BufferInfo) -> tuple[DimLike, ...]:
    """The buffer's shape, its sizes parsed."""
    return tuple(map(parse_dim, info.shape))


def shape_text(sizes: Iterable[object]) -> str:
    """A shape as specs write it: ``[N, 28, 28, 1]``."""
    return f"[{', '.join(map(str, sizes))}]"


class Binder:
    """Binds dims from the shapes of ``buffers``: an axis that is a bare name binds the dim, any other expression is
    checked.
    """

    def __init__(self, buffers: Sequence[BufferInfo], dims: Sequence[DimInfo], *, kind: str = "input"):
        self._kind = kind
        self._shapes = {info.name: parse_shape(info) for info in buffers}
        self._ranges = {info.name: info for info in dims}

    def bind(
        self, shapes: Mapping[str, tuple[int, ...]], known: Mapping[str, int] | None = None
    ) -> dict[str, int]:
        """The value of every dim that the shapes mention, those ``known`` before included. Raises InputError for the
        first axis that does not fit.
        """
        binding = dict(known or {})
        origin = dict.fromkeys(binding, "the call")
        for name, expected in self._shapes.items():
            shape = shapes[name]
            if len(shape) != len(expected):
                raise self._error(name, f"must have {len(expected)} axes", shape)
            for axis, (size, value) in enumerate(zip(expected, shape, strict=True)):
                symbol = bare_name(size)
                if symbol is None:
                    continue
                if symbol not in binding:
                    self._check_range(name, axis, symbol, value)
                    binding[symbol] = value
                    origin[symbol] = f"axis {axis} of {name!r}"
                elif binding[symbol] != value:
                    detail = f"axis {axis} must be {symbol} = {binding[symbol]}, from {origin[symbol]}"
                    raise self._error(name, detail, shape)
        for name, expected in self._shapes.items():
            for axis, (size, value) in enumerate(zip(expected, shapes[name], strict=True)):
                self._check_size(name, axis, size, value, shapes[name], binding)
        return binding

    def _check_range(self, name: str, axis: int, symbol: str, value: int) -> None:
        info = self._ranges.get(symbol)
        if info is not None and not info.admits(value):
            raise InputError(
                f"{self._kind} {name!r}: axis {axis} is {value}, but {not_admitted(info, value)}"
            )

    def _check_size(
        self,
        name: str,
        axis: int,
        size: DimLike,
        value: int,
        shape: tuple[int, ...],
        binding: Mapping[str, int],
    ) -> None:
        try:
            wanted = evaluate(size, binding)
        except KeyError as error:
            raise InputError(
                f"{self._kind} {name!r}: no axis of any {self._kind} says how large {error} is"
            ) from None
        if wanted != value:
            from_dims = "" if isinstance(size, int) else f"{size} = "
            raise self._error(name, f"axis {axis} must be {from_dims}{wanted}", shape)

    def _error(self, name: str, detail: str, shape: tuple[int, ...]) -> InputError:
        expected = shape_text(self._shapes[name])
        return InputError(
            f"{self._kind} {name!r}: {detail} (expected the shape {expected}, found {shape_text(shape)})"
        )


def not_admitted(info: DimInfo, value: int) -> str:
    """What a dim must be, for a size that it can't have: `H must be at least 32 and a multiple of 32: 64 or 96`."""
    fitting = f": {' or '.join(map(str, info.nearest(value)))}" if info.multiple_of > 1 else ""
    return f"{info.name} must be {info.admitted}{fitting}"


def bare_name(size: DimLike) -> str | None:
    """The name of the dim if ``size`` is just a dim, such as the ``N`` of ``[N, 3]``; otherwise None."""
    if isinstance(size, Dim) and size == dim(size.text):
        return size.text
    return None
