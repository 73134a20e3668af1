"""Weights that a session makes when they are needed."""

import os
import threading
from functools import partial

import numpy as np
import pytest

from netwright.runtime.errors import WeightsError
from netwright.runtime.sessions.drawn import Drawn
from netwright.runtime.sessions.session import Session

from .numpy_engine import linear, linear_data, linear_values

X = linear_data(4)["x"]


class Draws:
    """The values of ``linear``, each to be drawn, and the names of those that were."""

    def __init__(self) -> None:
        self.names: list[str] = []
        self.fails = 0

    def values(self) -> dict[str, Drawn]:
        return {
            name: Drawn(array.shape, array.dtype, partial(self._fill, name=name, array=array))
            for name, array in linear_values().items()
        }

    def _fill(self, values, name, array):
        if self.fails:
            self.fails -= 1
            raise KeyboardInterrupt
        self.names.append(name)
        values[...] = array


def test_weights_are_drawn_once_by_the_first_call():
    draws = Draws()
    session, eager = Session(linear(), draws.values()), Session(linear(), linear_values())
    assert not session.has("fit")
    assert [info.name for info in session.input_info("predict")] == ["x"]
    assert not draws.names
    for _ in range(2):
        np.testing.assert_array_equal(session.predict(x=X)["out"], eager.predict(x=X)["out"])
    assert sorted(draws.names) == sorted(linear_values())


@pytest.mark.parametrize("ask", [lambda s: s.weights, lambda s: s.arrays, lambda s: s.packed])
def test_weights_are_drawn_when_they_are_asked_for(ask):
    draws = Draws()
    session = Session(
        linear(), draws.values(), {"idle": Drawn((2,), np.dtype("f4"), lambda values: values.fill(1))}
    )
    eager = Session(linear(), linear_values(), {"idle": np.ones(2, "f4")})
    given, wanted = ask(session), ask(eager)
    assert given.keys() == wanted.keys()
    for name, array in wanted.items():
        np.testing.assert_array_equal(given[name], array)
        assert given[name].dtype == array.dtype


def test_what_is_assigned_is_never_drawn():
    draws = Draws()
    session = Session(linear(), draws.values())
    session.assign({"head.kernel": np.ones((3, 2), "f4")}, partial=True)
    with pytest.raises(WeightsError, match="is missing"):
        session.assign({"head.kernel": np.zeros((3, 2), "f4")})
    assert (session.weights["head.kernel"] == 1).all()
    assert sorted(draws.names) == sorted(linear_values().keys() - {"head.kernel"})
    whole = Draws()
    session = Session(linear(), whole.values())
    session.assign(linear_values())
    session.train_step(**linear_data(8))
    assert not whole.names


def test_an_interrupted_drawing_goes_on():
    draws = Draws()
    session = Session(linear(), draws.values())
    draws.fails = 1
    with pytest.raises(KeyboardInterrupt):
        session.predict(x=X)
    np.testing.assert_array_equal(
        session.predict(x=X)["out"], Session(linear(), linear_values()).predict(x=X)["out"]
    )


@pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork:DeprecationWarning")
def test_threads_wait_for_the_one_that_draws():
    draws, begun, go_on = Draws(), threading.Event(), threading.Event()
    values = draws.values()
    kernel = values["head.kernel"]

    def slowly(values):
        begun.set()
        go_on.wait()
        kernel.fill(values)

    session = Session(linear(), {**values, "head.kernel": Drawn(kernel.shape, kernel.dtype, slowly)})
    answers = []
    threads = [threading.Thread(target=lambda: answers.append(session.predict(x=X)["out"])) for _ in range(3)]
    for thread in threads:
        thread.start()
    begun.wait()
    assert not answers
    if hasattr(os, "fork"):  # in a child, nobody else draws
        child = os.fork()
        if child == 0:
            go_on.set()
            os._exit(0 if np.isfinite(session.predict(x=X)["out"]).all() else 1)
        assert os.waitpid(child, 0)[1] == 0
    go_on.set()
    for thread in threads:
        thread.join()
    wanted = Session(linear(), linear_values()).predict(x=X)["out"]
    for answer in answers:
        np.testing.assert_array_equal(answer, wanted)
    assert sorted(draws.names) == sorted(linear_values())


def test_drawn_weights_have_to_fit():
    wrong = {**Draws().values(), "head.bias": Drawn((3,), np.dtype("f4"), lambda values: values.fill(0))}
    with pytest.raises(WeightsError, match=r"head.bias must have the shape"):
        Session(linear(), wrong)
