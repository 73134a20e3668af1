"""A table of the vector registers that kernels keep on the stack: `python -m tests.spills`; 1 where a contraction's
loop does."""

from __future__ import annotations

import argparse
import sys

from netwright.compiler.codegen.objects.compile import LEVEL

from .counting import FILES, NONE
from .networks import NETWORKS
from .table import CPUS, kernels


def main() -> int:
    parser = argparse.ArgumentParser(description="Vector accesses to the stack, per network, entry and CPU")
    parser.add_argument("--cpus", default=",".join(CPUS), help="names, with commas between them")
    parser.add_argument(
        "--networks", default=",".join(NETWORKS), help="some of them, with commas between them"
    )
    parser.add_argument(
        "--level",
        type=int,
        default=FILES,
        help=f"of LLVM's code generation: {FILES} for files, {LEVEL} in a process",
    )
    parser.add_argument("--kernels", action="store_true", help="also a line per kernel that spills")
    options = parser.parse_args()
    spilled = False
    print("| network | entry | CPU | kernels | in reduction loops | in other inner loops | anywhere |")
    print("|---|---|---|---|---|---|---|")
    for name in options.networks.split(","):
        network = NETWORKS[name]()
        for cpu in options.cpus.split(","):
            for entry in ("predict", "train_step"):
                found = list(kernels(network, entry, cpu, options.level))
                total = sum((spills for _, spills in found), NONE)
                spilled = spilled or total.reduction > 0
                counts = f"{total.reduction} | {total.inner} | {total.all}"
                print(f"| {name} | {entry} | {cpu} | {len(found)} | {counts} |", flush=True)
                if options.kernels:
                    for kernel, spills in found:
                        if spills.all:
                            print(f"  {kernel}: {spills}", file=sys.stderr)
    return spilled


if __name__ == "__main__":
    sys.exit(main())
