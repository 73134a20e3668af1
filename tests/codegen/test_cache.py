"""The code cache: found again, damage is not, writers do not meet, other people's folders are not used."""

from __future__ import annotations

import os
import threading
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from netwright.compiler.codegen.files.aot import emit
from netwright.compiler.codegen.jit import compile_jit
from netwright.compiler.codegen.objects import cache as cache_module
from netwright.compiler.codegen.objects import compile as compile_module
from netwright.compiler.codegen.objects.cache import CacheError, ObjectCache, default_cache
from netwright.compiler.codegen.objects.upkeep import DAY, Usage, clear, usage
from netwright.compiler.codegen.targets.target import named_target

from .codegen_harness import run_program
from .test_entries import scan_program


def files(cache: ObjectCache) -> list[Path]:
    return sorted(path for path in cache.folder.rglob("*") if path.is_file())


def check(cache: ObjectCache) -> None:
    program = scan_program()
    x, first, last = np.ones((3, 5), np.float32), np.zeros(5, np.float32), np.zeros(5, np.float32)
    arrays = {"x": x, "first": first, "last": last}
    native = compile_jit(program, cache=cache)
    assert run_program(program, {"N": 5, "T": 3}, arrays, entry="predict", native=native) == 0
    np.testing.assert_array_equal(last, 3)


def test_code_is_found_again(tmp_path: Path) -> None:
    cache = ObjectCache(tmp_path / "cache")
    check(cache)
    stored = {path: path.stat().st_mtime_ns for path in files(cache)}
    assert len(stored) >= 3
    check(ObjectCache(tmp_path / "cache"))
    assert stored == {path: path.stat().st_mtime_ns for path in files(cache)}
    assert cache.folder.stat().st_mode & 0o777 == 0o700


def test_objects_of_files_are_found_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As long as nothing that is in them changes."""
    monkeypatch.setenv("NETWRIGHT_CACHE_DIR", str(tmp_path))
    program = scan_program()
    made = emit(program, "object")
    with monkeypatch.context() as patch:
        patch.setattr("netwright.compiler.codegen.files.aot.optimize", None)  # nothing is compiled
        assert emit(program, "object") == made
        with pytest.raises(TypeError, match="not callable"):
            emit(program, "object", named_target("x86-64"))
        with pytest.raises(TypeError, match="not callable"):
            emit(replace(program, model="other"), "object")
    monkeypatch.setenv("NETWRIGHT_CACHE_DIR", "")
    assert emit(program, "object") == made


def test_code_of_another_compiler_is_not_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The key holds our version, llvmlite's, LLVM's and the passes: NewGVN is among none of them."""
    cache = ObjectCache(tmp_path / "cache")
    check(cache)
    before = set(files(cache))
    monkeypatch.setattr(compile_module, "VERSIONS", compile_module.VERSIONS + " another_pass")
    check(cache)
    added = set(files(cache)) - before
    assert added
    assert {path.read_bytes() for path in added} <= {path.read_bytes() for path in before}
    assert "llvmlite" in compile_module.VERSIONS
    assert all(name in compile_module.VERSIONS for name in compile_module.PASSES)
    assert not any("gvn" in name for name in compile_module.PASSES)


