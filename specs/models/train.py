"""The `train` section: data, targets, loss, metrics, optimizer, and the length of the training."""

from __future__ import annotations

from typing import Annotated, Any, Literal, Self

from pydantic import BeforeValidator, Field, field_validator, model_validator
from pydantic_core import PydanticCustomError

from .augmentation import Augmentation
from .base import (
    DType,
    Flag,
    Name,
    NonNegative,
    NonNegativeNumber,
    Positive,
    Probability,
    Seed,
    Size,
    SpecModel,
    WrittenShape,
    at,
    by_name,
)
from .data import Data
from .losses import AnyComparison, AnyLoss, Comparison, Loss
from .metrics import Metric


class TargetSpec(SpecModel):
    """What an output is compared with: an array of the training data."""

    shape: WrittenShape
    """Its shape, batch included."""
    dtype: DType
    """Its element type."""


class ScheduleSpec(SpecModel):
    """Base of the learning-rate schedules: functions of the number of updates made so far, s = 0, 1, ….

    During the first `warm_up` updates the rate is multiplied by (s + 1) / (warm_up + 1).
    """

    initial: Positive
    """The learning rate to start from."""
    warm_up: NonNegative = 0
    """The number of updates over which the rate rises linearly to its value."""


class ConstantRate(ScheduleSpec):
    """initial."""

    type: Literal["constant"] = "constant"


class StepRate(ScheduleSpec):
    """initial · factor^⌊s / every⌋."""

    type: Literal["step"] = "step"
    every: Size
    """The number of updates between two drops."""
    factor: Annotated[Positive, Field(le=1)] = 0.1
    """The factor of each drop."""


class CosineRate(ScheduleSpec):
    """final + (initial − final)·(1 + cos(π·min(s / steps, 1))) / 2 (Loshchilov and Hutter, 2017)."""

    type: Literal["cosine"] = "cosine"
    steps: Size
    """The number of updates until the final rate is reached."""
    final: NonNegativeNumber = 0.0
    """The rate at the end."""


class PlateauRate(ScheduleSpec):
    """initial · factor^n, but not less than final: n grows by 1 after each `patience` epochs in which the monitored
    number did not improve on its best.
    """

    type: Literal["plateau"] = "plateau"
    factor: Annotated[Positive, Field(lt=1)] = 0.1
    """The factor of each drop."""
    patience: Size = 3
    """The number of epochs without improvement before a drop."""
    min_delta: NonNegativeNumber = 0.0
    """How much a value has to differ from the best to count as an improvement."""
    final: NonNegativeNumber = 0.0
    """The smallest rate."""
    monitor: str | None = None
    """The number to watch, as in `early_stopping`. By default that which decides the best epoch, or `train_loss`
    without validation data.
    """


def _constant(value: Any) -> Any:
    if isinstance(value, int | float) and not isinstance(value, bool):
        return {"type": "constant", "initial": value}
    if not isinstance(value, dict | ScheduleSpec):
        raise PydanticCustomError("wrong_type", "no rate", {"expected": ["a number", "a mapping"]})
    return value


AnyRate = ConstantRate | StepRate | CosineRate | PlateauRate
LearningRate = Annotated[
    AnyRate, Field(discriminator="type"), BeforeValidator(_constant, json_schema_input_type=float | AnyRate)
]
"""A number, or a schedule."""


class OptimizerSpec(SpecModel):
    """Base of the optimizers: PyTorch's formulas, with the parameters θ, the gradient g and the learning rate η.

    `weight_decay` λ adds λ·θ to the gradient, except in adamw, where θ is first multiplied by 1 − η·λ.
    """


class Sgd(OptimizerSpec):
    """v ← momentum·v + g (v = g at first); θ ← θ − η·v, with Nesterov θ ← θ − η·(g + momentum·v)."""

    type: Literal["sgd"] = "sgd"
    learning_rate: LearningRate = ConstantRate(initial=0.01)
    """The step size."""
    momentum: Probability = 0.0
    """The fraction of the previous step that is kept."""
    nesterov: Flag = False
    """Whether to use Nesterov momentum."""
    weight_decay: NonNegativeNumber = 0.0
    """λ above."""


class Adam(OptimizerSpec):
    """m ← β₁m + (1−β₁)g; v ← β₂v + (1−β₂)g²; θ ← θ − η·m̂ / (sqrt(v̂) + ε), m̂ = m/(1−β₁ᵗ), v̂ = v/(1−β₂ᵗ)
    (Kingma and Ba, 2015).
    """

    type: Literal["adam"] = "adam"
    learning_rate: LearningRate = ConstantRate(initial=0.001)
    """The step size."""
    beta_1: Probability = 0.9
    """The decay of the first moment."""
    beta_2: Probability = 0.999
    """The decay of the second moment."""
    epsilon: Positive = 1e-8
    """Added to the root of the second moment."""
    weight_decay: NonNegativeNumber = 0.0
    """λ above."""


