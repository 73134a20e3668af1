"""ThreadSanitizer over the pool and the shares, as every program has them."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from netwright.compiler.codegen.llvm.support import write_pool
from netwright.compiler.codegen.targets.target import host_target

from .sanitized import sanitized
from .threads_in_c import build


def race(folder: Path, rounds: int, change: Callable[[str], str], *flags: str) -> Path:
    return build(folder, "race", f"-DROUNDS={rounds}", *flags, change=change)


@pytest.fixture(params=["futex", "condition"])
def sleeping(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Threads sleep by the system call of Linux, and by a condition variable, as elsewhere."""
    if request.param == "condition":
        monkeypatch.setattr(type(host_target().family), "futex", 0)
    assert f"@{'syscall' if request.param == 'futex' else 'pthread_cond_wait'}(" in write_pool(
        host_target(), ""
    )
    return request.param


def has_sanitizer(folder: Path) -> bool:
    """Whether gcc brings ThreadSanitizer, and it runs here (it needs its own layout of memory)."""
    if shutil.which("gcc") is None:
        return False
    (folder / "empty.c").write_text("int main(void) { return 0; }\n")
    command = ["gcc", "-fsanitize=thread", "empty.c", "-o", "empty"]
    built = subprocess.run(command, cwd=folder, capture_output=True)
    return built.returncode == 0 and subprocess.run([folder / "empty"], capture_output=True).returncode == 0


def test_no_races(tmp_path: Path, sleeping: str) -> None:
    if not has_sanitizer(tmp_path):
        pytest.skip("no gcc with ThreadSanitizer that runs here")
    program = race(tmp_path, 200, sanitized, "-fsanitize=thread")
    done = subprocess.run([program], capture_output=True, text=True, timeout=240)
    assert (done.returncode, done.stdout) == (0, "well\n"), done.stderr[-4000:]


def test_the_sanitizer_sees_what_is_wrong(tmp_path: Path) -> None:
    """With an order too weak for what it publishes, it reports a race: so the test above says something."""
    if not has_sanitizer(tmp_path):
        pytest.skip("no gcc with ThreadSanitizer that runs here")

    def weaken(text: str) -> str:
        ending = "store atomic i64 %state, ptr %block seq_cst"
        counting = "atomicrmw add ptr %done, i32 1 acq_rel"
        text = text.replace(ending, ending.replace("seq_cst", "monotonic"))
        return sanitized(text.replace(counting, counting.replace("acq_rel", "monotonic")))

    program = race(tmp_path, 200, weaken, "-fsanitize=thread")
    done = subprocess.run([program], capture_output=True, text=True, timeout=240)
    assert "data race" in done.stderr


@pytest.mark.skipif(shutil.which("gcc") is None, reason="needs gcc")
def test_many_rounds_as_they_are(tmp_path: Path, sleeping: str) -> None:
    program = race(tmp_path, 3000, str)
    done = subprocess.run([program], capture_output=True, text=True, timeout=120)
    assert (done.returncode, done.stdout) == (0, "well\n"), done.stderr


def test_every_access_is_told() -> None:
    with pytest.raises(ValueError, match="not understood"):
        sanitized("  %x = atomicrmw xchg ptr %p, i8 1 seq_cst")
