"""The loss and metrics of a session over a data set."""

from __future__ import annotations

from ..batches import read_ahead
from ..data.samples import Samples
from ..sessions.session import Session
from ..totals import Totals
from .feeding import plain_batches


def evaluate(
    session: Session, data: Samples, batch_size: int = 32, *, group_by_length: bool = False
) -> dict[str, float]:
    """The mean loss and metrics over a whole data set, exact also if the last batch is partial. Raises DataError."""
    data.require(session.input_info("loss"), session.manifest.dims)
    totals = Totals(session.manifest.scores)
    made = plain_batches(session, data, batch_size, group_by_length)
    with read_ahead(made.epoch(0), made.ahead) as batches:
        for batch in batches:
            totals.add(session.run("loss", batch.arrays))
    return totals.means()
