"""Data files: what NumPy writes is read, everything else is an error that says what is wrong, never a crash."""

import io
import struct
import zipfile

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from netwright.runtime.data import Dataset, check_against, load_dataset
from netwright.runtime.data.windows import Windows
from netwright.runtime.errors import DataError
from netwright.runtime.files.npy import MAGIC, read_npy, read_npy_header
from netwright.runtime.files.npz import read_npz, read_npz_headers, write_npz
from netwright.specs.manifest import DimInfo

from .numpy_engine import buffer, linear, linear_data


def npy_bytes(array) -> bytes:
    stream = io.BytesIO()
    np.lib.format.write_array(stream, np.asanyarray(array), allow_pickle=True)
    return stream.getvalue()


def npy_with(header: str, data: bytes = b"", version: bytes = b"\x01\x00") -> bytes:
    width = "<H" if version == b"\x01\x00" else "<I"
    return MAGIC + version + struct.pack(width, len(header)) + header.encode() + data


def read_bytes(tmp_path, content: bytes):
    path = tmp_path / "a.npy"
    path.write_bytes(content)
    return read_npy(path)


@pytest.mark.parametrize("dtype", ["bool", "u1", "<i2", ">i4", "<i8", "<f2", ">f4", "<f8"])
@pytest.mark.parametrize("shape", [(), (0, 3), (5,), (2, 3, 4)])
def test_npy_round_trip(tmp_path, dtype, shape):
    array = (np.arange(np.prod(shape)).reshape(shape) % 7).astype(dtype)
    loaded = read_bytes(tmp_path, npy_bytes(array))
    np.testing.assert_array_equal(loaded, array)
    assert loaded.shape == shape
    assert loaded.dtype.isnative


@pytest.mark.parametrize("version", [(1, 0), (2, 0), (3, 0)])
def test_npy_versions(tmp_path, version):
    stream = io.BytesIO()
    np.lib.format.write_array(stream, np.arange(3), version=version)
    np.testing.assert_array_equal(read_bytes(tmp_path, stream.getvalue()), np.arange(3))


GOOD = npy_bytes(np.arange(6, dtype=np.float32).reshape(2, 3))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "ends inside the header"),
        (b"PK\x03\x04garbage", "not a .npy file"),
        (MAGIC + b"\x09\x00" + bytes(100), "version 9.0"),
        (MAGIC + b"\x02\x00" + struct.pack("<I", 2**31), "header claims 2,147,483,648 bytes"),
        (GOOD[:40], "ends inside the header"),
        (GOOD[:-1], r"cut short: \[2, 3\] of float32 needs 152 bytes, it has 151"),
        (GOOD + b"x", "goes on after the array"),
        (npy_bytes(np.asfortranarray(np.zeros((2, 3)))), "Fortran order; write it again as np.ascontiguous"),
        (npy_bytes(np.array([{}, None])), r"dtype .\|O. are not supported"),
        (npy_bytes(np.array(["a"])), "dtype '<U1' are not supported"),
        (npy_bytes(np.zeros(2, complex)), "dtype '<c16' are not supported"),
        (npy_bytes(np.zeros(2, [("a", "f4")])), "dtype .* are not supported"),
        (npy_with("{'descr': '<f4', 'shape': (2,)}"), "must have descr, fortran_order and shape"),
        (
            npy_with("{'descr': '<f4', 'fortran_order': 0, 'shape': (2,)}"),
            "fortran_order must be True or False",
        ),
        (npy_with("{'descr': '<f4', 'fortran_order': False, 'shape': [2]}"), "tuple of sizes"),
        (npy_with("{'descr': '<f4', 'fortran_order': False, 'shape': (-2,)}"), "tuple of sizes"),
        (npy_with("{'descr': '<f4', 'fortran_order': False, 'shape': (True,)}"), "tuple of sizes"),
        (npy_with("{'descr': '<f8', 'fortran_order': False, 'shape': (2**60, 9)}"), "garbled"),
        (npy_with(f"{{'descr': '<f8', 'fortran_order': False, 'shape': ({2**60}, 9)}}"), "impossible shape"),
        (npy_with(f"{{'descr': '<f8', 'fortran_order': False, 'shape': (0, {2**64})}}"), "impossible shape"),
        (npy_with("{'descr': '<f8', 'fortran_order': False, 'shape': (1000000000,)}"), "cut short"),
        (npy_with("__import__('os').abort()"), "garbled"),
        (npy_with("(" * 30000), "garbled"),
        (npy_with("-" * 60000 + "1"), "garbled"),
    ],
)
def test_npy_errors(tmp_path, content, message):
    with pytest.raises(DataError, match=message):
        read_bytes(tmp_path, content)


