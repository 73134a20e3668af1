"""The metrics: numbers that are reported besides the loss."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from .base import Name, Size, SpecModel, by_name


class MetricSpec(SpecModel):
    """A number reported besides the loss, over whole data sets: what is added up over batches are counts and sums.
    Output and target are the loss's by default.
    """

    rises: ClassVar[bool] = False
    """Whether more is better."""

    name: Name | None = None
    """The name it is reported by; its type by default."""
    output: Name | None = None
    """The output that is compared."""
    target: Name | None = None
    """The target it is compared with."""

    @property
    def short_name(self) -> str:
        """The default of its name."""
        return str(self.type)  # type: ignore[attr-defined]


class Accuracy(MetricSpec):
    """The fraction of right answers: the class with the largest score, or for the logits of binary_cross_entropy and
    hinge the sign.
    """

    rises: ClassVar[bool] = True

    type: Literal["accuracy"] = "accuracy"


class TopKAccuracy(MetricSpec):
    """The fraction of targets whose class is among those with the k largest scores."""

    rises: ClassVar[bool] = True

    type: Literal["top_k"] = "top_k"
    k: Size = 5
    """How many classes are looked at."""

    @property
    def short_name(self) -> str:
        return f"top_{self.k}"


class ClassMetric(MetricSpec):
    """A number that is computed from how often each class is right, was answered, and is meant."""

    rises: ClassVar[bool] = True

    average: Literal["macro", "binary"] | None = None
    """macro: the mean over classes that occur in targets or answers; binary: that of the class 1 of two, or of all
    logits together. By default binary for logits of binary_cross_entropy and hinge, else macro.
    """


class Precision(ClassMetric):
    """right / answered per class, 0 for a class that is never answered."""

    type: Literal["precision"] = "precision"


class Recall(ClassMetric):
    """right / meant per class, 0 for a class that is never meant."""

    type: Literal["recall"] = "recall"


class F1(ClassMetric):
    """2·right / (answered + meant) per class, the harmonic mean of precision and recall."""

    type: Literal["f1"] = "f1"


class Auc(MetricSpec):
    """The area under the ROC curve: the probability that a sample that is meant has a larger score than one that is
    not, ties counting half. Of the logits of binary_cross_entropy and hinge, all together; of softmax_cross_entropy,
    each class against the rest, the mean over the classes that some targets are and others are not. Scores that differ
    by less than 1/64 in the logit, or beyond ±16, count as ties, which changes the area by at most half the share of
    pairs that are tied.
    """

    rises: ClassVar[bool] = True

    type: Literal["auc"] = "auc"


class Perplexity(MetricSpec):
    """exp of the mean of −log p, p the probability of the target's class under the loss softmax_cross_entropy, without
    its smoothing, class weights and focal factor: over how many equally likely classes a model is as undecided.
    """

    type: Literal["perplexity"] = "perplexity"


class SquaredErrorMetric(MetricSpec):
    """The mean of (x − t)²."""

    type: Literal["mse"] = "mse"


class AbsoluteErrorMetric(MetricSpec):
    """The mean of |x − t|."""

    type: Literal["mae"] = "mae"


class R2(MetricSpec):
    """1 − Σ(x − t)² / Σ(t − mean t)², the coefficient of determination, per element of the last axis; their mean."""

    rises: ClassVar[bool] = True

    type: Literal["r2"] = "r2"


class LabelErrorRate(MetricSpec):
    """Under the loss ctc: how many labels have to be inserted, deleted or replaced to turn what the steps spell into
    the target, divided by the number of the target's labels. Each step stands for the class with the largest score;
    repetitions are merged, then blanks removed. If labels are characters, it is the character error rate.
    """

    type: Literal["label_error_rate"] = "label_error_rate"


AnyClassMetric = Precision | Recall | F1
AnyMetric = (
    Accuracy
    | TopKAccuracy
    | AnyClassMetric
    | Auc
    | Perplexity
    | SquaredErrorMetric
    | AbsoluteErrorMetric
    | R2
    | LabelErrorRate
)
Metric = Annotated[AnyMetric, Field(discriminator="type"), by_name(AnyMetric)]
