"""Weights files: round trips, all problems in one error, atomic writes, and bytes that are not a weights file."""

import json
import os
import struct

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from safetensors.numpy import load_file, save

from netwright.runtime.errors import WeightsError
from netwright.runtime.files.tensors import TensorFile, write_tensors
from netwright.runtime.sessions.weights import load_weights, save_weights
from netwright.specs.files import write_file

from .numpy_engine import linear, linear_values

MANIFEST = linear().manifest


def test_round_trip(tmp_path):
    values = linear_values() | {
        "head.kernel": np.asfortranarray(np.arange(6, dtype=np.float32).reshape(3, 2))
    }
    save_weights(tmp_path / "w.safetensors", MANIFEST, values)
    loaded = load_weights(tmp_path / "w.safetensors", MANIFEST)
    assert list(loaded) == ["head.kernel", "head.bias", "norm.mean"]
    for name, array in values.items():
        np.testing.assert_array_equal(loaded[name], array)
        assert loaded[name].dtype == np.float32
    assert TensorFile(tmp_path / "w.safetensors").metadata["model"] == "linear"
    assert os.listdir(tmp_path) == ["w.safetensors"]


def test_the_library_reads_what_is_written(tmp_path):
    values = {
        "b": np.arange(6, dtype=np.float32).reshape(2, 3).T,
        "empty": np.zeros((0, 3), np.uint8),
        "scalar": np.array(7, np.int64),
        "ä": np.array([1, 2], ">f8"),
    }
    write_tensors(tmp_path / "t", values, {"note": "größer"})
    loaded = load_file(tmp_path / "t")
    assert loaded.keys() == values.keys()
    for name, array in values.items():
        np.testing.assert_array_equal(loaded[name], array)
        assert loaded[name].shape == array.shape


def test_equal_weights_give_equal_bytes(tmp_path):
    for name in ("a", "b"):
        save_weights(tmp_path / name, MANIFEST, linear_values())
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


def test_lossless_casts_only(tmp_path):
    path = tmp_path / "w.safetensors"
    write_tensors(path, {name: array.astype(np.float16) for name, array in linear_values().items()}, {})
    assert load_weights(path, MANIFEST)["head.kernel"].dtype == np.float32
    write_tensors(path, {name: array.astype(np.float64) for name, array in linear_values().items()}, {})
    with pytest.raises(WeightsError, match=r"head.bias is float64, which can't become float32 without loss"):
        load_weights(path, MANIFEST)


def test_all_problems_at_once(tmp_path):
    path = tmp_path / "w.safetensors"
    write_tensors(
        path, {"head.kernel": np.zeros((2, 3), np.float32), "head.bais": np.zeros(2, np.float32)}, {}
    )
    with pytest.raises(WeightsError, match="does not fit the model 'linear'") as caught:
        load_weights(path, MANIFEST)
    assert caught.value.problems == (
        "head.kernel must have the shape [3, 2], not [2, 3]",
        "head.bias is missing (float32 [2])",
        "norm.mean is missing (float32 [3])",
        "head.bais is not in the model; did you mean 'head.bias'?",
    )
    with pytest.raises(WeightsError, match="not the weights of 'linear'"):
        save_weights(path, MANIFEST, {})


def test_a_failed_write_leaves_the_old_file(tmp_path):
    path = tmp_path / "w.safetensors"
    save_weights(path, MANIFEST, linear_values())
    before = path.read_bytes()
    with pytest.raises(KeyError):
        write_tensors(path, linear_values() | {"z": np.zeros(2, complex)}, {})
    with pytest.raises(ZeroDivisionError):
        write_file(path, lambda file: file.write(b"half") / 0)
    assert path.read_bytes() == before
    assert os.listdir(tmp_path) == [path.name]
    with pytest.raises(OSError):
        save_weights(tmp_path / "absent" / "w.safetensors", MANIFEST, linear_values())


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "no header"),
        (b"\x08", "no header"),
        (struct.pack("<Q", 0), "no header"),
        (struct.pack("<Q", 1 << 62) + b"{}", "header claims"),
        (struct.pack("<Q", 100) + b"{}", "header claims"),
        (struct.pack("<Q", 2) + b"[]", "not a well-formed"),
        (struct.pack("<Q", 2) + b"\xff\xff", "not a well-formed"),
        (b"PK\x03\x04" + bytes(64), "like one of PyTorch or NumPy"),
    ],
)
def test_malformed_files(tmp_path, content, message):
    path = tmp_path / "w.safetensors"
    path.write_bytes(content)
    with pytest.raises(WeightsError, match=message):
        load_weights(path, MANIFEST)


def test_missing_file_and_folder(tmp_path):
    with pytest.raises(WeightsError, match="No such file"):
        load_weights(tmp_path / "absent", MANIFEST)
    with pytest.raises(WeightsError, match="directory"):
        load_weights(tmp_path, MANIFEST)


def test_unsupported_dtype(tmp_path):
    header = json.dumps({"a": {"dtype": "BF16", "shape": [2], "data_offsets": [0, 4]}}).encode()
    path = tmp_path / "w.safetensors"
    path.write_bytes(struct.pack("<Q", len(header)) + header + bytes(4))
    with pytest.raises(WeightsError, match="'a' is BF16"):
        load_weights(path, MANIFEST)


GOOD = save(linear_values(), {"model": "linear"})


def load_bytes(folder, content):
    path = folder / "fuzz.safetensors"
    path.write_bytes(content)
    try:
        return load_weights(path, MANIFEST)
    except WeightsError:
        return None


@given(end=st.integers(0, len(GOOD) - 1))
def test_truncation_is_an_error(tmp_path_factory, end):
    assert load_bytes(tmp_path_factory.mktemp("fuzz"), GOOD[:end]) is None


@given(position=st.integers(0, len(GOOD) - 1), change=st.binary(min_size=1, max_size=12))
def test_corruption_is_an_error_or_other_values(tmp_path_factory, position, change):
    content = GOOD[:position] + change + GOOD[position + len(change) :]
    loaded = load_bytes(tmp_path_factory.mktemp("fuzz"), content)
    if loaded is not None:
        assert {name: array.shape for name, array in loaded.items()} == {
            name: array.shape for name, array in linear_values().items()
        }


@given(
    shape=st.lists(st.integers(-1, 2**64), max_size=3),
    offsets=st.lists(st.integers(-1, 2**64), max_size=3),
    dtype=st.sampled_from(["F32", "F64", "I64", "F8_E4M3", "F4", "X", ""]),
)
def test_absurd_headers(tmp_path_factory, shape, offsets, dtype):
    header = json.dumps({"head.kernel": {"dtype": dtype, "shape": shape, "data_offsets": offsets}}).encode()
    content = struct.pack("<Q", len(header)) + header + bytes(24)
    assert load_bytes(tmp_path_factory.mktemp("fuzz"), content) is None