def test_files_that_can_not_be_opened(tmp_path):
    for read in (read_npy, read_npy_header, read_npz, read_npz_headers):
        with pytest.raises(DataError, match="No such file"):
            read(tmp_path / "absent")
        with pytest.raises(DataError, match="directory"):
            read(tmp_path)


@given(end=st.integers(0, len(GOOD) - 1))
def test_truncated_npy(tmp_path_factory, end):
    with pytest.raises(DataError):
        read_bytes(tmp_path_factory.mktemp("npy"), GOOD[:end])


@given(position=st.integers(0, 128), change=st.binary(min_size=1, max_size=8))
def test_corrupted_npy(tmp_path_factory, position, change):
    content = GOOD[:position] + change + GOOD[position + len(change) :]
    try:
        array = read_bytes(tmp_path_factory.mktemp("npy"), content)
    except DataError:
        return
    assert array.nbytes == 24


def test_npz_round_trip(tmp_path):
    data = linear_data(7) | {"file": np.array(3), "self": np.arange(2)[::-1]}
    write_npz(tmp_path / "own.npz", data)
    np.savez_compressed(
        tmp_path / "packed.npz", **{k: v for k, v in data.items() if k not in ("file", "self")}
    )
    for name in ("own.npz", "packed.npz"):
        loaded = read_npz(tmp_path / name)
        headers = read_npz_headers(tmp_path / name)
        assert loaded.keys() == headers.keys()
        for key, array in loaded.items():
            np.testing.assert_array_equal(array, data[key])
            assert headers[key].shape == array.shape
    with np.load(tmp_path / "own.npz") as archive:
        assert set(archive.files) == set(data)
    write_npz(tmp_path / "again.npz", data)
    assert (tmp_path / "again.npz").read_bytes() == (tmp_path / "own.npz").read_bytes()


def archive(*members, method=zipfile.ZIP_STORED) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", method) as file:
        for name, content in members:
            file.writestr(name, content)
    return stream.getvalue()


def bomb() -> bytes:
    """A member whose directory entry claims far more than its packed bytes can hold."""
    content = bytearray(archive(("a.npy", npy_bytes(np.zeros(1000))), method=zipfile.ZIP_DEFLATED))
    directory = content.index(b"PK\x01\x02")
    content[directory + 24 : directory + 28] = struct.pack("<I", 2**31)
    return bytes(content)


def overlapping() -> bytes:
    """Two directory entries over the same bytes."""
    content = bytearray(archive(("a.npy", GOOD * 9), ("b.npy", GOOD * 9)))
    first = content.index(b"PK\x01\x02")
    second = content.index(b"PK\x01\x02", first + 1)
    for entry in (first, second):
        content[entry + 20 : entry + 24] = struct.pack("<I", 2000)
    return bytes(content)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "not a readable .npz archive"),
        (GOOD, "not a readable .npz archive"),
        (archive(("a.txt", b"text")), "'a.txt' in it is not an array"),
        (archive(("a.npy", GOOD[:-4])), "a: the file is cut short"),
        (archive(("a.npy", npy_bytes(np.array([{}])))), "not supported"),
        (archive(("a.npy", GOOD), method=zipfile.ZIP_BZIP2), "packed in a way that np.savez never uses"),
        (bomb(), "claims to unpack"),
        (overlapping(), "claim more bytes than the file has"),
    ],
)
def test_npz_errors(tmp_path, content, message):
    path = tmp_path / "a.npz"
    path.write_bytes(content)
    for read in (read_npz, read_npz_headers):
        with pytest.raises(DataError, match=message):
            read(path)


def test_npz_with_a_name_twice(tmp_path):
    with pytest.warns(UserWarning, match="Duplicate"):
        (tmp_path / "a.npz").write_bytes(archive(("a.npy", GOOD), ("a.npy", GOOD)))
    with pytest.raises(DataError, match="'a' occurs twice"):
        read_npz(tmp_path / "a.npz")


NPZ = archive(("x.npy", GOOD), ("y.npy", npy_bytes(np.arange(40))), method=zipfile.ZIP_DEFLATED)


@given(position=st.integers(0, len(NPZ) - 1), change=st.binary(min_size=1, max_size=8), cut=st.booleans())
def test_corrupted_npz(tmp_path_factory, position, change, cut):
    path = tmp_path_factory.mktemp("npz") / "a.npz"
    path.write_bytes(NPZ[:position] + change + (b"" if cut else NPZ[position + len(change) :]))
    for read in (read_npz, read_npz_headers):
        try:
            read(path)
        except DataError:
            continue


