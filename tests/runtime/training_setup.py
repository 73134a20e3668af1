"""What the tests of the training loop share: data, a plan, sessions, and an observer that presses Ctrl-C."""

import signal

import numpy as np

from netwright.runtime.data import Dataset
from netwright.runtime.sessions.session import Session
from netwright.runtime.training.plan import TrainingPlan
from netwright.runtime.training.progress import Silent

from .numpy_engine import linear, linear_data, linear_values

DATA, VALID = Dataset(linear_data(100)), Dataset(linear_data(30, seed=1))
PLAN = TrainingPlan(epochs=4, batch_size=16, seed=3)


def new_session(**options) -> Session:
    return Session(linear(**options), linear_values())


def assert_same(one, two):
    assert one.keys() == two.keys()
    for name, array in one.items():
        np.testing.assert_array_equal(array, two[name])


class StopAfter(Silent):
    """Sends this process one real SIGINT when a number of steps are done."""

    def __init__(self, steps: int):
        self.left = steps

    def step(self, epoch, batch, samples, totals):
        self.left -= 1
        if self.left == 0:
            signal.raise_signal(signal.SIGINT)
