"""What a training is to do and what it did: frozen values that loop, checkpoints and observers share."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from numpy.typing import NDArray

from .totals import Totals
from .windows import Windows


@dataclass(frozen=True)
class EarlyStopping:
    """Ends training after ``patience`` epochs that are not better than the best by more than
    ``min_delta``."""

    patience: int = 5
    min_delta: float = 0.0


@dataclass(frozen=True)
class TrainingPlan:
    """How to train; the same plan on the same data gives the same weights, bit for bit.

    ``monitor`` is ``valid_`` or ``train_`` and then ``loss`` or a metric's name: what decides which epoch was
    best. Accuracy is to rise, everything else to fall. Left out, it is ``valid_loss`` where there are
    validation data; where there are none, the last weights are kept.

    ``window`` (truncated backpropagation) cuts sequences along the dim ``time``; ``lengths`` names the inputs
    that hold sequence lengths, ``mask`` the array that says which steps count in the loss. ``checkpoint_every``
    counts epochs."""

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
    checkpoint_every: int = 1

    def __post_init__(self) -> None:
        for name in ("epochs", "batch_size", "checkpoint_every"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} must be at least 1, not {getattr(self, name)}")
        if self.window is not None and self.window < 1:
            raise ValueError(f"window must be at least 1, not {self.window}")
        if self.monitor is not None and not self.monitor.startswith(("train_", "valid_")):
            raise ValueError(f"monitor must start with train_ or valid_, not be {self.monitor!r}")

    @property
    def windows(self) -> Windows | None:
        """The windows that sequences are cut into; None where they are trained on whole."""
        return None if self.window is None else Windows(self.window, self.time, self.lengths)


@dataclass(frozen=True)
class EpochRecord:
    """One finished epoch: means of the loss and the metrics; epochs count from 1, steps from the very
    start."""

    epoch: int
    steps: int
    train: dict[str, float]
    valid: dict[str, float] | None = None
    seconds: float = field(default=0.0, compare=False)
    samples: int = 0

    def value(self, monitor: str) -> float:
        """The number called ``valid_loss``, ``train_accuracy``, …; KeyError where there is none."""
        part, _, name = monitor.partition("_")
        return ((self.valid or {}) if part == "valid" else self.train)[name]


@dataclass
class Progress:
    """Where a training stands: everything, beside the session's values, that it needs to go on.

    ``epoch`` counts from 0; ``batch`` is the next one in it; ``totals``, ``samples`` and ``seconds`` are the
    running epoch's so far."""

    epoch: int = 0
    batch: int = 0
    step: int = 0
    samples: int = 0
    seconds: float = 0.0
    totals: Totals = field(default_factory=Totals)
    history: list[EpochRecord] = field(default_factory=list)
    best_epoch: int | None = None
    best_weights: dict[str, NDArray] | None = None


Ending = Literal["finished", "stopped early", "interrupted", "diverged"]


@dataclass(frozen=True)
class TrainingResult:
    """What came out: ``weights`` are those of ``best_epoch`` where something was monitored, else the last."""

    ending: Ending
    history: tuple[EpochRecord, ...]
    weights: dict[str, NDArray]
    best_epoch: int | None
    steps: int
    signal: int | None = None
    """The one that asked for an end meanwhile, SIGINT or SIGTERM."""
