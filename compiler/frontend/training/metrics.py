"""The metrics as sums over a batch, from which ``runtime/scores.py`` computes what is reported.

Classes are counted in float64, which is exact to 2⁵³, as are the sums of r2, so that subtracting them keeps digits.
"""

from __future__ import annotations

from netwright.specs.dims import product
from netwright.specs.models.metrics import AnyClassMetric, TopKAccuracy

from ...graph.rules import ShapeError
from ...graph.types import FLOATS
from ...ops.indexing.gather import ScatterAddAttributes
from ...ops.views.layout import show
from ..functions.activation import log_softmax
from ..functions.selection import one_hot
from ..tensor import Tensor, dim_value, full, iota, where
from .losses import squared_error
from .outputs import View

_EXACT = "float64"
#: How many ranges of equal width there are for the scores of auc, from −16 to 16; the outermost are open.
RANGES, _WIDEST = 2048, 16
_MOST_CLASSES, _TINY = 64, 1e-30


def correct(x: Tensor, target: Tensor, *, logistic: bool) -> Tensor:
    """1 where the answer is right, else 0.

    ``logistic``: each element of ``x`` is a logit, which is right if it is positive where the target is above ½ and
    only there. Otherwise the class is the position of the largest value on the last axis, or ``x`` itself if that
    holds integers.
    """
    if logistic:
        right = x.compare("gt", 0).apply("eq", target.compare("gt", 0.5))
    else:
        said = x.argmax(x.rank - 1) if x.dtype in FLOATS else x.cast("int64")
        right = said.compare("eq", _classes(target))
    return right.cast(x.dtype if x.dtype in FLOATS else "float32")


def among_first(metric: TopKAccuracy, x: Tensor, target: Tensor) -> Tensor:
    """1 where fewer than k classes have a larger score than the target's, else 0. Raises ShapeError."""
    size = _class_count(metric.type, x)
    if metric.k > size:
        raise ShapeError(f"k is {metric.k}, but there are {size} classes")
    own = where(one_hot(_classes(target), x), x, 0).sum([x.rank - 1], keep=True)
    larger = x.compare("le", own).negated()  # where a score is NaN, too
    return larger.cast("int64").sum([x.rank - 1]).compare("lt", metric.k).cast(x.dtype)


def class_counts(
    metric: AnyClassMetric, x: Tensor, target: Tensor, view: View, *, logistic: bool
) -> dict[str, Tensor]:
    """How often each class is right, answered, and meant. Raises ShapeError."""
    binary = metric.average == "binary" or (metric.average is None and logistic)
    if logistic:
        answered, meant = x.compare("gt", 0), target.compare("gt", 0.5)
    else:
        size, last = _class_count(metric.type, x), x.rank - 1
        if binary and size != 2:
            raise ShapeError(f"average: binary is for two classes, {view.name} has {size}: take macro")
        positions = iota(x.graph, "int64", x.shape, last)
        answered = positions.compare("eq", x.argmax(last).broadcast(x.shape, range(last)))
        meant = one_hot(_classes(target), x)
        if binary:
            answered, meant = answered.take(last, 1), meant.take(last, 1)
    kept = answered.rank if binary else max(answered.rank - 1, 1)
    _check_open(metric.type, answered, kept)
    events = {"right": answered.both(meant), "answered": answered, "meant": meant}
    return {name: view.counted(each.cast(_EXACT)).sum(range(kept)) for name, each in events.items()}


def r2_sums(x: Tensor, target: Tensor, view: View) -> dict[str, Tensor]:
    """The sums of r2, per element of the last axis. Raises ShapeError."""
    kept = max(x.rank - 1, 1)
    _check_open("r2", x, kept)
    x, target = view.counted(x.cast(_EXACT)), view.counted(target.cast(_EXACT))
    each = {"residuals": squared_error(x, target), "total": target, "squares": target * target}
    sums = {name: part.sum(range(kept)) for name, part in each.items()}
    if view.weights is None:
        return sums | {"count": dim_value(x.graph, product(x.shape[:kept]), _EXACT)}
    counted = view.weights.cast(_EXACT).sum()
    return sums | {"count": counted * counted.count(product(x.shape[view.weights.rank : kept]))}


def auc_sums(x: Tensor, target: Tensor, view: View, *, logistic: bool) -> dict[str, Tensor]:
    """How many samples that are meant, and how many others, have a score in each range, `[classes, RANGES]` each: of
    all logits together if ``logistic``, else of each class, whose score is log(p / (1 − p)). Raises ShapeError.
    """
    if logistic:
        classes, scores, meant = 1, x, target.compare("gt", 0.5)
    else:
        classes = _class_count("auc", x)
        if classes > _MOST_CLASSES:
            raise ShapeError(f"auc takes up to {_MOST_CLASSES} classes, {view.name} has {classes}")
        logarithms = log_softmax(x)
        scores = logarithms - (1 - logarithms.exp()).maximum(_TINY).log()
        meant = one_hot(_classes(target), x)
    counts = full(x.graph, True, meant.type)
    if view.weights is not None:
        counts = view.weights.broadcast(x.shape, range(view.weights.rank))
    known = scores.apply("eq", scores).both(counts)  # NaN is in the lowest range
    places = (where(known, scores, -_WIDEST) + _WIDEST) * (RANGES / (2 * _WIDEST))
    rows = places.maximum(0).minimum(RANGES - 1).cast("int64")
    if classes > 1:
        rows = rows + iota(x.graph, "int64", x.shape, x.rank - 1) * RANGES
    flat = (product(x.shape),)
    attrs = ScatterAddAttributes(classes * RANGES)

    def counted(which: Tensor) -> Tensor:
        events = which.both(counts).cast(_EXACT).reshape(flat)
        return rows.reshape(flat).apply("scatter_add", events, attrs=attrs).reshape((classes, RANGES))

    return {"meant": counted(meant), "others": counted(meant.negated())}


def _classes(target: Tensor) -> Tensor:
    return target.argmax(target.rank - 1) if target.dtype in FLOATS else target


def _class_count(kind: str, x: Tensor) -> int:
    size = x.shape[-1] if x.rank >= 2 and x.dtype in FLOATS else None
    if not isinstance(size, int) or size < 2:
        raise ShapeError(f"{kind} needs a score per class in the last axis, not {show(x.shape)}")
    return size


def _check_open(kind: str, x: Tensor, kept: int) -> None:
    """Raises ShapeError if what is kept per class or element has an open size."""
    if not all(isinstance(size, int) for size in x.shape[kept:]):
        raise ShapeError(f"{kind} needs a known size of the last axis, not {show(x.shape)}")
