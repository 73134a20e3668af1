"""The quickstart, in a process of its own: trained natively, compiled, and the executable reads new digits."""

import re
import subprocess
from pathlib import Path

from netwright.quickstart.steps import commands

from ..forked import forked


def quickstart(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return forked("quickstart", *arguments, cwd=folder)


def test_the_whole_path(tmp_path: Path) -> None:
    done = quickstart(tmp_path, "here")
    assert done.returncode == 0, done.stdout + done.stderr
    prompts = [line.removeprefix("$ ") for line in done.stdout.splitlines() if line.startswith("$ ")]
    assert prompts == ["cd here", *(" ".join(command) for command in commands())]
    evaluated = re.search(r"^valid  360 samples .* accuracy ([\d.]+)$", done.stdout, re.MULTILINE)
    executable = re.search(r"^(\d+) of 360 held-out digits .* accuracy ([\d.]+)$", done.stdout, re.MULTILINE)
    assert evaluated is not None
    assert executable is not None
    assert evaluated[1] == executable[2]
    assert int(executable[1]) >= 0.98 * 360
    info = subprocess.run(
        [tmp_path / "here" / "digits", "--info"], capture_output=True, text=True, check=True
    )
    assert '"model": "digits"' in info.stdout


def test_files_in_the_way_are_left_alone(tmp_path: Path) -> None:
    (tmp_path / "digits.yaml").write_text("mine", encoding="utf-8")
    done = quickstart(tmp_path, ".")
    assert done.returncode == 2
    assert "digits.yaml is in the way" in done.stderr
    assert sorted(path.name for path in tmp_path.iterdir()) == ["digits.yaml"]
    assert (tmp_path / "digits.yaml").read_text(encoding="utf-8") == "mine"
