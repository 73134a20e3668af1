"""A process that `mpirun` started, where MPI for Python is missing."""

import os
from pathlib import Path

from ..forked import forked


def test_the_extra_is_named(tmp_path: Path) -> None:
    (tmp_path / "mpi4py").mkdir()
    (tmp_path / "mpi4py" / "__init__.py").touch()  # hides the real one
    code = f"import sys; sys.path.insert(0, {str(tmp_path)!r}); from netwright.cli import main; main()"
    environment = {**os.environ, "PMI_RANK": "0"}
    process = forked("train", "net.yaml", "--weights", "net.safetensors", code=code, env=environment)
    assert process.returncode == 2
    assert "pip install 'netwright[distributed]'" in process.stderr
    assert process.stderr.startswith("error: this process was started as one of several")
