"""A process that `mpirun` started, where MPI for Python is missing."""

import os
import subprocess
import sys
from pathlib import Path


def test_the_extra_is_named(tmp_path: Path) -> None:
    (tmp_path / "mpi4py").mkdir()
    (tmp_path / "mpi4py" / "__init__.py").touch()  # hides the real one
    environment = {**os.environ, "PMI_RANK": "0", "PYTHONPATH": str(tmp_path)}
    command = [sys.executable, "-m", "netwright", "train", "net.yaml", "--weights", "net.safetensors"]
    process = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120)
    assert process.returncode == 2
    assert "pip install 'netwright[distributed]'" in process.stderr
    assert process.stderr.startswith("error: this process was started as one of several")
