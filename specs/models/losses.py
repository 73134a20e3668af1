"""The losses: what a network is trained to make small."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from .base import Flag, Name, NonNegative, NonNegativeNumber, Positive, Probability, SpecModel

ClassWeights = Annotated[tuple[NonNegativeNumber, ...], Field(min_length=1)]


class LossBase(SpecModel):
    """What all losses have."""

    name: Name | None = None
    """The name it is reported by beside the sum of all losses; `OUTPUT_loss` by default where there are several."""
    weight: Positive = 1.0
    """Its factor in the sum that is minimized."""
    mask: Name | None = None
    """An input or target, `[N, T]`, that says which steps count. The values in the others, even NaN, change nothing
    unless later steps are computed from them.
    """


class Comparison(LossBase):
    """Base of the losses that compare an output with a target."""

    output: Name
    """The output that the loss reads, by its name under `outputs`."""
    target: Name
    """The target it is compared with."""


class LossSpec(Comparison):
    """Base of the losses that compare an output x with a target t: a mean over samples, valid steps and output
    elements.
    """

    steps: Literal["all", "last"] = "all"
    """On sequences: whether all steps count or the last valid one."""


class SoftmaxCrossEntropy(LossSpec):
    """−log softmax(output)[target]; the target holds classes (`[N]`, integers) or probabilities (`[N, C]`,
    floats).
    """

    type: Literal["softmax_cross_entropy"] = "softmax_cross_entropy"
    label_smoothing: Probability = 0.0
    """ε: the target's probabilities are (1 − ε)·t + ε/C (Szegedy et al., 2016)."""
    class_weights: ClassWeights | None = None
    """A factor per class, for classes of different frequency. With classes as target, the mean is divided by the sum
    of the targets' weights; with probabilities, by their number.
    """
    focal_gamma: NonNegativeNumber = 0.0
    """γ of the focal loss (Lin et al., 2017): each class's term is multiplied by (1 − p)^γ, p its probability."""


class BinaryCrossEntropy(LossSpec):
    """max(x, 0) − x·t + log(1 + exp(−|x|)) for logits x and targets t in [0, 1]."""

    type: Literal["binary_cross_entropy"] = "binary_cross_entropy"
    label_smoothing: Probability = 0.0
    """ε: the targets are (1 − ε)·t + ε/2."""
    positive_weight: Positive | Annotated[tuple[Positive, ...], Field(min_length=1)] | None = None
    """A factor of the terms with t, where positives are rare; a list has one per element of the last axis. The mean is
    divided by the number of elements.
    """
    focal_gamma: NonNegativeNumber = 0.0
    """γ of the focal loss: each element is multiplied by (1 − p)^γ, p = t·sigmoid(x) + (1 − t)·sigmoid(−x)."""


class MeanSquaredError(LossSpec):
    """(x − t)²."""

    type: Literal["mse"] = "mse"


class MeanAbsoluteError(LossSpec):
    """|x − t|."""

    type: Literal["mae"] = "mae"


class Huber(LossSpec):
    """½·d² where |d| ≤ delta, else delta·(|d| − ½·delta), d = x − t (Huber, 1964)."""

    type: Literal["huber"] = "huber"
    delta: Positive = 1.0
    """Where the square turns into a straight line."""


class LogCosh(LossSpec):
    """log cosh(x − t): about ½·d² for small d, |d| − log 2 for large ones."""

    type: Literal["log_cosh"] = "log_cosh"


class Poisson(LossSpec):
    """exp(x) − t·x, for counts t whose expected number is exp(x); the terms without x are left out."""

    type: Literal["poisson"] = "poisson"


class Hinge(LossSpec):
    """max(0, margin − s·x), s = 1 where the target is above 0, else −1: targets are 0 and 1, or −1 and 1 (Cortes and
    Vapnik, 1995).
    """

    type: Literal["hinge"] = "hinge"
    margin: Positive = 1.0
    """How far on the right side of 0 a score has to be."""
    squared: Flag = False
    """Whether the elements are squared."""


