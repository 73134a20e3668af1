"""What a run prints: a line per case while it goes on, as a table of fixed columns."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from .rows import Row, last_line, speedups

#: Characters of a case's name, at least.
_WIDTH = 24


def header(threads: int, flops: float, names: Iterable[str]) -> str:
    """The line above a table; ``flops`` is the peak of one core, ``names`` are the cases."""
    cores = "one thread" if threads == 1 else f"{threads} threads"
    return (
        f"{cores}, peak {flops * threads / 1e9:.0f} GFLOP/s\n"
        f"{'case':{width(names)}} {'ours':>10} {'best peer':>10} {'':13} {'ratio':>7} {'GFLOP/s':>8} {'of peak':>8} "
        f"{'ceiling':>9} {'of ceiling':>11} {'compile':>9} {'spread':>11}"
    )


def width(names: Iterable[str]) -> int:
    """Of the first column."""
    return max([_WIDTH, *map(len, names)])


def line(row: Row, first: int = _WIDTH) -> str:
    """One case; its name is padded to ``first`` characters."""
    best = row.best
    ratio = f"{row.ratio:.2f}×" if row.ratio is not None else ""
    ceiling = f"{row.ceiling:.2f}×" if row.ceiling is not None else ""
    theirs = f"{duration(row.seconds[best]):>10} {best:13}" if best else f"{'':24}"
    spread = f"±{row.spread.get('netwright', 0):.0%}" + (f" ±{row.spread.get(best, 0):.0%}" if best else "")
    return (
        f"{row.case:{first}} {duration(row.ours):>10} {theirs} {ratio:>7} {row.gflops:8.1f} {row.of_peak:8.0%} "
        f"{ceiling:>9} {row.of_ceiling:11.0%} {duration(row.compile):>9} {spread:>11}"
    )


def notes(row: Row) -> list[str]:
    """A line for each peer that could not take part."""
    return [f"  {name}: {why}" for name, why in row.notes.items()]


def closing(rows: Sequence[Row]) -> list[str]:
    """The lines below a table: what several threads gain, and the geometric mean and the least ratio."""
    gains = speedups(rows)
    lines = [f"{name:{width(gains)}} {gain:5.2f}× on several threads" for name, gain in gains.items()]
    return [*lines, last_line(rows)]


def duration(seconds: float) -> str:
    """Four digits and a unit: `21.3 µs`."""
    units = (("s", 1.0), ("ms", 1e-3), ("µs", 1e-6))
    unit, size = next((each for each in units if seconds >= each[1]), units[-1])
    number = seconds / size
    return f"{number:.{0 if number >= 100 else 1 if number >= 10 else 2}f} {unit}"
