"""Adds the training section to an expanded network: losses and metrics as sums over a batch, and what they mean."""

from __future__ import annotations

from collections.abc import Callable
from functools import reduce

from netwright.specs.dims import product
from netwright.specs.manifest import ScoreInfo
from netwright.specs.models.losses import (
    BY_CLASS,
    LOGISTIC,
    AnyLoss,
    Ctc,
    ExpressionLoss,
    SoftDtw,
    SoftmaxCrossEntropy,
)
from netwright.specs.models.metrics import (
    R2,
    Accuracy,
    AnyMetric,
    Auc,
    ClassMetric,
    LabelErrorRate,
    Perplexity,
    SquaredErrorMetric,
    TopKAccuracy,
)
from netwright.specs.models.reported import TOTAL, loss_names, metric_names
from netwright.specs.models.train import TrainSpec
from netwright.specs.source.tree import Path

from ...graph.rules import ShapeError
from ...graph.types import FLOATS
from ..expander import Expander
from ..problem import Problem, show_type
from ..tensor import Tensor, dim_value, where
from .comparing import Comparing
from .ctc import ctc_terms, label_errors
from .equation import equation_elements
from .losses import Terms, loss_terms, softmax_cross_entropy, squared_error
from .metrics import among_first, auc_sums, class_counts, correct, r2_sums
from .outputs import Outputs, View, zeroed
from .soft_dtw import soft_dtw_terms
from .suitability import Suitability
from .targets import Targets

Sums = dict[str, Tensor]
#: What perplexity is computed from; the names do not matter.
_PLAIN = SoftmaxCrossEntropy(output="output", target="target")