class MultiClassHinge(LossSpec):
    """Σ max(0, margin − x[t] + x[i]) / C over the C − 1 classes i other than the target's; the target holds classes
    (`[N]`, integers) (Crammer and Singer, 2001; PyTorch's MultiMarginLoss).
    """

    type: Literal["multi_class_hinge"] = "multi_class_hinge"
    margin: Positive = 1.0
    """How far the target's score has to be above the others."""
    squared: Flag = False
    """Whether the terms are squared."""


class KlDivergence(LossSpec):
    """Σ t·(log t − log softmax(x)) over the last axis, a mean over samples and steps: Kullback and Leibler's divergence
    (1951) of the output's probabilities from those of the target. x are logits or logarithms of probabilities.
    """

    type: Literal["kl_divergence"] = "kl_divergence"


class Cosine(LossSpec):
    """1 − x·t / (‖x‖·‖t‖) along the last axis, a mean over samples and steps; norms are at least 1e-8."""

    type: Literal["cosine"] = "cosine"


class Ctc(Comparison):
    """−log of the probability that the steps spell the target's labels `[N, L]`, integers: the sum over all paths that
    do, with any number of steps per label and blanks between them, and at least one blank between equal labels
    (connectionist temporal classification: Graves et al., 2006). The output `[N, T, C]` holds logits, of which one
    class is the blank; the target is declared under `targets`. A mean over samples.
    """

    type: Literal["ctc"] = "ctc"
    target_lengths: Name | None = None
    """An input or target, int64 `[N]`: how many labels each sample has. Without it, all L count."""
    blank: NonNegative | Literal["last"] = 0
    """The class of the blank."""
    per_label: Flag = True
    """Whether each sample's loss is divided by the number of its labels (at least 1), as in PyTorch's mean."""
    skip_impossible: Flag = False
    """Whether a sample does not count if it has fewer steps than its labels need; otherwise its loss is infinite."""


class SoftDtw(Comparison):
    """The least sum of squared distances between the steps of two sequences that are aligned, in order, each step with
    one or more of the other's; a soft minimum over all alignments (soft dynamic time warping: Cuturi and Blondel,
    2017). The output is `[N, T, F]`, the target `[N, M, F]`, declared under `targets`. A mean over samples. It may be
    negative.
    """

    type: Literal["soft_dtw"] = "soft_dtw"
    target_lengths: Name | None = None
    """An input or target, int64 `[N]`: how many steps of the target each sample has. Without it, all M count."""
    gamma: Positive = 1.0
    """γ of the soft minimum −γ·log Σ exp(−d / γ): the smaller, the more only the best alignment counts."""


class ExpressionLoss(LossBase):
    """An equation of outputs, targets and inputs, by their names: `value: where(same > 0, d, maximum(1 - d, 0))`, in
    the language of cells. Its value is `[N, …]`: a number per sample, step or element, of which the loss is the mean.
    In steps that do not exist or that the mask leaves out, it reads zeros; a value `[N, T, …]` does not count there.
    """

    type: Literal["expression"] = "expression"
    value: str
    """The equation. Targets that it reads are declared under `targets`."""


AnyComparison = (
    SoftmaxCrossEntropy
    | BinaryCrossEntropy
    | MeanSquaredError
    | MeanAbsoluteError
    | Huber
    | LogCosh
    | Poisson
    | Hinge
    | MultiClassHinge
    | KlDivergence
    | Cosine
    | Ctc
    | SoftDtw
)
AnyLoss = AnyComparison | ExpressionLoss
Loss = Annotated[AnyLoss, Field(discriminator="type")]

BY_CLASS = (SoftmaxCrossEntropy, MultiClassHinge)
"""The losses whose targets may be classes: the last axis of the output has a score per class."""
LOGISTIC = (BinaryCrossEntropy, Hinge)
"""The losses of scores that stand for yes where they are positive."""
ALIGNED = (Ctc, SoftDtw)
"""The losses of whole sequences, whose target may have other steps than the output."""
