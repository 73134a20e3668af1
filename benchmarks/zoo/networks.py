"""The networks of `python -m benchmarks zoo`, by the names `SOURCE/MODEL`, and how each becomes an ONNX model."""

from __future__ import annotations

import importlib.util
import os
import re
import subprocess
import sys
from functools import cache
from importlib.metadata import version
from pathlib import Path

import onnx

from tests.onnx.models import NETWORKS, light
from tests.zoo.exporting import REVISION

from ..peers import Unsupported
from .layers import Layer, layers

CACHE = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "netwright-benchmarks"
ROOT = Path(__file__).parents[2]

_LAYERS: dict[str, Layer] = {f"layers/{re.sub(r'[ ,]+', '_', layer.name)}": layer for layer in layers()}

NAMES = (
    *Path(__file__).with_suffix(".txt").read_text(encoding="utf-8").split(),
    *(f"onnx/{model}" for model in NETWORKS),
    *_LAYERS,
)
#: With --quick.
QUICK = (
    "onnx/squeezenet",
    "onnx/shufflenet",
    "layers/linear_64_of_48²_×2",
    "layers/transposed_64→32_of_48²_k2_s2_1_groups",
)


def model(name: str) -> onnx.ModelProto:
    """The model of a name: an exported one is kept in the user's cache. Raises Unsupported where what makes it is not
    installed, or fails."""
    source, _, rest = name.partition("/")
    if source == "onnx":
        return light(rest, scores=True)
    if source == "layers":
        return _LAYERS[name].model()
    missing = [package for package in ("torch", source) if importlib.util.find_spec(package) is None]
    if missing:
        raise Unsupported(f"left out: pip install {' '.join(missing)}")
    path = CACHE / f"{source}_{rest}_{_made_by(source)}.onnx"
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        command = [sys.executable, "-W", "ignore", "-m", "benchmarks.zoo.exporting", name, str(path)]
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
        if done.returncode:
            said = [line for line in done.stderr.strip().splitlines() if line.strip()] or ["?"]
            raise Unsupported(f"not exported: {said[-1][:160]}")
    return onnx.load(path)


@cache
def _made_by(source: str) -> str:
    return f"{version('torch')}-{version(source)}-{REVISION}"
