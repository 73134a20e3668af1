"""3×3 convolutions by Winograd's algorithm against direct ones, in turns on one thread.

    python benchmarks/convolutions.py [--seconds 2] [--only 64] [--batches 1,8]

A row has the rates that the direct convolution and the chosen one have, both counted by the operations of the direct
one, and the largest difference from it relative to the root mean square. Layers are those of ResNet-50 and VGG with
bias and rectifier.
"""

import argparse
import os

os.environ["OMP_NUM_THREADS"] = os.environ["OPENBLAS_NUM_THREADS"] = "1"

import numpy as np
from timing import medians

from netwright import Program, load

#: Channels in, channels out, rows and columns.
LAYERS = (
    (64, 64, 56), (128, 128, 28), (256, 256, 14), (512, 512, 7),  # ResNet-50
    (64, 64, 224), (128, 128, 112), (256, 256, 56), (512, 512, 28), (512, 512, 14),  # VGG
)  # fmt: skip


def program(samples: int, c_in: int, c_out: int, size: int, math: str) -> Program:
    """The compiled layer."""
    spec = {
        "netwright": 1,
        "model": "layer",
        "math": math,
        "inputs": {"x": {"shape": [samples, size, size, c_in]}},
        "layers": [
            {"name": "y", "type": "conv2d", "filters": c_out, "kernel_size": 3, "padding": "same",
             "activation": "relu"}
        ],
        "outputs": {"out": "y"},
    }  # fmt: skip
    return load(spec).compile(entries=["predict"], threads=1, seed=1)


def main() -> None:
    parser = argparse.ArgumentParser(description="Winograd's algorithm against direct convolutions")
    parser.add_argument("--seconds", type=float, default=2.0, help="how long a row is measured")
    parser.add_argument("--only", default="", metavar="TEXT", help="layers whose name contains this")
    parser.add_argument("--batches", default="1,8", help="numbers of samples")
    options = parser.parse_args()
    print("| layer | batch | direct, GF/s | fast, GF/s | ratio | difference |")
    print("|---|---|---|---|---|---|")
    for c_in, c_out, size in LAYERS:
        name = f"{c_in}→{c_out} {size}²"
        for samples in map(int, options.batches.split(",")):
            if options.only not in name:
                continue
            x = np.random.default_rng(0).standard_normal((samples, size, size, c_in), np.float32)
            programs = [program(samples, c_in, c_out, size, math) for math in ("strict", "fast")]
            strict, fast = (made.predict(x=x)["out"] for made in programs)
            error = float(np.abs(fast - strict).max() / np.sqrt(np.mean(strict.astype(np.float64) ** 2)))
            a, b = medians([lambda p=p, x=x: p.predict(x=x) for p in programs], options.seconds)
            work = 2 * samples * size * size * c_in * c_out * 9 / 1e9
            print(
                f"| {name} | {samples} | {work / a:.0f} | {work / b:.0f} | {a / b:.2f}× | {error:.1e} |",
                flush=True,
            )


if __name__ == "__main__":
    main()
