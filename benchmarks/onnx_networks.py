"""Netwright against ONNX Runtime on the networks that the `onnx` package comes with, side by side on one thread.

    python benchmarks/onnx_networks.py [--seconds 4] [--only resnet50]


The package's networks have constant weights, so each gets seeded random ones (He et al., 2015) first, and returns the
scores before its softmax. A row shows the times of the import and a cold compile, the difference of the scores relative
to the largest, and the median times of a call. Both engines take turns in one run, after a warm-up, since only ratios
mean anything on a shared machine.
"""

import argparse
import os
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

# Must be set before NumPy and ONNX Runtime are loaded, which read it once.
os.environ["OMP_NUM_THREADS"] = os.environ["OPENBLAS_NUM_THREADS"] = "1"

import numpy as np
import onnx
import onnxruntime
from timing import medians

from netwright.onnx import import_model
from netwright.onnx.files import check

sys.path.insert(0, str(Path(__file__).parents[1]))
from tests.onnx.models import NETWORKS, light, ports

Call = Callable[[], np.ndarray]


def runtime_call(model: onnx.ModelProto, inputs: dict[str, np.ndarray]) -> Call:
    """ONNX Runtime with all its optimizations, on one thread."""
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    session = onnxruntime.InferenceSession(model.SerializeToString(), options)
    return lambda: np.asarray(session.run(None, inputs)[0])


def netwright_call(model: onnx.ModelProto, inputs: dict[str, np.ndarray]) -> tuple[Call, float, float]:
    """The compiled import, and the seconds that importing and compiling took without a cache."""
    with tempfile.TemporaryDirectory() as cache:
        os.environ["NETWRIGHT_CACHE_DIR"] = cache
        start = time.perf_counter()
        imported = import_model(model, name="network")
        imported_at = time.perf_counter()
        program = check(imported.spec).compile(dict(imported.weights), entries=["predict"], threads=1)
        compiled_at = time.perf_counter()
    here = {imported.inputs[own]: array for own, array in inputs.items()}
    (output,) = imported.outputs.values()
    return lambda: program.predict(**here)[output], imported_at - start, compiled_at - imported_at


def main() -> None:
    parser = argparse.ArgumentParser(description="Netwright against ONNX Runtime, on one thread")
    parser.add_argument("--seconds", type=float, default=4.0, help="how long a row is measured")
    parser.add_argument("--only", default="", metavar="NAME", help="networks whose name contains this")
    options = parser.parse_args()
    print(f"ONNX Runtime {onnxruntime.__version__}, one thread, batch 1, median time of a call\n")
    print("| | import, s | compile, s | error | Netwright, ms | ONNX Runtime, ms | ratio |")
    print("|---|---|---|---|---|---|---|")
    for name in NETWORKS:
        if options.only not in name:
            continue
        model = light(name, scores=True)
        inputs = {
            port: np.random.default_rng(1).standard_normal(shape, np.float32) for port, shape in ports(model)
        }
        theirs = runtime_call(model, inputs)
        ours, importing, compiling = netwright_call(model, inputs)
        expected = theirs()
        error = float(np.abs(ours() - expected).max() / np.abs(expected).max())
        a, b = medians([ours, theirs], options.seconds)
        row = (
            f"{importing:.1f} | {compiling:.1f} | {error:.1e} | {a * 1e3:.1f} | {b * 1e3:.1f} | {a / b:.2f}×"
        )
        print(f"| {name} | {row} |", flush=True)


if __name__ == "__main__":
    main()