class AdamW(OptimizerSpec):
    """adam with decoupled weight decay (Loshchilov and Hutter, 2019)."""

    type: Literal["adamw"] = "adamw"
    learning_rate: LearningRate = ConstantRate(initial=0.001)
    """The step size."""
    beta_1: Probability = 0.9
    """The decay of the first moment."""
    beta_2: Probability = 0.999
    """The decay of the second moment."""
    epsilon: Positive = 1e-8
    """Added to the root of the second moment."""
    weight_decay: NonNegativeNumber = 0.01
    """λ above."""


class RmsProp(OptimizerSpec):
    """v ← rho·v + (1−rho)·g²; u ← g / (sqrt(v) + ε); with momentum b ← momentum·b + u, θ ← θ − η·b, else θ ←
    θ − η·u (Tieleman and Hinton, 2012).
    """

    type: Literal["rmsprop"] = "rmsprop"
    learning_rate: LearningRate = ConstantRate(initial=0.01)
    """The step size."""
    rho: Probability = 0.99
    """The decay of the mean square."""
    momentum: Probability = 0.0
    """The fraction of the previous step that is kept."""
    epsilon: Positive = 1e-8
    """Added to the root of the mean square."""
    weight_decay: NonNegativeNumber = 0.0
    """λ above."""


AnyOptimizer = Sgd | Adam | AdamW | RmsProp
Optimizer = Annotated[AnyOptimizer, Field(discriminator="type"), by_name(AnyOptimizer)]


class BpttSpec(SpecModel):
    """How gradients go back through time: over how many steps, and what is kept of them."""

    window: Size | None = None
    """Truncated backpropagation: an update after so many steps. The last window of a sequence may be shorter. By
    default, sequences are trained on whole.
    """
    carry_state: Flag = True
    """Whether the state is carried (without gradient) from one window of a sequence to the next."""
    checkpoint: Size | Literal["auto"] | None = None
    """The number of steps after which a recurrence keeps its state in training; the steps in between are computed
    again when the gradient needs them. That takes less memory and more time, and gives the same gradient, bit for bit.
    `auto` is about the square root of the number of steps. By default, what the gradient needs is kept of all steps.
    """

    @field_validator("checkpoint", mode="before")
    @classmethod
    def _checkpoint_is_auto_or_a_number(cls, value: Any) -> Any:
        if isinstance(value, bool) or (isinstance(value, str) and value != "auto"):
            raise PydanticCustomError("checkpoint", "expected auto or a number of steps")
        return value

    @model_validator(mode="after")
    def _used(self) -> Self:
        if self.window is None and self.checkpoint is None:
            raise at("window", "together", "window or checkpoint is needed, such as window: 64")
        if self.window is None and "carry_state" in self.model_fields_set:
            raise at("carry_state", "together", "the state is carried between windows: window is needed, too")
        return self


class EmaSpec(SpecModel):
    """Exponential moving averages of the trained parameters: a ← decay·a + (1 − decay)·θ after each update, from a = θ
    after the first (Polyak and Juditsky, 1992).
    """

    decay: Annotated[Positive, Field(lt=1)] = 0.999
    """The weight of the old average. About 1 / (1 − decay) updates are averaged."""


class EarlyStoppingSpec(SpecModel):
    """Ends the training when a number stops improving, and keeps the weights of the best epoch."""

    monitor: str = "valid_loss"
    """The number to watch: `train_` or `valid_`, then `loss` or the name of a loss or metric. Losses and errors should
    fall, the other metrics rise.
    """
    patience: Size = 5
    """The number of epochs without improvement after which training ends."""
    min_delta: NonNegativeNumber = 0.0
    """How much a value has to differ from the best to count as an improvement."""


class IntervalSpec(SpecModel):
    """Epochs, steps or minutes, one of them."""

    epochs: Size | None = None
    """After so many epochs."""
    steps: Size | None = None
    """After so many updates."""
    minutes: Positive | None = None
    """After the first update, or epoch with its validation, that ends so many minutes after the last checkpoint."""

    @model_validator(mode="after")
    def _single(self) -> Self:
        given = [key for key in ("epochs", "steps", "minutes") if getattr(self, key) is not None]
        if len(given) != 1:
            what = "epochs, steps or minutes are needed, such as steps: 500"
            what = f"{' and '.join(given)} are given, write one of them" if given else what
            raise at(given[-1] if given else "steps", "together", what)
        return self


class CheckpointSpec(SpecModel):
    """When the checkpoint is written. It is also written when training ends or is asked to stop."""

    every: IntervalSpec
    """How often: after so many epochs, steps or minutes."""


Pattern = Annotated[str, Field(min_length=1, max_length=200)]
"""Names of parameters, or of the layers and blocks that they are in, with wildcards."""


