"""Batches: grouped by length, cut to the longest sequence, and read ahead in another thread."""

import signal
import threading
from collections.abc import Iterator

import numpy as np
import pytest

from netwright.runtime.batches import Batches, read_ahead
from netwright.runtime.batches.order import batch_rows
from netwright.runtime.batches.trimming import Trimming
from netwright.runtime.data import Dataset
from netwright.runtime.errors import DataError
from netwright.runtime.training.loop import train
from netwright.specs.manifest import DimInfo, RangeInfo

from .numpy_engine import buffer, linear_data
from .training_setup import DATA, PLAN, VALID, StopAfter, assert_same, new_session

LENGTHS = np.random.default_rng(0).integers(1, 200, 1000)


def epoch(number: int, **options) -> list[np.ndarray]:
    rows = batch_rows(1000, 16, seed=5, epoch=number, shuffle=True, lengths=LENGTHS, **options)
    return [np.asarray(one) for one in rows]


def test_samples_of_similar_lengths_share_batches() -> None:
    batches = epoch(0)
    assert sorted(np.concatenate(batches)) == list(range(1000))
    assert sorted(map(len, batches)) == [8, *[16] * 62]
    assert all((one == other).all() for one, other in zip(batches, epoch(0), strict=True))
    assert any((one[:8] != other[:8]).any() for one, other in zip(batches, epoch(1), strict=True))
    shuffled = batch_rows(1000, 16, seed=5, epoch=0, shuffle=True)

    def steps(rows) -> int:
        return sum(len(LENGTHS[one]) * LENGTHS[one].max() for one in rows)

    assert steps(batches) < 1.1 * LENGTHS.sum() < 1.6 * LENGTHS.sum() < steps(shuffled)
    # Batches come in no order of length, or the network would learn from long sequences last.
    longest = [LENGTHS[one].max() for one in batches]
    assert abs(np.corrcoef(np.arange(len(longest)), longest)[0, 1]) < 0.3
    whole = batch_rows(1000, 16, seed=5, epoch=0, shuffle=False, lengths=LENGTHS)
    assert (np.diff(LENGTHS[np.concatenate(whole)]) >= 0).all()


def sequences(lengths: list[int], steps: int) -> dict[str, np.ndarray]:
    count = len(lengths)
    inside = np.arange(steps) < np.array(lengths)[:, None]
    return {
        "x": (np.arange(count * steps * 2).reshape(count, steps, 2) * inside[:, :, None]).astype(np.float32),
        "n": np.array(lengths),
        "y": np.arange(count * steps).reshape(count, steps),
        "z": np.zeros((count, 3), np.float32),
    }


INFOS = [
    buffer("x", "input", "N T 2"),
    buffer("n", "input", "N", "int64").model_copy(update={"ranges": [RangeInfo(what="length", high="T")]}),
    buffer("y", "input", "N T", "int64"),
    buffer("z", "input", "N 3"),
]


@pytest.mark.parametrize(
    ("dim", "longest"), [(DimInfo(name="T"), [2, 4, 7]), (DimInfo(name="T", min=3, multiple_of=4), [4, 4, 8])]
)
def test_batches_end_with_their_longest_sequence(dim: DimInfo, longest: list[int]) -> None:
    data = sequences([7, 2, 4, 1, 3, 5], 8)
    made = Batches(Dataset(data), INFOS, 2, trimming=Trimming(INFOS, [DimInfo(name="N"), dim]))
    batches = list(made.epoch(0))
    assert [batch.arrays["x"].shape[1] for batch in batches] == longest
    assert [batch.rows.tolist() for batch in batches] == [[3, 1], [4, 2], [5, 0]]
    for batch, steps in zip(batches, longest, strict=True):
        np.testing.assert_array_equal(batch.arrays["x"], data["x"][batch.rows, :steps])
        np.testing.assert_array_equal(batch.arrays["y"], data["y"][batch.rows, :steps])
        assert batch.arrays["z"].shape == (2, 3)
    late = list(made.epoch(0, start=1))
    assert [batch.index for batch in late] == [1, 2]
    assert_same(late[0].arrays, batches[1].arrays)


