"""Batches of data sets as a plan and the entries of a session want them."""

from __future__ import annotations

from netwright.specs.manifest import BATCH, BufferInfo

from ..augmentation import Augmenter
from ..batches import WHOLE, Batches, Division
from ..batches.trimming import Trimming
from ..data.samples import Samples
from ..sessions.session import Session
from .plan import TrainingPlan


def plain_batches(
    session: Session,
    data: Samples,
    batch_size: int,
    group_by_length: bool,
    *,
    entry: str = "loss",
    division: Division = WHOLE,
) -> Batches:
    """Batches of samples as they are, to measure the loss, or for another ``entry``."""
    inputs = session.input_info(entry)
    trimming = Trimming(inputs, session.manifest.dims) if group_by_length else None
    return Batches(data, inputs, batch_size, trimming=trimming, division=division)


def training_batches(
    session: Session,
    plan: TrainingPlan,
    data: Samples,
    size: int,
    *,
    entry: str = "train_step",
    division: Division = WHOLE,
) -> Batches:
    """The batches of the training data as ``plan`` says, of ``size`` samples, for an ``entry`` that trains. Of each, a
    process reads its part of the ``division``.
    """
    inputs = data_inputs(session, entry)
    augmenter = (
        Augmenter(plan.augment, plan.seed, inputs, plan.lengths_of, data.headers, plan.compile)
        if plan.augment
        else None
    )
    return Batches(
        data,
        inputs,
        size,
        seed=plan.seed,
        shuffle=plan.shuffle,
        windows=plan.windows,
        trimming=Trimming(inputs, session.manifest.dims) if plan.group_by_length else None,
        augmenter=augmenter,
        balance=plan.balance,
        division=division,
    )


def data_inputs(session: Session, entry: str) -> list[BufferInfo]:
    """The arrays that an entry takes from a data set."""
    return [info for info in session.input_info(entry) if not info.name.startswith(BATCH)]
