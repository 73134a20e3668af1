"""What a run prints: a line per case while it goes on, as a table of fixed columns."""

from __future__ import annotations

from collections.abc import Sequence

from .rows import Row, last_line, speedups

_WIDTH = 30
_HEADER = (
    f"{'case':{_WIDTH}} {'ours':>10} {'best peer':>10} {'':13} {'ratio':>6} {'GFLOP/s':>8} {'peak':>5} {'ceiling':>8} "
    f"{'of it':>6} {'spread':>11}"
)


def header(threads: int, flops: float) -> str:
    """The line above a table; ``flops`` is the peak of one core."""
    cores = "one thread" if threads == 1 else f"{threads} threads"
    return f"{cores}, peak {flops * threads / 1e9:.0f} GFLOP/s\n{_HEADER}"


def line(row: Row) -> str:
    """One case."""
    best = row.best
    ratio = f"{row.ratio:5.2f}×" if row.ratio is not None else ""
    ceiling = f"{row.ceiling:7.2f}×" if row.ceiling is not None else ""
    theirs = f"{duration(row.seconds[best]):>10} {best:13}" if best else f"{'':24}"
    spread = f"±{row.spread.get('netwright', 0):.0%}" + (f" ±{row.spread.get(best, 0):.0%}" if best else "")
    return (
        f"{row.case:{_WIDTH}} {duration(row.ours):>10} {theirs} {ratio:>6} {row.gflops:8.1f} {row.of_peak:5.0%} "
        f"{ceiling:>8} {row.of_ceiling:6.0%} {spread:>11}"
    )


def notes(row: Row) -> list[str]:
    """A line for each peer that could not take part."""
    return [f"  {name}: {why}" for name, why in row.notes.items()]


def closing(rows: Sequence[Row]) -> list[str]:
    """The lines below a table: what several threads gain, and the geometric mean and the least ratio."""
    gains = speedups(rows)
    lines = [f"{name:{_WIDTH}} {gain:5.2f}× on several threads" for name, gain in gains.items()]
    return [*lines, last_line(rows)]


def duration(seconds: float) -> str:
    """Four digits and a unit: `21.3 µs`."""
    for unit, size in (("s", 1.0), ("ms", 1e-3), ("µs", 1e-6)):
        if seconds >= size:
            break
    number = seconds / size
    return f"{number:.{0 if number >= 100 else 1 if number >= 10 else 2}f} {unit}"