def test_dataset_needs_equal_sample_counts(tmp_path):
    with pytest.raises(DataError, match="y has 3 samples, x has 4"):
        Dataset({"x": np.zeros((4, 2)), "y": np.zeros(3)})
    with pytest.raises(DataError, match="n has no axis"):
        Dataset({"x": np.zeros(4), "n": np.array(1)})
    with pytest.raises(DataError, match="no samples"):
        Dataset({"x": np.zeros((0, 4))})
    write_npz(tmp_path / "empty.npz", {})
    with pytest.raises(DataError, match=r"empty\.npz: there is no array"):
        load_dataset(tmp_path / "empty.npz")


def test_a_dataset_is_checked_against_inputs_from_headers_alone(tmp_path):
    manifest = linear().manifest
    expected = [info for info in manifest.buffers if info.role == "input"]
    write_npz(tmp_path / "good.npz", linear_data(5) | {"extra": np.zeros(5)})
    assert check_against(read_npz_headers(tmp_path / "good.npz"), expected, manifest.dims) == []
    load_dataset(tmp_path / "good.npz").require(expected, manifest.dims)
    with open(tmp_path / "bad.npz", "wb") as file:
        np.savez(file, X=np.zeros((5, 3)), y=np.asfortranarray(np.zeros((5, 4), np.int64)))
    problems = check_against(read_npz_headers(tmp_path / "bad.npz"), expected, manifest.dims)
    assert problems == [
        "x is missing (float32 [N, 3]); there are 'X', 'y'; did you mean 'X'?",
        "y is int64, which can't become float32 without loss; store it as float32",
        "y is stored in Fortran order; write it as np.ascontiguousarray(y)",
        "y: axis 1 must be 2: expected [N, 2], found [5, 4]",
    ]


@pytest.mark.parametrize("dtype", ["float32", "float64", "int64", "uint8", "bool"])
def test_one_hot_targets_get_what_they_need(dtype):
    expected = [buffer("x", "input", "N 3"), buffer("t", "input", "N", "int64")]
    arrays = {"x": np.zeros((8, 3), np.float32), "t": np.eye(8, 10).astype(dtype)}
    stored = dtype if dtype.startswith("f") else "float32"
    assert check_against(arrays, expected, []) == [
        f"t is {dtype} [8, 10], like one-hot rows of 10 classes; the model takes the classes: "
        "store np.argmax(t, axis=-1), or let softmax_cross_entropy compare distributions: "
        f"train: {{targets: {{t: {{shape: [N, 10], dtype: {stored}}}}}}}"
    ]
    column = arrays | {"t": np.zeros((8, 1), dtype)}
    assert check_against(column, expected, []) == [
        "t has an axis of size 1 too many: store t[..., 0] as int64"
    ]


def test_other_axes_bind_dims():
    expected = [buffer("x", "input", "N T 1"), buffer("y", "input", "N T//2"), buffer("z", "input", "N T")]
    dims = [DimInfo(name="N", max=4), DimInfo(name="T", min=2, max=9)]
    arrays = {
        "x": np.zeros((100, 8, 1), np.float32),
        "y": np.zeros((100, 4), np.float32),
        "z": np.zeros((100, 8), np.float32),
    }
    assert check_against(arrays, expected, dims) == []
    wrong = arrays | {"y": np.zeros((100, 5), np.float32), "z": np.zeros((100, 7), np.float32)}
    assert check_against(wrong, expected, dims) == [
        "y: axis 1 must be 4: expected [N, T//2], found [100, 5]",
        "z: axis 1 must be 8 (T of x): expected [N, T], found [100, 7]",
    ]
    long = {name: np.repeat(array, 2, axis=1) for name, array in arrays.items()}
    assert check_against(long, expected, dims) == [
        "x: T must be at least 2 and at most 9: expected [N, T, 1], found [100, 16, 1]"
    ]
    assert check_against(long, expected, dims, Windows(7, "T")) == []
    assert check_against(long, expected, dims, Windows(5, "T")) == [
        "x: of 16 steps windows of 5 leave one of 1, but T must be at least 2 and at most 9: "
        "expected [N, T, 1], found [100, 16, 1]"
    ]
    assert check_against(long, expected, dims, Windows(10, "T"))[0].startswith("x: of 16 steps windows of 10")
    assert check_against(arrays | {"x": np.zeros((100, 8), np.float32)}, expected, dims)[0] == (
        "x must have 3 axes: expected [N, T, 1], found [100, 8]"
    )