def test_arrays_that_have_no_row_per_step_are_refused() -> None:
    with pytest.raises(DataError, match=r"w \[N, 2\*T\] can't be cut to the longest sequence"):
        Trimming([*INFOS, buffer("w", "input", "N 2*T")], [DimInfo(name="T")])
    plain = [info.model_copy(update={"ranges": None}) for info in INFOS]
    batches = Batches(Dataset(sequences([1, 2], 4)), plain, 2, trimming=Trimming(plain, [DimInfo(name="T")]))
    assert next(batches.epoch(0)).arrays["x"].shape == (2, 4, 2)


# Reading ahead.


def readers() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name == "read ahead"]


def test_items_keep_their_order_and_are_made_one_ahead() -> None:
    made: list[int] = []

    def items() -> Iterator[int]:
        for i in range(6):
            made.append(i)
            yield i

    for count in (0, 1, 3):
        made.clear()
        with read_ahead(items(), count) as found:
            assert list(found) == list(range(6))
        with read_ahead(items(), count) as found:
            assert next(found) == 0
        assert len(made) <= 6 + 2 + count
    assert not readers()


def test_an_error_comes_when_its_item_is_asked_for() -> None:
    def items() -> Iterator[int]:
        yield from range(3)
        raise DataError("the fourth is damaged")

    found = []
    with pytest.raises(DataError, match="the fourth"), read_ahead(items()) as upcoming:  # noqa: PT012
        for item in upcoming:
            found.append(item)
    assert found == [0, 1, 2]
    with pytest.raises(KeyError), read_ahead(items()) as upcoming:
        raise KeyError(next(upcoming))
    assert not readers()


class FromFiles(Dataset):
    """Arrays that are not in memory, one of whose samples can't be read from some time on."""

    in_memory = False
    broken: int | None = None

    def read(self, rows, names):
        numbers = np.arange(len(self))[rows]
        if self.broken in numbers:
            raise DataError(f"sample {self.broken} is damaged")
        return super().read(rows, names)


def test_training_reads_ahead_with_the_same_bits_and_leaves_no_thread(tmp_path) -> None:
    data, valid = FromFiles(linear_data(100)), FromFiles(linear_data(30, seed=1))
    whole = train(new_session(), PLAN, DATA, VALID)
    found = train(new_session(), PLAN, data, valid)
    assert found.history == whole.history
    assert_same(found.weights, whole.weights)
    path = tmp_path / "run.checkpoint"
    stopped = train(new_session(), PLAN, data, valid, checkpoint=path, observer=StopAfter(9))
    assert (stopped.ending, stopped.signal) == ("interrupted", signal.SIGINT)
    assert not readers()
    rest = train(new_session(), PLAN, data, valid, resume=path)
    assert rest.history == whole.history
    assert_same(rest.weights, whole.weights)


def test_a_damaged_sample_ends_the_training_at_its_step_and_not_before(tmp_path) -> None:
    path = tmp_path / "run.checkpoint"
    data = FromFiles(linear_data(100))
    rows = batch_rows(100, PLAN.batch_size, seed=PLAN.seed, epoch=1, shuffle=True)
    data.broken = int(np.asarray(rows[3])[0])
    # The first epoch reads it, too: it is damaged from the second one on.
    plan, session = PLAN, new_session()
    damaged, data.broken = data.broken, None

    class Damage(StopAfter):
        def step(self, epoch, batch, samples, totals):
            self.left -= 1
            if epoch == 1 and batch == 7:
                data.broken = damaged

    observer = Damage(0)
    with pytest.raises(DataError, match=f"sample {damaged} is damaged"):
        train(session, plan, data, checkpoint=path, observer=observer)
    assert -observer.left == 7 + 3
    assert not readers()
    data.broken = None
    rest = train(new_session(), plan, data, resume=path)
    assert_same(rest.weights, train(new_session(), plan, DATA).weights)
