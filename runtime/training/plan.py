"""The plan and the result of a training: frozen values that the loop, checkpoints and observers share."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from numpy.typing import NDArray

from netwright.specs.models.augmentation import AnyAugmentation
from netwright.specs.models.train import AnyRate

from ..augmentation import CompileVariation
from ..data.windows import Windows
from ..errors import TrainingError
from ..totals import Totals
from .plateau import Plateau


@dataclass(frozen=True)
class EarlyStopping:
    """Ends training after ``patience`` epochs in a row that don't beat the best by more than ``min_delta``."""

    patience: int = 5
    min_delta: float = 0.0


@dataclass(frozen=True)
class Interval:
    """How often a checkpoint is written: after so many epochs, steps or minutes. The other two are None."""

    epochs: int | None = None
    steps: int | None = None
    minutes: float | None = None

    def __post_init__(self) -> None:
        given = {name: value for name, value in vars(self).items() if value is not None}
        if len(given) != 1:
            raise ValueError(
                f"an interval is of epochs, steps or minutes, not of {' and '.join(given) or 'nothing'}"
            )
        for name, value in given.items():
            if not value > 0:
                raise ValueError(f"{name} must be more than 0, not {value}")


@dataclass(frozen=True)
class TrainingPlan:
    """How to train. The same plan on the same data gives the same weights, bit for bit.

    ``monitor`` names the number that decides which epoch is best: ``valid_`` or ``train_``, followed by a score's
    name. The manifest says which scores should rise; the others should fall. The default is ``valid_loss`` with
    validation data; without them, the last weights are kept.

    ``window`` (truncated backpropagation) cuts sequences along the dim ``time``. ``lengths`` names the inputs that hold
    sequence lengths, ``mask`` the array that says which steps count in the loss. ``checkpoint_every`` says how often a
    checkpoint is written, ``plateau`` when the learning rate drops.

    ``group_by_length`` puts samples of similar lengths into batches, which are cut to their longest sequence.
    ``schedule`` is the learning rate, which the training step computes itself: it is only reported.
    ``augment`` says by which changes each input of the training data is varied; ``lengths_of`` names the array with the
    lengths of an input's sequences. ``balance`` names the classes that each epoch has equally many samples of.
    ``parts`` divides each batch, with the same results on any number of processes. ``compile`` makes code that varies
    samples; without it, NumPy does.
    """

    epochs: int
    batch_size: int = 32
    seed: int = 0
    shuffle: bool = True
    monitor: str | None = None
    early_stopping: EarlyStopping | None = None
    window: int | None = None
    carry_state: bool = True
    time: str = "T"
    lengths: tuple[str, ...] = ()
    mask: str | None = None
    group_by_length: bool = False
    augment: Mapping[str, tuple[AnyAugmentation, ...]] = field(default_factory=dict)
    lengths_of: Mapping[str, str] = field(default_factory=dict)
    compile: CompileVariation | None = field(default=None, compare=False, repr=False)
    checkpoint_every: Interval = Interval(epochs=1)
    plateau: Plateau | None = None
    balance: str | None = None
    schedule: AnyRate | None = None
    parts: int | None = None

    def __post_init__(self) -> None:
        for name in ("epochs", "batch_size"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} must be at least 1, not {getattr(self, name)}")
        if self.window is not None and self.window < 1:
            raise ValueError(f"window must be at least 1, not {self.window}")
        if self.balance is not None and not self.shuffle:
            raise ValueError("balanced samples are drawn at random: they can't be left in their order")
        if self.window is not None and self.group_by_length:
            raise ValueError("sequences that are cut into windows can't be grouped by length")
        if self.monitor is not None and not self.monitor.startswith(("train_", "valid_")):
            raise ValueError(f"monitor must start with train_ or valid_, not be {self.monitor!r}")

    def identity(self, samples: int, monitor: str | None) -> dict[str, Any]:
        """What must not change when a training is resumed, as plain values: all that changes the updates made so far,
        or what they go on with. ``samples`` is the number of samples, ``monitor`` the number that is watched.
        """
        augment = {
            name: [change.model_dump() for change in changes] for name, changes in self.augment.items()
        }
        return {
            "samples": samples,
            "seed": self.seed,
            "shuffle": self.shuffle,
            "window": self.window,
            "carry_state": self.carry_state,
            "monitor": monitor,
            **({"group_by_length": True} if self.group_by_length else {}),
            **({"augment": json.dumps(augment)} if augment else {}),
            **({"balance": self.balance} if self.balance else {}),
            **({"parts": self.parts} if self.parts else {}),
        }

    @property
    def windows(self) -> Windows | None:
        """The windows that sequences are cut into; None if they are trained on whole."""
        return None if self.window is None else Windows(self.window, self.time, self.lengths)


@dataclass(frozen=True)
class EpochRecord:
    """One finished epoch: the means of the loss and the metrics. Epochs count from 1, ``steps`` from the start of the
    training.
    """

    epoch: int
    steps: int
    train: dict[str, float]
    valid: dict[str, float] | None = None
    seconds: float = field(default=0.0, compare=False)
    samples: int = 0
    learning_rate: float | None = None
    """That of the epoch's last update."""

    def value(self, monitor: str) -> float:
        """The number called ``valid_loss``, ``train_accuracy``, …. Raises KeyError if there is none."""
        part, _, name = monitor.partition("_")
        return ((self.valid or {}) if part == "valid" else self.train)[name]


@dataclass
class Progress:
    """How far a training is: everything it needs to resume, besides the session's values.

    ``epoch`` counts from 0, ``batch`` is the next one in it, of ``batch_size`` samples. ``totals``, ``samples`` and
    ``seconds`` are those of the current epoch so far, ``recorded`` the sums of the loss when it was last recorded in
    this epoch. ``origin`` is what the caller wants to know when it resumes.
    """

    epoch: int = 0
    batch: int = 0
    step: int = 0
    samples: int = 0
    seconds: float = 0.0
    totals: Totals = field(default_factory=Totals)
    history: list[EpochRecord] = field(default_factory=list)
    best_epoch: int | None = None
    best_weights: dict[str, NDArray] | None = None
    batch_size: int = 0
    recorded: tuple[float, ...] = ()
    origin: Mapping[str, Any] = field(default_factory=dict)


Ending = Literal["finished", "stopped early", "interrupted", "diverged"]


@dataclass(frozen=True)
class TrainingResult:
    """The result of a training. ``weights`` are those of ``best_epoch``; without a monitor, the last."""

    ending: Ending
    history: tuple[EpochRecord, ...]
    weights: dict[str, NDArray]
    best_epoch: int | None
    steps: int
    signal: int | None = None
    """The signal that asked to stop during the training, SIGINT or SIGTERM, if any."""


class DivergedError(TrainingError):
    """The loss became infinite or NaN. ``result`` has the history and the last good weights."""

    def __init__(self, message: str, result: TrainingResult):
        super().__init__(message)
        self.result = result
