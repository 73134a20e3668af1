"""Where executables write: files through links and with their modes, devices, pipes, standard output, full disks."""

from __future__ import annotations

import io
import os
import resource
import shutil
import signal
import stat
import subprocess
import threading
import time
from pathlib import Path

import numpy as np
import pytest

from netwright.compiler.codegen.files.artifacts import link_executable

from .artifact_model import classifier, doubler, inputs, weights

pytestmark = pytest.mark.skipif(shutil.which("cc") is None, reason="no C compiler")
X = np.arange(2 * 500 * 3, dtype=np.int32).reshape(2, 500, 3)
Y = np.concatenate([2 * X.reshape(2, -1), np.full((2, 1), -1)], axis=1)


@pytest.fixture(scope="module")
def programs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("programs")
    link_executable(*doubler(), {}, folder / "doubler")
    link_executable(*classifier(), weights(), folder / "pets")
    return folder


@pytest.fixture
def run(programs: Path, tmp_path: Path):
    """Runs `doubler -i x.npy -o OUT` in the test's folder."""
    np.save(tmp_path / "x.npy", X)

    def run(out: str, **options) -> subprocess.CompletedProcess[bytes]:
        command = [programs / "doubler", "-i", "x=x.npy", "-o", out]
        return subprocess.run(command, cwd=tmp_path, capture_output=True, timeout=60, **options)

    return run


def test_links_stay_and_what_they_point_at_is_written(run, tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "link.npy").symlink_to("next.npy")
    (tmp_path / "next.npy").symlink_to("real/y.npy")
    for _ in range(2):  # the file is new, then it is there
        done = run("link.npy")
        assert (done.returncode, done.stderr) == (0, b"")
        assert (tmp_path / "link.npy").is_symlink()
        assert (tmp_path / "next.npy").is_symlink()
        np.testing.assert_array_equal(np.load(tmp_path / "real" / "y.npy"), Y)
    assert sorted(path.name for path in (tmp_path / "real").iterdir()) == ["y.npy"]
    (tmp_path / "round.npy").symlink_to("round.npy")
    assert run("round.npy").returncode == 1


def test_a_file_keeps_its_mode(run, tmp_path: Path) -> None:
    (tmp_path / "y.npy").write_bytes(b"old")
    (tmp_path / "y.npy").chmod(0o640)
    assert run("y.npy").returncode == 0
    np.testing.assert_array_equal(np.load(tmp_path / "y.npy"), Y)
    assert stat.S_IMODE((tmp_path / "y.npy").stat().st_mode) == 0o640


def test_devices_stay_devices(run) -> None:
    before = os.stat("/dev/null")
    assert run("/dev/null").returncode == 0
    after = os.stat("/dev/null")
    assert stat.S_ISCHR(after.st_mode)
    assert (after.st_ino, after.st_rdev) == (before.st_ino, before.st_rdev)


@pytest.mark.parametrize("name", ["pipe.npy", "link.npy"])
def test_pipes_are_written_into(run, tmp_path: Path, name: str) -> None:
    os.mkfifo(tmp_path / "pipe.npy")
    (tmp_path / "link.npy").symlink_to("pipe.npy")
    found: list[bytes] = []
    reader = threading.Thread(target=lambda: found.append((tmp_path / "pipe.npy").read_bytes()))
    reader.start()
    done = run(name)
    reader.join(timeout=60)
    assert (done.returncode, done.stderr) == (0, b"")
    np.testing.assert_array_equal(np.load(io.BytesIO(found[0])), Y)
    assert stat.S_ISFIFO((tmp_path / "pipe.npy").stat().st_mode)


@pytest.mark.parametrize("out", ["-", "/dev/stdout", "/dev/fd/1", "/proc/self/fd/1"])
def test_standard_output(run, out: str, tmp_path: Path) -> None:
    done = run(out)
    assert (done.returncode, done.stderr) == (0, b"")
    found = np.load(io.BytesIO(done.stdout))
    np.testing.assert_array_equal(found if out == "-" else found["y"], Y)
    assert sorted(os.listdir(tmp_path)) == ["x.npy"]


