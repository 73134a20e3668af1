"""How many processors: the quota of control groups, of both versions."""

from pathlib import Path

import pytest

from netwright.runtime.engines.processors import processor_count, processor_share
from netwright.specs.manifest import MOST_THREADS


def groups(folder: Path, own: str, files: dict[str, str]) -> float | None:
    (folder / "own").write_text(own)
    for name, text in files.items():
        path = folder / "root" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return processor_share(folder / "root", folder / "own")


@pytest.mark.parametrize(
    ("own", "files", "share"),
    [
        ("0::/\n", {}, None),
        ("0::/\n", {"cpu.max": "max 100000\n"}, None),
        ("0::/\n", {"cpu.max": "150000 100000\n"}, 1.5),
        ("0::/a/b\n", {"a/b/cpu.max": "max 100000\n", "a/cpu.max": "200000 100000\n"}, 2.0),
        ("0::/a/b\n", {"a/b/cpu.max": "300000 100000\n", "a/cpu.max": "200000 100000\n"}, 2.0),
        ("0::/gone\n", {"cpu.max": "50000 100000\n"}, 0.5),
        ("0::/a\n", {"a/cpu.max": "nonsense\n"}, None),
        (
            "4:memory:/x\n3:cpu,cpuacct:/x\n",
            {"cpu/x/cpu.cfs_quota_us": "400000\n", "cpu/x/cpu.cfs_period_us": "100000\n"},
            4.0,
        ),
        (
            "3:cpu,cpuacct:/x\n",
            {"cpu/x/cpu.cfs_quota_us": "-1\n", "cpu/x/cpu.cfs_period_us": "100000\n"},
            None,
        ),
        ("3:cpuset:/x\n", {"cpu/x/cpu.cfs_quota_us": "1\n", "cpu/x/cpu.cfs_period_us": "1\n"}, None),
    ],
)
def test_the_least_quota_on_the_way_up(
    tmp_path: Path, own: str, files: dict[str, str], share: float | None
) -> None:
    assert groups(tmp_path, own, files) == share


def test_without_groups(tmp_path: Path) -> None:
    assert processor_share(tmp_path, tmp_path / "none") is None
    assert 1 <= processor_count() <= MOST_THREADS
