"""A source file can be read at one sitting."""

from pathlib import Path

PROJECT = Path(__file__).parents[2]
FOLDERS = ("api", "benchmarks", "compiler", "examples", "runtime", "specs", "tests")
LONGEST = 400


def test_files_can_be_read_at_one_sitting() -> None:
    files = [path for folder in FOLDERS for path in (PROJECT / folder).rglob("*.py")]
    lines = {
        path.relative_to(PROJECT).as_posix(): len(path.read_text(encoding="utf-8").splitlines())
        for path in files
    }
    assert not [name for name, count in lines.items() if count > LONGEST]
