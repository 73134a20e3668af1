"""Damaged .npy files against an executable built with the address and undefined-behaviour sanitizers."""

from __future__ import annotations

import io
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from netwright.compiler.codegen.files.artifacts import link_executable
from netwright.compiler.codegen.files.linker import LinkError

from ..sanitizers import ENVIRONMENT, FLAGS
from .artifact_model import doubler

pytestmark = pytest.mark.skipif(shutil.which("cc") is None, reason="no C compiler (install gcc or clang)")

GOOD = np.arange(2 * 4 * 3, dtype=np.int32).reshape(2, 4, 3)
HEADER = "{'descr': '<i4', 'fortran_order': False, 'shape': (2, 4, 3), }"


@pytest.fixture(scope="module")
def sanitized(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("fuzz") / "doubler"
    program, manifest = doubler()
    try:
        link_executable(program, manifest, {}, path, flags=FLAGS)
    except LinkError as error:
        pytest.skip(f"no sanitizers here (install gcc or clang with libasan and libubsan): {error}")
    return path


def run(path: Path, data: bytes, *, piped: bool = True) -> subprocess.CompletedProcess[bytes]:
    if piped:
        return subprocess.run([path], input=data, capture_output=True, env=ENVIRONMENT, timeout=60)
    file, out = path.parent / "in.npy", path.parent / "out.npz"
    file.write_bytes(data)
    out.unlink(missing_ok=True)
    done = subprocess.run([path, "-i", file, "-o", out], capture_output=True, env=ENVIRONMENT, timeout=60)
    assert out.exists() == (done.returncode == 0)
    assert {p.name for p in path.parent.iterdir()} <= {"doubler", "in.npy", "out.npz"}
    return done


def check(path: Path, data: bytes, *, piped: bool) -> int:
    """Either an answer or exit 2 with a message; never a crash, and never half an answer."""
    done = run(path, data, piped=piped)
    assert done.returncode in (0, 2), done.stderr
    if done.returncode == 2:
        assert done.stderr.startswith(b"doubler: input 'x': ")
        assert done.stdout == b""
    return done.returncode


def encoded(header: str, payload: bytes, version: int = 1) -> bytes:
    text = header.encode("latin1", "replace")
    return (
        b"\x93NUMPY"
        + bytes([version, 0])
        + len(text).to_bytes(2 if version == 1 else 4, "little")
        + text
        + payload
    )


def test_a_good_file(sanitized: Path) -> None:
    stream = io.BytesIO()
    np.save(stream, GOOD)
    for piped in (True, False):
        assert check(sanitized, stream.getvalue(), piped=piped) == 0
    for version in (1, 2, 3):
        assert check(sanitized, encoded(HEADER, GOOD.tobytes(), version), piped=True) == 0


@given(st.binary(max_size=200), st.booleans())
def test_garbage(sanitized: Path, data: bytes, prefixed: bool) -> None:
    assert check(sanitized, (b"\x93NUMPY\x01\x00" if prefixed else b"") + data, piped=True) == 2


@given(st.integers(0, 223), st.booleans())
def test_truncation(sanitized: Path, length: int, piped: bool) -> None:
    stream = io.BytesIO()
    np.save(stream, GOOD)
    assert check(sanitized, stream.getvalue()[:length], piped=piped) == 2


@given(st.integers(0, len(HEADER) + 9), st.integers(0, 255), st.booleans())
def test_flipped_bytes(sanitized: Path, at: int, value: int, piped: bool) -> None:
    data = bytearray(encoded(HEADER, GOOD.tobytes()))
    data[at] = value
    check(sanitized, bytes(data), piped=piped)


WORDS = (
    "{ } ( ) , : 'descr' 'shape' 'fortran_order' '<i4' '|b1' True False 2 4 3 ' 99999999999999999999 -1 0x1"
)
TOKENS = [*WORDS.split(" "), " ", "\n"]


@given(st.lists(st.sampled_from(TOKENS), max_size=25), st.sampled_from([1, 2, 3]))
def test_headers_of_the_right_words(sanitized: Path, words: list[str], version: int) -> None:
    check(sanitized, encoded("".join(words), GOOD.tobytes(), version), piped=True)


@pytest.mark.parametrize("piped", [True, False])
@pytest.mark.parametrize(
    "shape",
    [
        (2**62, 2, 3),
        (2**40, 2**40, 3),
        (1, 2**40, 3),
        (2**61, 2, 0),
        (0, 2**63 - 1, 2**63 - 1),
        (10**19, 2, 3),
        (2**63, 0, 3),
        (1,) * 32,
        (1,) * 33,
        (1,) * 4000,
    ],
)
def test_shapes_that_overflow(sanitized: Path, shape: tuple[int, ...], piped: bool) -> None:
    header = HEADER.replace("(2, 4, 3)", str(shape))
    assert check(sanitized, encoded(header, GOOD.tobytes()), piped=piped) == 2


@pytest.mark.parametrize("length", [65536, 2**31, 2**32 - 1])
def test_oversized_headers(sanitized: Path, length: int) -> None:
    data = b"\x93NUMPY\x02\x00" + length.to_bytes(4, "little") + HEADER.encode()
    done = run(sanitized, data)
    assert done.returncode == 2
    assert f"its header has {length} bytes; expected less than 65536".encode() in done.stderr


@pytest.mark.parametrize(
    ("header", "message"),
    [
        (HEADER.replace("'<i4'", "'<i4', 'descr': '<i4'"), "twice"),
        (HEADER.replace("'descr': '<i4', ", ""), "has no 'descr'"),
        (HEADER.replace("'fortran_order': False, ", ""), "has no 'fortran_order'"),
        (HEADER.replace(", 'shape': (2, 4, 3)", ""), "has no 'shape'"),
        (HEADER.replace("False", "True"), "Fortran order"),
        (HEADER.replace("(2, 4, 3)", "(2 4 3)"), "not a tuple of sizes"),
        (HEADER.replace("(2, 4, 3)", "(24)"), "not a tuple of sizes"),
        (HEADER.replace("(2, 4, 3)", "[2, 4, 3]"), "not a tuple"),
        (HEADER.replace("(2, 4, 3)", "(-2, 4, 3)"), "not a size"),
        (HEADER.replace("'shape'", "'shapes'"), "has a key 'shapes'"),
        (HEADER + "x", "behind its dictionary"),
        (HEADER.replace("<i4", ">i4"), "big-endian"),
        (HEADER.replace("<i4", "|O"), "its dtype is |O"),
        ("", "not a dictionary"),
    ],
)
def test_headers_that_say_something_else(sanitized: Path, header: str, message: str) -> None:
    done = run(sanitized, encoded(header, GOOD.tobytes()))
    assert done.returncode == 2
    assert message in done.stderr.decode()