def test_a_redirected_file_is_written_from_where_it_stands(programs: Path, tmp_path: Path) -> None:
    np.save(tmp_path / "x.npy", X)
    command = f"(echo before; {programs / 'doubler'} -i x.npy -o /dev/stdout; echo after) > all"
    subprocess.run(["sh", "-c", command], cwd=tmp_path, check=True, timeout=60)
    data = (tmp_path / "all").read_bytes()
    assert data.startswith(b"before\nPK")
    assert data.endswith(b"after\n")


def test_several_outputs_on_standard_output_are_an_archive(programs: Path, tmp_path: Path) -> None:
    for name, array in inputs(4).items():
        np.save(tmp_path / f"{name}.npy", array)
    given = [programs / "pets", "-i", "x=x.npy", "-i", "kind=kind.npy", "-o", "-"]
    done = subprocess.run(given, cwd=tmp_path, capture_output=True, timeout=60)
    assert done.returncode == 0
    assert sorted(np.load(io.BytesIO(done.stdout)).files) == ["class", "scores"]
    done = subprocess.run([*given, "--print"], cwd=tmp_path, capture_output=True, timeout=60)
    assert done.returncode == 2
    assert b"both write to standard output" in done.stderr


@pytest.mark.parametrize("out", ["x.npy", "./x.npy", "link.npy", "hard.npy"])
def test_an_input_is_not_written_over(run, tmp_path: Path, out: str) -> None:
    (tmp_path / "link.npy").symlink_to("x.npy")
    before = (tmp_path / "x.npy").exists() or np.save(tmp_path / "x.npy", X)
    os.link(tmp_path / "x.npy", tmp_path / "hard.npy")
    before = (tmp_path / "x.npy").read_bytes()
    done = run(out)
    assert done.returncode == 2
    assert f"-o {out} is the input 'x'".encode() in done.stderr
    assert (tmp_path / "x.npy").read_bytes() == before


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="no /dev/full")
@pytest.mark.parametrize("out", ["/dev/full", "link.npy"])
def test_a_full_device_is_named(run, tmp_path: Path, out: str) -> None:
    (tmp_path / "link.npy").symlink_to("/dev/full")
    done = run(out)
    assert done.returncode == 1
    assert f"cannot write {out}: No space left on device".encode() in done.stderr


def test_standard_output_may_be_full(programs: Path, tmp_path: Path) -> None:
    np.save(tmp_path / "x.npy", X)
    for more in ("", "-o -", "--print", "--info", "--help"):
        command = f"{programs / 'doubler'} -i x.npy {more} > /dev/full"
        done = subprocess.run(["sh", "-c", command], cwd=tmp_path, capture_output=True, timeout=60)
        assert done.returncode == 1, more
        assert b"standard output: No space left on device" in done.stderr


def test_a_file_that_may_not_grow_leaves_the_old_one(run, tmp_path: Path) -> None:
    (tmp_path / "y.npy").write_bytes(b"old")
    done = run("y.npy", preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (5000, 5000)))
    assert done.returncode == 1
    assert b"cannot write y.npy: File too large" in done.stderr
    assert (tmp_path / "y.npy").read_bytes() == b"old"
    assert sorted(os.listdir(tmp_path)) == ["x.npy", "y.npy"]


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everything")
def test_a_file_that_is_not_to_be_written_stays(run, tmp_path: Path) -> None:
    (tmp_path / "y.npy").write_bytes(b"old")
    (tmp_path / "y.npy").chmod(0o444)
    done = run("y.npy")
    assert done.returncode == 1
    assert b"cannot write y.npy: Permission denied" in done.stderr
    assert (tmp_path / "y.npy").read_bytes() == b"old"


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_signals_leave_nothing_half_written(programs: Path, tmp_path: Path, number: int) -> None:
    np.save(tmp_path / "x.npy", np.zeros((200, 5000, 3), np.int32))
    (tmp_path / "y.npy").write_bytes(b"old")
    command = [programs / "doubler", "-i", "x.npy", "-o", "y.npy"]
    for delay in np.linspace(0, 0.06, 25):
        process = subprocess.Popen(command, cwd=tmp_path)
        time.sleep(delay)
        process.send_signal(number)
        assert process.wait(timeout=60) in (0, -number)
        assert sorted(os.listdir(tmp_path)) == ["x.npy", "y.npy"]
        assert (tmp_path / "y.npy").stat().st_size in (3, 128 + 200 * 15001 * 4)
