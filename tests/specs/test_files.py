"""Reading and writing: links, modes, devices, pipes, standard output, full disks, interrupted writers."""

from __future__ import annotations

import errno
import os
import resource
import stat
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from netwright.specs.files import check_writable, is_stream, open_regular, scratch_folder, write_file


def test_a_new_file_has_the_mode_that_the_umask_leaves(tmp_path: Path) -> None:
    before = os.umask(0o027)
    try:
        write_file(tmp_path / "text", b"new")
        write_file(tmp_path / "program", b"new", executable=True)
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "text").stat().st_mode) == 0o640
    assert stat.S_IMODE((tmp_path / "program").stat().st_mode) == 0o750


def test_a_file_that_is_replaced_keeps_its_mode(tmp_path: Path) -> None:
    path = tmp_path / "text"
    for mode in (0o600, 0o664, 0o755, 0o4711):
        path.write_bytes(b"old")
        path.chmod(mode)
        number = path.stat().st_ino
        write_file(path, lambda file: file.write(b"new"))
        assert path.read_bytes() == b"new"
        assert stat.S_IMODE(path.stat().st_mode) == mode
        assert path.stat().st_ino != number  # whoever has it open still reads the old one
    path.chmod(0o600)
    write_file(path, b"runs", executable=True)
    assert path.stat().st_mode & 0o100
    assert os.listdir(tmp_path) == ["text"]


def test_links_stay_and_what_they_point_at_is_written(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to("next")
    (tmp_path / "next").symlink_to("real/text")
    for content in (b"new", b"newer"):  # where nothing is yet, and where something is
        write_file(tmp_path / "link", content)
        assert (tmp_path / "link").is_symlink()
        assert (tmp_path / "next").is_symlink()
        assert (tmp_path / "real" / "text").read_bytes() == content
    assert os.listdir(tmp_path / "real") == ["text"]
    (tmp_path / "round").symlink_to("round")
    with pytest.raises(OSError, match="round"):
        write_file(tmp_path / "round", b"new")


def test_devices_and_pipes_are_written_into(tmp_path: Path) -> None:
    before = os.stat("/dev/null")
    write_file("/dev/null", b"gone")
    assert os.stat("/dev/null").st_rdev == before.st_rdev
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "link").symlink_to("pipe")
    for name in ("pipe", "link"):
        found: list[bytes] = []
        reader = threading.Thread(target=lambda found=found: found.append((tmp_path / "pipe").read_bytes()))
        reader.start()
        write_file(tmp_path / name, b"through " * 100_000)
        reader.join(timeout=60)
        assert found == [b"through " * 100_000]
    assert stat.S_ISFIFO((tmp_path / "pipe").stat().st_mode)
    assert is_stream(tmp_path / "link")


@pytest.mark.parametrize("name", ["-", "/dev/stdout", "/dev/fd/1"])
def test_standard_output(tmp_path: Path, name: str) -> None:
    program = "from netwright.specs.files import write_file; print('before'); "
    program += f"write_file({name!r}, b'in '); print('after')"
    with (tmp_path / "all").open("w") as file:
        subprocess.run([sys.executable, "-c", program], stdout=file, check=True, timeout=60)
    assert (tmp_path / "all").read_text() == "before\nin after\n"
    done = subprocess.run([sys.executable, "-c", program], stdout=subprocess.PIPE, check=True, timeout=60)
    assert done.stdout == b"before\nin after\n"


def test_a_writer_that_fails_changes_nothing(tmp_path: Path) -> None:
    (tmp_path / "text").write_bytes(b"old")

    def write(file) -> None:
        file.write(b"half")
        raise KeyboardInterrupt

    for name in ("text", "other", "/dev/null", "-"):
        with pytest.raises(KeyboardInterrupt):
            write_file(name if name in ("-", "/dev/null") else tmp_path / name, write)
    assert (tmp_path / "text").read_bytes() == b"old"
    assert os.listdir(tmp_path) == ["text"]


def test_errors_name_the_file_asked_for(tmp_path: Path) -> None:
    (tmp_path / "text").write_bytes(b"old")
    (tmp_path / "link").symlink_to("folder")
    (tmp_path / "folder").mkdir()
    for name, code in [
        ("folder", errno.EISDIR),
        ("link", errno.EISDIR),
        ("none/text", errno.ENOENT),
        ("text/text", errno.ENOTDIR),
        ("n" * 300, errno.ENAMETOOLONG),
    ]:
        with pytest.raises(OSError) as caught:
            write_file(tmp_path / name, b"new")
        assert caught.value.errno == code
        assert caught.value.filename == str(tmp_path / name)
        with pytest.raises(OSError):
            check_writable(tmp_path / name)
    write_file(tmp_path / ("n" * 255), b"as long as names can be")
    with pytest.raises(OSError) as caught:
        write_file("/dev/full", b"new")
    assert (caught.value.errno, caught.value.filename) == (errno.ENOSPC, "/dev/full")


def test_a_disk_that_is_full_is_told_of_by_the_files_name(tmp_path: Path) -> None:
    (tmp_path / "text").write_bytes(b"old")
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, before[1]))
    try:
        with pytest.raises(OSError) as caught:
            write_file(tmp_path / "text", b"too much" * 1000)
        with pytest.raises(OSError) as other, scratch_folder() as folder:
            folder.write("part", b"too much" * 1000)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert (caught.value.errno, caught.value.filename) == (errno.EFBIG, str(tmp_path / "text"))
    assert (tmp_path / "text").read_bytes() == b"old"
    assert os.listdir(tmp_path) == ["text"]
    assert "folder for temporary files (TMPDIR names another)" in str(other.value)
    assert not folder.path.exists()


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everything")
def test_a_file_that_is_not_to_be_written_stays(tmp_path: Path) -> None:
    (tmp_path / "text").write_bytes(b"old")
    (tmp_path / "text").chmod(0o444)
    with pytest.raises(PermissionError):
        write_file(tmp_path / "text", b"new")
    assert (tmp_path / "text").read_bytes() == b"old"


def test_data_are_read_from_regular_files(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "text").write_bytes(b"here")
    (tmp_path / "link").symlink_to("text")
    with open_regular(tmp_path / "link") as file:
        assert file.read() == b"here"
    for name, words in [
        (tmp_path / "pipe", "it is a pipe"),
        ("/dev/zero", "it is a device"),
        (tmp_path, "Is a directory"),
        (tmp_path / "none", "No such file"),
    ]:
        with pytest.raises(OSError, match=words):
            open_regular(name)