class ParameterGroupSpec(SpecModel):
    """How some parameters are updated."""

    parameters: Annotated[tuple[Pattern, ...], Field(min_length=1)]
    """Names of layers, blocks or parameters, with the wildcards of `freeze`."""
    rate_factor: Positive = 1.0
    """What the learning rate is multiplied by."""
    weight_decay: NonNegativeNumber | None = None
    """λ in place of the optimizer's."""


class TrainSpec(SpecModel):
    """How the network is trained."""

    data: dict[Name, Data] = Field(default_factory=dict)
    """The data sets: `train`, and optionally `valid` and `test`. A path, relative to the spec, is a `.npz` file. Sets
    that are left out come from `--data`, or from Python.
    """
    targets: dict[Name, TargetSpec] = Field(default_factory=dict)
    """Shape and dtype of the targets; by default they follow from the loss."""
    loss: Loss | Annotated[tuple[Loss, ...], Field(min_length=1)]
    """The loss to minimize; a list of losses is minimized as their sum, each times its `weight`."""
    metrics: tuple[Metric, ...] = ()
    """The numbers to report besides the loss."""
    optimizer: Optimizer = Adam()
    """How parameters are updated."""
    precision: Literal["float32", "mixed_bfloat16"] = "float32"
    """How results of layers are kept for the gradient. `mixed_bfloat16` stores them in 16 bits, rounded to nearest
    even, which takes less memory. Weights, gradients, sums, statistics, losses and the optimizer's states stay in
    float32, so no loss has to be scaled. Prediction and validation are as without it. For networks in float32.
    """
    freeze: tuple[Pattern, ...] = ()
    """What training leaves as it is: names of layers, blocks or parameters, in which `*` stands for any text (`?` for
    a character, `[ab]` for one of several). `encoder` and `encoder.*` freeze all that is inside, `*.bias` every bias.
    """
    parameter_groups: tuple[ParameterGroupSpec, ...] = ()
    """Parameters that are updated in another way than the rest. Of several groups that match, the first one counts."""
    clip_norm: Positive | None = None
    """The largest global 2-norm of the gradient; a gradient with a larger norm is scaled down to it."""
    accumulate: Size = 1
    """The number of batches whose gradients are added up for an update."""
    ema: EmaSpec | None = None
    """Averages of the weights over the training, which are validated and saved in place of the weights."""
    epochs: Size = 10
    """How often the training data are used."""
    batch_size: Size = 32
    """The number of samples per update."""
    parts: Size | None = None
    """The number of parts that each batch is divided into. Their gradients are added up in a fixed order, so that the
    same bits come out on any number of processes up to this; `batch_norm` takes the statistics of a part. By default
    each process that trains computes one part, and results agree up to rounding.
    """
    seed: Seed = 0
    """The seed of everything random: initial weights, order of samples, dropout."""
    shuffle: Flag = True
    """Whether to change the order of the samples in each epoch."""
    balance: Name | None = None
    """A target of class numbers `[N]`: each epoch has equally many samples of every class."""
    group_by_length: Flag = False
    """Whether samples of similar lengths share batches, which are cut to their longest sequence, so that few steps are
    padding. Needs an input with `lengths` along an open dim; all arrays along that dim are cut.
    """
    augment: dict[Name, tuple[Augmentation, ...]] = Field(default_factory=dict)
    """How samples are varied in training, by input: changes that are made one after the other. They are drawn anew in
    each epoch, by `seed`.
    """
    bptt: BpttSpec | None = None
    """How gradients go back through time. By default, sequences are trained on whole, and all steps are kept."""
    early_stopping: EarlyStoppingSpec | None = None
    """When to end early."""
    checkpoint: CheckpointSpec | None = None
    """How often the checkpoint is written, which a training that was interrupted goes on from. By default after every
    epoch.
    """

    @property
    def windows(self) -> BpttSpec | None:
        """The keys of truncated backpropagation; None if sequences are trained on whole."""
        return self.bptt if self.bptt is not None and self.bptt.window is not None else None

    @property
    def losses(self) -> tuple[AnyLoss, ...]:
        """The losses, in order."""
        return self.loss if isinstance(self.loss, tuple) else (self.loss,)

    @property
    def comparisons(self) -> tuple[AnyComparison, ...]:
        """The losses that compare an output with a target."""
        return tuple(loss for loss in self.losses if isinstance(loss, Comparison))

    def loss_path(self, position: int) -> tuple[str | int, ...]:
        """Where a loss is written."""
        return ("train", "loss", position) if isinstance(self.loss, tuple) else ("train", "loss")

    def path_of(self, loss: AnyLoss) -> tuple[str | int, ...]:
        """Where one of the losses is written."""
        return self.loss_path(next(i for i, other in enumerate(self.losses) if other is loss))

    def compared(self, output: str | None) -> AnyComparison | None:
        """The loss that a metric of this output goes by: the first of its own, else the first of all."""
        comparisons = self.comparisons
        own = (loss for loss in comparisons if loss.output == output)
        return next(own, comparisons[0] if comparisons else None)
