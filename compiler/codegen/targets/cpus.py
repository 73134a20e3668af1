"""The names of the CPUs that LLVM generates code for, and the triple for each."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Sequence
from functools import cache

import llvmlite.binding as llvm

#: Triples that the name of a CPU may imply, besides this machine's own.
TRIPLES = (
    "x86_64-unknown-linux-gnu",
    "aarch64-unknown-linux-gnu",
    "riscv64-unknown-linux-gnu",
    "armv7-unknown-linux-gnueabihf",
)
_APPLE = "arm64-apple-macosx11.0.0"


@cache
def known_cpus(triple: str) -> frozenset[str]:
    """The names of the CPUs that LLVM knows for ``triple``; none if it does not know the triple.

    LLVM only prints its table, once per process: hence the child process.
    """
    return _listed((triple,))[0]


def triple_of(cpu: str) -> str | None:
    """The triple that a CPU's name implies: this machine's own if possible, else one of another family; None if
    unknown."""
    own = llvm.get_process_triple()
    if cpu in known_cpus(own):
        return own
    for triple, names in zip(TRIPLES, _listed(TRIPLES), strict=True):
        if cpu in names:
            # Apple's CPUs run Apple's system.
            return _APPLE if cpu.startswith("apple-") and triple.startswith("aarch64") else triple
    return None


def all_cpus() -> frozenset[str]:
    """The names of all CPUs that imply a triple."""
    return frozenset().union(known_cpus(llvm.get_process_triple()), *_listed(TRIPLES))


@cache
def _listed(triples: Sequence[str]) -> tuple[frozenset[str], ...]:
    """The CPUs of each triple; the child processes run in parallel."""
    code = (
        "import sys, llvmlite.binding as llvm\n"
        "llvm.initialize_all_targets(); llvm.initialize_all_asmprinters()\n"
        "llvm.Target.from_triple(sys.argv[1]).create_target_machine(cpu='help')\n"
    )
    children = [
        subprocess.Popen(
            [sys.executable, "-c", code, triple],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )
        for triple in triples
    ]
    cpus: list[frozenset[str]] = []
    for child in children:
        printed = child.communicate()[1].partition("Available features")[0]
        cpus.append(frozenset(re.findall(r"^ +(\S+) +- ", printed, re.MULTILINE)))
    return tuple(cpus)
