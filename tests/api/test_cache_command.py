"""`netwright cache`: what it says of the cache and removes from it."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path

import pytest
from click.testing import CliRunner

from netwright.cli import main
from netwright.compiler.codegen.objects.cache import ObjectCache
from netwright.compiler.codegen.objects.upkeep import DAY


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ObjectCache:
    monkeypatch.setenv("NETWRIGHT_CACHE_DIR", str(tmp_path / "own"))
    monkeypatch.setenv("NETWRIGHT_CACHE_LIMIT", "2 MB")
    cache = ObjectCache(tmp_path / "own")
    for number in range(12):
        cache.put(cache.key(str(number)), bytes(1000 - 41))
    return cache


def said(*arguments: str) -> str:
    done = CliRunner().invoke(main, ["cache", *arguments], catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return done.output


def test_what_it_holds(cache: ObjectCache) -> None:
    where, holds, used = said("info").splitlines()
    assert where == f"folder  {cache.folder}"
    assert holds.startswith("holds   12 files, 12")
    assert holds.endswith(" KB of 2 MB")
    assert used.startswith("used    20")
    facts = json.loads(said("info", "--format", "json"))
    assert facts["files"] == 12
    assert facts["limit"] == 2_000_000
    assert facts["usable"] is True
    assert facts["oldest_use_days"] == 0


def test_clearing_all_or_what_is_unused(cache: ObjectCache) -> None:
    stale = sorted(path for path in cache.folder.rglob("*") if path.is_file())[:5]
    for path in stale:
        os.utime(path, (time.time() - 40 * DAY,) * 2)
    assert said("clear", "--unused", "30d").startswith("removed 5 files, ")
    assert said("clear").startswith("removed 7 files, ")
    assert said("clear") == "removed 0 files, 0 bytes\n"
    assert "0 files" in said("info")


def test_a_cache_that_is_off_or_not_ours(cache: ObjectCache, monkeypatch: pytest.MonkeyPatch) -> None:
    cache.folder.chmod(0o777)
    assert "not used: it must be yours" in said("info")
    assert "there is no cache in use" in said("clear")
    assert len([path for path in cache.folder.rglob("*") if path.is_file()]) == 12
    monkeypatch.setenv("NETWRIGHT_CACHE_DIR", "")
    assert said("info").startswith("off, since")


@pytest.mark.parametrize("age", ["3", "d", "3y", "-3d"])
def test_an_age_needs_a_unit(cache: ObjectCache, age: str) -> None:
    done = CliRunner().invoke(main, ["cache", "clear", f"--unused={age}"])
    assert done.exit_code == 2
    assert "write days, weeks or months, such as 30d" in done.output
