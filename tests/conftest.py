"""What every test shares: hypothesis profiles, one compile cache a session, golden files, markers, slices of cases.

`pytest --hypothesis-profile=deep` draws many more examples. `NETWRIGHT_CACHE_DIR`, when set, keeps the
compile cache between sessions; without it every session starts from an empty one, so that no test passes on
stale code.
"""

import copy
import gc
import importlib.util
import os
import shutil
import signal
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, Phase, settings

from .slices import left_out

# Two workers share two cores: a BLAS or OpenMP pool in each of them only makes both slower.
for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(variable, "1")

# A shell ignores Ctrl-C in what it starts in the background, and so would all that the tests start.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

settings.register_profile(
    "ci",
    max_examples=20,
    deadline=None,
    derandomize=True,
    database=None,
    print_blob=True,
    phases=[Phase.explicit, Phase.generate],  # a failure is reported as drawn: shrinking takes minutes
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much],
)
settings.register_profile(
    "deep",
    max_examples=1000,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much],
)
settings.load_profile("ci")

#: Bytes, several times what the compile cache of a session takes.
CACHE_ROOM = 2 << 30
OWN_CACHE = pytest.StashKey[Path]()


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--update-golden", action="store_true", help="write golden files instead of comparing")
    parser.addoption("--clusters", action="store_true", help="run tests that start Ray or Dask")
    parser.addoption(
        "--deep", action="store_true", help="run every case of tests that take a slice by default"
    )
    parser.addoption("--conformance", action="store_true", help="run every ONNX backend test, not a slice")
    parser.addoption("--examples", action="store_true", help="run whole examples, which takes minutes")


def memory_folder() -> str | None:
    """Where files are kept in memory, if there is room for the compile cache; None for the usual place of temporary
    files. The cache gets tens of thousands of small files, which a disk takes a minute to write and delete."""
    folder = Path("/dev/shm")
    if not (folder.is_dir() and os.access(folder, os.W_OK) and shutil.disk_usage(folder).free > CACHE_ROOM):
        return None
    return str(folder)


def pytest_configure(config: pytest.Config) -> None:
    # Workers of pytest-xdist inherit the controller's environment, and with it the one cache.
    if "NETWRIGHT_CACHE_DIR" not in os.environ:
        config.stash[OWN_CACHE] = Path(tempfile.mkdtemp(prefix="netwright-tests-", dir=memory_folder()))
        os.environ["NETWRIGHT_CACHE_DIR"] = str(config.stash[OWN_CACHE])


def pytest_unconfigure(config: pytest.Config) -> None:
    if (folder := config.stash.get(OWN_CACHE, None)) is not None:
        shutil.rmtree(folder, ignore_errors=True)
        del os.environ["NETWRIGHT_CACHE_DIR"]


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if not config.getoption("--deep"):
        left = left_out(items) | {item for item in items if item.get_closest_marker("deep")}
        config.hook.pytest_deselected(items=[item for item in items if item in left])
        items[:] = [item for item in items if item not in left]
    skipped: dict[str, str] = {}
    if not config.getoption("--clusters"):
        skipped["clusters"] = "--clusters starts Ray and Dask"
    if importlib.util.find_spec("torch") is None:
        skipped["torch"] = "PyTorch is not installed (extra: torch)"
    if not config.getoption("--examples"):
        skipped["examples"] = "it takes minutes: pytest tests/examples --examples"
    for item in items:
        for marker, reason in skipped.items():
            if item.get_closest_marker(marker):
                item.add_marker(pytest.mark.skip(reason=reason))


def pytest_collection_finish() -> None:
    # Collected tests live until the end, and graphs grow: by default the collector scans them again and again.
    gc.collect()
    gc.freeze()
    gc.set_threshold(1_000_000, 20, 100)


def pytest_sessionfinish() -> None:
    # Before it ends, pytest has garbage collected five times in a row, which takes seconds: once is enough.
    gc.collect()
    gc.freeze()


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    found: dict[str, int] = {}
    for outcome in ("passed", "failed"):
        for report in terminalreporter.stats.get(outcome, []):
            kind = dict(getattr(report, "user_properties", ())).get("conformance")
            if kind and report.when == "call":
                key = kind if outcome == "passed" else "failed"
                found[key] = found.get(key, 0) + 1
    if found:
        counts = [f"{found.get(key, 0)} {key}" for key in ("passed", "failed", "unsupported")]
        terminalreporter.write_line(f"ONNX conformance: {sum(found.values())} cases: {', '.join(counts)}")


class Golden:
    """Compares text with files in the folder `golden` beside the test's own file."""

    def __init__(self, folder: Path, update: bool) -> None:
        self.folder = folder
        self.update = update

    def check(self, name: str, text: str) -> None:
        """Assert that `text` is what the golden file `name` holds; a missing file fails unless updating."""
        path = self.folder / name
        if self.update:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
            return
        assert path.is_file(), (
            f"no golden file {path}: look at the text, then run pytest --update-golden\n{text}"
        )
        assert text == path.read_text(encoding="utf-8"), (
            f"{path} differs: run pytest --update-golden to accept"
        )


_STATES: dict[int, Any] = {}


@pytest.fixture(autouse=True)
def _same_numbers(request: pytest.FixtureRequest) -> None:
    """A test draws the same numbers from its module's generator, whichever tests of it ran before in the process."""
    for value in vars(request.module).values():
        if isinstance(value, np.random.Generator):
            bits = value.bit_generator
            bits.state = _STATES.setdefault(id(value), copy.deepcopy(bits.state))


@pytest.fixture
def deep(request: pytest.FixtureRequest) -> bool:
    """Whether every case is wanted, not a slice."""
    return request.config.getoption("--deep")


@pytest.fixture
def golden(request: pytest.FixtureRequest) -> Golden:
    """Golden text: `golden.check("lenet.graph.txt", text)`."""
    return Golden(request.path.parent / "golden", request.config.getoption("--update-golden"))
