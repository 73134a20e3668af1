"""Which classes outputs answer with, beside the ones that are meant: what scores per class are counted from."""

from __future__ import annotations

from netwright.specs.models.losses import BY_CLASS

from ...graph.types import FLOATS
from ..tensor import Tensor
from .objective import Objective

#: The parts of each pair: the class with the largest score, the target's, and (where not all do) which of them count.
ANSWERED, MEANT, COUNTS = "answered", "meant", "counts"


def answered_classes(objective: Objective) -> dict[str, Tensor]:
    """For each loss by classes, the class answered and the one meant at every place that the loss looks at, int64
    ``[N, …]``, and which places count, bool ``[N]`` or ``[N, T]``: by the names `answered.POSITION`, `meant.POSITION`
    and `counts.POSITION`, after the loss's position in the spec. Raises Problem.
    """
    pairs: dict[str, Tensor] = {}
    for position, loss in enumerate(objective.train.losses):
        if not isinstance(loss, BY_CLASS):
            continue
        path = objective.train.loss_path(position)
        view = objective.outputs.view(loss.output, loss, path)
        if view is None:
            continue
        target = objective.comparing.target(loss.target, view, True, (*path, "target"))
        meant = target.argmax(target.rank - 1) if target.dtype in FLOATS else target.cast("int64")
        pairs[f"{ANSWERED}.{position}"] = view.tensor.argmax(view.tensor.rank - 1).cast("int64")
        pairs[f"{MEANT}.{position}"] = meant
        if view.weights is not None:
            pairs[f"{COUNTS}.{position}"] = view.weights
    return pairs
