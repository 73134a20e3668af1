"""Run by test_threads.py in a process of its own: thousands of calls from four Python threads, with forks in between.

Prints how many threads are left after the programs are closed, and by how much memory has grown.
"""

from __future__ import annotations

import os
import sys
import threading
import time

os.environ["OPENBLAS_NUM_THREADS"] = "1"

import numpy as np

import netwright

THREADS = 4


def resident() -> int:
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def main(path: str, calls: int) -> None:
    model = netwright.load(path)
    programs = [model.compile(threads=count, entries=["predict"], seed=count) for count in (2, 3)]
    random = np.random.default_rng(0)
    inputs = [random.standard_normal((n, 12, 12, 3), np.float32) for n in (1, 8, 16)]
    pairs = [(program, x) for program in programs for x in inputs]
    single = [model.compile(threads=1, entries=["predict"], seed=count) for count in (2, 3)]
    expected = [program.predict(x=x)["y"] for program in single for x in inputs]
    wrong: list[str] = []

    def check(round: int) -> None:
        number = round % len(pairs)
        program, x = pairs[number]
        if not np.array_equal(program.predict(x=x)["y"], expected[number]):
            wrong.append(f"call {round}")

    def work(first: int) -> None:
        for round in range(first, calls, THREADS):
            check(round)

    for round in range(100):
        check(round)
    before = resident()
    threads = [threading.Thread(target=work, args=(first,)) for first in range(THREADS)]
    for thread in threads:
        thread.start()
    forks = 0
    while any(thread.is_alive() for thread in threads) or not forks:
        child = os.fork()
        if child == 0:
            for round in range(20):
                check(round)
            os._exit(1 if wrong else 0)
        deadline = time.monotonic() + 60
        while (ended := os.waitpid(child, os.WNOHANG)) == (0, 0):
            if time.monotonic() > deadline:
                os.kill(child, 9)
                sys.exit("a child hangs")
            time.sleep(0.005)
        forks += 1
        if ended[1]:
            sys.exit(f"a child ended with {ended[1]}")
    for thread in threads:
        thread.join()
    if wrong:
        sys.exit(f"wrong: {wrong[:5]}")
    grown = resident() - before
    for program in programs:
        program.close()
    print(f"threads left {len(os.listdir('/proc/self/task')) - 1}, grown {grown >> 20} MB, forks {forks}")


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