class Objective:
    """Adds losses and metrics to an expander's graph. Targets are declared when they are first needed.

    ``build`` returns the sums over a batch by the names of the entries' outputs: `loss.numerator` and `loss.count`,
    of several losses `loss.NAME.numerator` …, and `metric.NAME.…`. ``scores`` then says what is computed from them.
    """

    def __init__(self, expander: Expander, train: TrainSpec):
        self.expander, self.train, self.load = expander, train, expander.load
        self.graph = expander.graph
        self.targets = Targets(expander, train)
        self.outputs = Outputs(expander, self.targets)
        self.comparing, self.suitability = Comparing(self.outputs), Suitability(self.outputs)
        self.names = loss_names(train)
        #: The names of each loss's sums begin so.
        self.stems = [f"loss.{name}" for name in self.names] if len(train.losses) > 1 else ["loss"]
        self.scores: tuple[ScoreInfo, ...] = ()

    def build(self) -> Sums:
        """The sums of all losses and metrics; those whose output is poisoned are left out.

        Raises Problem, or reports all problems to the expander's diagnostics if it has any.
        """
        sums: Sums = {}
        scores: list[ScoreInfo] = []
        pairs: list[str] = []
        for position, (stem, loss) in enumerate(zip(self.stems, self.train.losses, strict=True)):
            own_sums = self.tried(stem, lambda loss=loss, position=position: self.loss(loss, position))
            if position < len(self.names):
                name = self.names[position]
                scores.append(ScoreInfo(name=name, formula="mean", sums=list(own_sums), weights=[1.0]))
            pairs += own_sums
            sums |= own_sums
        weights = [loss.weight for loss in self.train.losses]
        scores.insert(0, ScoreInfo(name=TOTAL, formula="mean", sums=pairs, weights=weights))
        for position, (name, metric) in enumerate(metric_names(self.train)):
            path = ("train", "metrics", position)
            own_sums = self.tried(
                f"metric.{name}", lambda metric=metric, path=path: self.metric(metric, path)
            )
            formula = metric.type if isinstance(metric, ClassMetric | R2 | Auc | Perplexity) else "mean"
            own = [1.0] if formula == "mean" else []
            scores.append(
                ScoreInfo(name=name, formula=formula, sums=list(own_sums), weights=own, rises=metric.rises)
            )
            sums |= own_sums
        self.scores = tuple(scores)
        return sums

    def tried(self, stem: str, build: Callable[[], Sums]) -> Sums:
        """The sums that ``build`` returns, under their full names; none if it has a problem that was reported."""
        try:
            return {f"{stem}.{part}": tensor for part, tensor in build().items()}
        except Problem as problem:
            if not self.expander.reported(problem):
                raise
            return {}

    def minimized(self, sums: Sums, counts: Sums | None = None) -> Tensor:
        """The mean of the loss, or the weighted sum of the means of several. Nothing counts if the count is 0. The sums
        may be those of a part of a batch; ``counts`` are then those of the whole batch.
        """
        means: list[Tensor] = []
        for stem, loss in zip(self.stems, self.train.losses, strict=True):
            count = (counts or sums)[f"{stem}.count"]
            mean = sums[f"{stem}.numerator"] / where(count.compare("gt", 0), count, 1)
            means.append(mean if loss.weight == 1 else mean * loss.weight)
        return reduce(Tensor.__add__, means)

    def loss(self, loss: AnyLoss, position: int) -> Sums:
        """The sums of a loss. Raises Problem."""
        path = self.train.loss_path(position)
        if isinstance(loss, ExpressionLoss):
            equation = self.load.loss_expressions.get(position)
            value = equation and equation_elements(self.outputs, loss, equation, path)
            return self.mean(Terms(value[0]), value[1]) if value else {}
        view = self.outputs.view(loss.output, loss, path)
        if view is None:
            return {}
        self.suitability.check_output(loss, view, path)
        if isinstance(loss, Ctc):
            return self.mean(ctc_terms(loss, view, self.targets, path), None)
        if isinstance(loss, SoftDtw):
            return self.mean(soft_dtw_terms(loss, view, self.targets, path), None)
        target = self.comparing.target(loss.target, view, isinstance(loss, BY_CLASS), (*path, "target"))
        self.suitability.check_target(loss, target, path)
        terms = loss_terms(loss, view.counted(view.tensor), view.counted(target))
        return self.mean(terms, view.weights)

    def metric(self, metric: AnyMetric, path: Path) -> Sums:
        """The sums of a metric. Raises Problem."""
        loss = self.train.compared(metric.output)
        output, target_name = (
            (metric.output or (loss and loss.output)),
            (metric.target or (loss and loss.target)),
        )
        if output is None or target_name is None:
            return {}  # already reported
        base = loss or self.train.losses[0]
        view = self.outputs.view(output, base, self.train.path_of(base))
        if view is None:
            return {}
        if isinstance(metric, LabelErrorRate):
            if not isinstance(loss, Ctc) or view.name != loss.output:
                message = f"{metric.type} compares labels with what steps spell, under the loss ctc"
                raise Problem("NW0406", message, self.load.span(path))
            return label_errors(loss, view, self.targets, self.train.path_of(loss))
        logistic = isinstance(loss, LOGISTIC) and output == loss.output
        if isinstance(metric, Perplexity) and not (
            isinstance(loss, SoftmaxCrossEntropy) and output == loss.output
        ):
            message = "perplexity is of probabilities of classes, under the loss softmax_cross_entropy"
            raise Problem("NW0406", message, self.load.span(path))
        of_classes = isinstance(metric, Accuracy | TopKAccuracy | ClassMetric | Auc | Perplexity)
        used = (*path, "target") if metric.target else path
        target = self.comparing.target(target_name, view, of_classes and not logistic, used)
        if not of_classes and view.tensor.dtype not in FLOATS:
            shown = show_type(view.tensor.dtype, view.tensor.shape)
            message = f"{metric.type} compares floats, {view.name} is {shown}"
            raise Problem("NW0406", message, self.load.span(path))
        try:
            return self.compared(metric, view, target, logistic)
        except ShapeError as error:
            labels = self.outputs.origin(view.signal)
            raise Problem("NW0406", str(error), self.load.span(path), labels=labels) from None

    def compared(self, metric: AnyMetric, view: View, target: Tensor, logistic: bool) -> Sums:
        x = view.tensor
        match metric:
            case ClassMetric():
                return class_counts(metric, x, target, view, logistic=logistic)
            case R2():
                return r2_sums(x, target, view)
            case Auc():
                return auc_sums(x, target, view, logistic=logistic)
            case Perplexity():
                terms = softmax_cross_entropy(_PLAIN, view.counted(x), view.counted(target))
                return self.mean(terms, view.weights)
            case Accuracy():
                elements = correct(x, target, logistic=logistic).cast(self.expander.dtype)
            case TopKAccuracy():
                elements = among_first(metric, x, target)
            case SquaredErrorMetric():
                elements = squared_error(x, target)
            case _:
                elements = (x - target).abs()
        return self.mean(Terms(elements), view.weights)

    def mean(self, terms: Terms, weights: Tensor | None) -> Sums:
        """The sum of the terms that count, and of what each of them counts. ``weights`` says which do, by the leading
        axes."""
        elements, counts = terms.elements, terms.counts
        if weights is None:
            total = dim_value(self.graph, product(elements.shape), elements.dtype)
            return {"numerator": elements.sum(), "count": total if counts is None else counts.sum()}
        numerator = zeroed(weights, elements).sum()
        if counts is not None:
            return {"numerator": numerator, "count": zeroed(weights, counts).sum()}
        each = elements.count(product(elements.shape[weights.rank :]))
        return {"numerator": numerator, "count": weights.cast(elements.dtype).sum() * each}
