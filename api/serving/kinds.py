"""Kinds of work: requests that can be joined, and that take about as long as each other."""

from __future__ import annotations

from math import inf

from .joining import Arrays, Joining, Key
from .remembering import keep

#: So many combinations of shapes are remembered.
_MOST_KINDS = 4096


class Kind:
    """Work whose arrays have certain shapes: what has to be equal of requests that are joined (None: it is computed by
    itself), how many samples it has, and how many seconds it took lately.
    """

    __slots__ = ("key", "rows", "seconds")

    def __init__(self, key: Key | None, rows: int):
        self.key, self.rows = key, rows
        self.seconds = inf

    def took(self, seconds: float) -> None:
        """Notes how long work of this kind took."""
        # Once may be slow because another process ran.
        self.seconds = min(seconds, 1.5 * self.seconds)


class Kinds:
    """The kinds of work that there were. When there are too many, all are forgotten."""

    def __init__(self, joining: Joining | None):
        self._joining = joining
        self._by_shapes: dict[object, Kind] = {}
        self._by_key: dict[object, Kind] = {}

    def of(self, arrays: Arrays) -> Kind:
        """The kind of a request to predict. Raises InputError as ``Joining.described`` does."""
        shapes = tuple([(name, array.shape) for name, array in arrays.items()])
        kind = self._by_shapes.get(shapes)
        if kind is None:
            joining = self._joining
            kind = Kind(None, 1) if joining is None else self.joined(*joining.described(arrays))
            keep(self._by_shapes, shapes, kind, _MOST_KINDS)
        return kind

    def alone(self, arrays: Arrays) -> Kind:
        """The kind of other work with these arrays, which is never joined."""
        shapes = tuple([array.shape for array in arrays.values()])
        kind = self._by_key.get(shapes)
        return keep(self._by_key, shapes, Kind(None, 1), _MOST_KINDS) if kind is None else kind

    def joined(self, key: Key, rows: int) -> Kind:
        """The kind of a batch of so many samples of requests with this key."""
        kind = self._by_key.get((rows, key))
        return keep(self._by_key, (rows, key), Kind(key, rows), _MOST_KINDS) if kind is None else kind