@pytest.mark.parametrize("damage", ["empty", "cut", "flipped", "garbage"])
def test_damaged_entries_are_compiled_again(tmp_path: Path, damage: str) -> None:
    cache = ObjectCache(tmp_path / "cache")
    check(cache)
    whole = {path: path.read_bytes() for path in files(cache)}
    for path, data in whole.items():
        changed = {
            "empty": b"",
            "cut": data[: len(data) // 2],
            "flipped": data[:-1] + bytes([data[-1] ^ 1]),
            "garbage": os.urandom(500),
        }
        path.write_bytes(changed[damage])
    check(cache)
    for path, data in whole.items():
        assert path.read_bytes() == data


def test_concurrent_writers(tmp_path: Path) -> None:
    payloads = [bytes([number]) * 20_000 for number in range(8)]
    key = ObjectCache.key("some code")
    seen: list[bytes | None] = []

    def work(payload: bytes) -> None:
        cache = ObjectCache(tmp_path)
        for _ in range(25):
            cache.put(key, payload)
            seen.append(cache.get(key))

    threads = [threading.Thread(target=work, args=(payload,)) for payload in payloads]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert set(seen) <= set(payloads)
    assert len(files(ObjectCache(tmp_path))) == 1


def test_keys_do_not_run_together() -> None:
    assert ObjectCache.key("ab", "c") != ObjectCache.key("a", "bc")


def test_a_folder_that_others_can_write_is_not_used(tmp_path: Path) -> None:
    (tmp_path / "code").mkdir(mode=0o777)
    (tmp_path / "code").chmod(0o777)
    cache = ObjectCache(tmp_path)
    assert not cache.usable
    cache.put(cache.key("x"), b"code")
    assert cache.get(cache.key("x")) is None
    check(cache)
    assert files(cache) == []


def test_a_link_or_a_file_in_its_place_is_not_used(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir(mode=0o700)
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "code").symlink_to(tmp_path / "elsewhere")
    assert not ObjectCache(tmp_path / "a").usable
    (tmp_path / "b").write_text("not a folder")
    assert not ObjectCache(tmp_path / "b").usable


def test_what_was_used_least_recently_goes_first(tmp_path: Path) -> None:
    """Ten keys of a folder whose share of the limit is three entries: the oldest go, but for one that was read."""
    payload = b"x" * 960
    cache = ObjectCache(tmp_path, limit=256 * 3400)
    keys = [f"ab01{number:060x}" for number in range(10)]
    now = time.time()
    for age, key in enumerate(keys):
        cache.put(key, payload)
        path = cache.folder / "ab" / key[2:]
        os.utime(path, (now - (20 - age) * DAY,) * 2)
    assert len(files(cache)) == 10
    assert cache.get(keys[0]) == payload
    cache.put("ab" + "0" * 62, payload)
    kept = [key for key in keys if cache.get(key) is not None]
    assert kept == [keys[0]]
    assert cache.get("ab" + "0" * 62) == payload
    assert usage(cache.folder).files == 2


def test_entries_that_are_read_stay_fresh_without_a_write_each_time(tmp_path: Path) -> None:
    cache = ObjectCache(tmp_path)
    key = cache.key("code")
    cache.put(key, b"code")
    (path,) = files(cache)
    for age, written in ((0.5, False), (1.5, True)):
        before = time.time() - age * DAY
        os.utime(path, (before, before))
        assert cache.get(key) == b"code"
        assert (path.stat().st_mtime > before + 1) == written


def test_clearing_takes_what_processes_left_behind_but_not_what_is_being_written(tmp_path: Path) -> None:
    cache = ObjectCache(tmp_path)
    for number in range(5):
        cache.put(cache.key(str(number)), bytes(100))
    old, new = files(cache)[0].parent / ".netwright-old.tmp", files(cache)[0].parent / ".netwright-new.tmp"
    for path in (old, new):
        path.write_bytes(b"half")
    os.utime(old, (time.time() - 2 * 3600,) * 2)
    assert clear(cache.folder, unused_for=DAY).files == 0
    removed = clear(cache.folder)
    assert removed.files == 6
    assert files(cache) == [new]
    assert usage(cache.folder) == Usage(0, 0, None)


@pytest.mark.parametrize(("written", "limit"), [("", 10**9), ("5000", 5000), ("1.5 MB", 1_500_000)])
def test_the_limit_is_a_number_of_bytes(monkeypatch: pytest.MonkeyPatch, written: str, limit: int) -> None:
    monkeypatch.setenv("NETWRIGHT_CACHE_LIMIT", written)
    cache = default_cache()
    assert cache is not None
    assert cache.limit == limit


def test_a_limit_that_is_none_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NETWRIGHT_CACHE_LIMIT", "5 apples")
    with pytest.raises(CacheError, match="NETWRIGHT_CACHE_LIMIT is '5 apples': expected a whole number"):
        default_cache()


def test_where_the_cache_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NETWRIGHT_CACHE_DIR", str(tmp_path / "own"))
    cache = default_cache()
    assert cache is not None
    assert cache.folder == tmp_path / "own" / "code"
    monkeypatch.setenv("NETWRIGHT_CACHE_DIR", "")
    assert default_cache() is None
    monkeypatch.delenv("NETWRIGHT_CACHE_DIR")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    cache = default_cache()
    assert cache is not None
    assert cache.folder == tmp_path / "xdg" / "netwright" / "code"
    assert cache_module.__doc__
