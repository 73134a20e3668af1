"""What of a request is remembered, and numbers of JSON that are read without NumPy's look at each."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

pytest.importorskip("orjson")

from netwright.serving.messages import Messages
from netwright.serving.refusals import Refusal
from netwright.serving.tensors import from_json

from .clients import infer_body

DTYPES = {"x": np.dtype(np.float32), "word": np.dtype(np.int64)}


@pytest.fixture
def messages() -> Messages:
    return Messages("gestures", "1", DTYPES, {"y": np.dtype(np.float32)})


def drawn(seed: int) -> dict[str, np.ndarray]:
    numbers = np.random.default_rng(seed)
    return {"x": numbers.normal(size=(1, 2, 6)).astype(np.float32), "word": numbers.integers(0, 9, (1, 2))}


def test_what_is_remembered_is_not_the_bytes_behind_it(messages: Messages) -> None:
    for seed in range(200):
        arrays = drawn(seed)
        body, headers = infer_body(arrays, True, drawn=seed % 100)  # more texts than are remembered
        request = messages.read(body, int(headers["Inference-Header-Content-Length"]))
        for name, array in arrays.items():
            np.testing.assert_array_equal(request.arrays[name], array)
            assert request.arrays[name].flags.writeable


def test_what_is_remembered_has_to_fit_the_bytes_behind_it(messages: Messages) -> None:
    body, headers = infer_body(drawn(0), True)
    length = int(headers["Inference-Header-Content-Length"])
    messages.read(body, length)
    for changed, said in (
        (body[:-1], "binary_data_size is 16, and 15 bytes follow"),
        (body + b"1", "1 bytes follow the last tensor"),
        (body[:length], "binary_data_size is 48, and 0 bytes follow"),
    ):
        with pytest.raises(Refusal, match=said):
            messages.read(changed, length)
    with pytest.raises(Refusal, match="not JSON"):
        messages.read(body, length - 1)


def test_json_with_a_length_is_not_taken_for_what_it_was(messages: Messages) -> None:
    """Numbers in JSON with bytes behind it."""
    for value in (1.5, 2.5):
        x = {"name": "x", "shape": [1, 1], "datatype": "FP32", "data": [value]}
        word = {"name": "word", "shape": [1], "datatype": "INT64", "parameters": {"binary_data_size": 8}}
        text = json.dumps({"inputs": [x, word]}).encode()
        request = messages.read(text + bytes(8), len(text))
        assert request.arrays["x"] == value


numbers = st.one_of(
    st.floats(allow_nan=False, allow_infinity=False),
    st.integers(-(2**63), 2**64 - 1),
    st.integers(-9, 9),
    st.booleans(),
)
odd = st.sampled_from([None, "1", "", {}, {"1": 1}, [], [1.0]])


@st.composite
def tensors(draw: st.DrawFn) -> tuple[list[int], list[Any]]:
    """A shape, and numbers that may have it, mostly of one type."""
    shape = draw(st.lists(st.integers(0, 3), max_size=3))
    kinds = draw(st.sampled_from([st.floats(-1e3, 1e3), st.integers(-9, 9), numbers, numbers | odd]))

    def nested(sizes: list[int]) -> Any:
        if not sizes:
            return draw(kinds)
        count = sizes[0] + draw(st.sampled_from([0] * 20 + [1]))
        return [nested(sizes[1:]) for _ in range(count)]

    return shape, nested(shape if draw(st.booleans()) else [int(np.prod(shape))])


@given(tensors(), st.sampled_from(["float32", "float64", "int64", "int8", "uint8", "bool"]))
def test_numbers_are_those_that_numpy_takes(tensor: tuple[list[int], Any], name: str) -> None:
    shape, data = tensor
    dtype = np.dtype(name)
    try:
        got = from_json("x", data, shape, dtype)
    except Refusal:
        return
    with np.errstate(over="ignore"):
        wanted = np.array(data).astype(dtype)
    assert got.dtype == dtype
    assert list(got.shape) == shape
    np.testing.assert_array_equal(got.ravel(), wanted.ravel())
    assert (np.isnan(got) == np.isnan(wanted.reshape(shape))).all()
