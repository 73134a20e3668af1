"""Reads the table of epochs that `netwright train` prints."""

from __future__ import annotations


def epochs(printed: str) -> list[dict[str, str]]:
    """What the table shows of each epoch, by `train loss`, `valid accuracy`, `rate`, …; the best one has a `best`."""
    lines = printed.splitlines()
    place = next(position for position, line in enumerate(lines) if line.split()[:1] == ["epoch"])
    names = lines[place].split()
    scores = names[1 : names.index("rate")]
    groups = ["train"] * len(scores)
    if place and "valid" in lines[place - 1].split():
        half = len(scores) // 2
        groups = ["train"] * half + ["valid"] * half
    columns = ["epoch", *(f"{group} {score}" for group, score in zip(groups, scores, strict=True)), "rate"]
    shown = [line for line in lines[place + 1 :] if "/" in line.split(" ")[0] or line.lstrip()[:1].isdigit()]
    rows = [dict(zip(columns, line.split(), strict=False)) for line in shown]
    for row, line in zip(rows, shown, strict=True):
        if line.rstrip().endswith("*"):
            row["best"] = "*"
    return rows
