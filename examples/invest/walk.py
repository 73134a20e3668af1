"""Walks forward through the years: trains on all days before a year, and decides on each day of it.

    python walk.py

Prints a table, which is also in build/results.json with every day's share, and draws build/growth.svg.
"""

import json
from pathlib import Path

import numpy as np

import netwright

HERE = Path(__file__).parent
BUILD = HERE / "build"
#: What buying or selling costs, as a part of what is bought or sold: 0.05 %.
COST = 0.0005
DAYS = 252  # trading days in a year


def decide(year: int) -> tuple[np.ndarray, np.ndarray]:
    """The share of each day of a year, by a network that was trained on the days before it, and the changes of the days
    after in per cent: both [days].
    """
    model = netwright.load(HERE / "invest.yaml")
    program = model.compile(entries=["loss", "train_step"], threads=1)
    program.train(BUILD / f"{year}-train.csv")
    test = model.data({"test": BUILD / f"{year}-test.csv"})["test"].read(slice(None), ["days", "next"])
    shares = model.compile(program.weights, entries=["predict"], threads=1).predict(days=test["days"])
    return shares["share"][:, 0].astype(float), test["next"][:, 0].astype(float)


def gains(shares: np.ndarray, changes: np.ndarray) -> np.ndarray:
    """The factors by which the money grows each day, with costs; what is not invested earns nothing."""
    returns = np.exp(changes / 100) - 1
    held = np.concatenate([[0.0], shares[:-1] * (1 + returns[:-1]) / (1 + shares[:-1] * returns[:-1])])
    return (1 - COST * np.abs(shares - held)) * (1 + shares * returns)


def judged(factors: np.ndarray, shares: np.ndarray) -> dict[str, float]:
    """What became of the money: per cent in all and per year, its swings, and the deepest fall from a peak."""
    growth = np.cumprod(np.concatenate([[1.0], factors]))
    logs = np.log(factors)
    return {
        "gain": 100 * (growth[-1] - 1),
        "per year": 100 * (np.exp(logs.mean() * DAYS) - 1),
        "volatility": 100 * logs.std() * np.sqrt(DAYS),
        "gain / risk": logs.mean() / logs.std() * np.sqrt(DAYS),
        "deepest fall": 100 * (growth / np.maximum.accumulate(growth) - 1).min(),
        "invested": 100 * shares.mean(),
    }


def chart(lines: dict[str, np.ndarray], years: list[tuple[int, int]]) -> str:
    """The growth of 1 as an SVG document, on a logarithmic scale. ``years`` has each year with its first day."""
    width, height, left, top, bottom = 760, 360, 50, 40, 30
    low = np.log(min(line.min() for line in lines.values()))
    high = np.log(max(line.max() for line in lines.values()))
    count = max(map(len, lines.values()))

    def x(day: float) -> float:
        return left + day / count * (width - left - 20)

    def y(value: float) -> float:
        return top + (high - np.log(value)) / (high - low) * (height - top - bottom)

    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" font-family="sans-serif" '
        'font-size="12"><rect width="100%" height="100%" fill="#fff"/>'
    ]
    for value in (0.5, 0.75, 1, 1.5, 2, 3):
        if low <= np.log(value) <= high:
            parts.append(
                f'<line x1="{left}" x2="{width - 20}" y1="{y(value):.1f}" y2="{y(value):.1f}" stroke="#ddd"/>'
            )
            parts.append(f'<text x="{left - 8}" y="{y(value) + 4:.1f}" text-anchor="end">{value:g}</text>')
    for year, day in years:
        parts.append(f'<text x="{x(day):.1f}" y="{height - 10}">{year}</text>')
    for number, (name, line) in enumerate(lines.items()):
        colour = ("#2158b5", "#b4540a", "#8794a8")[number]
        points = " ".join(f"{x(day):.1f},{y(value):.1f}" for day, value in list(enumerate(line))[::5])
        parts.append(f'<polyline points="{points}" fill="none" stroke="{colour}" stroke-width="1.5"/>')
        parts.append(f'<text x="{left + 160 * number}" y="20" fill="{colour}">{name}: {line[-1]:.2f}</text>')
    return "".join([*parts, "</svg>\n"])


def main() -> None:
    names = sorted(int(path.name[:4]) for path in BUILD.glob("*-test.csv"))
    folds = {year: decide(year) for year in names}
    print("  year    network  always buy   invested     (gain in per cent, with costs)")
    for year, (shares, changes) in folds.items():
        own, all_in = (judged(gains(s, changes), s) for s in (shares, np.ones_like(shares)))
        print(f"{year:6} {own['gain']:10.1f} {all_in['gain']:11.1f} {own['invested']:9.0f} %")
    shares = np.concatenate([shares for shares, _ in folds.values()])
    changes = np.concatenate([changes for _, changes in folds.values()])
    # The network's mean share is known only afterwards: the row says whether choosing the days was worth anything.
    held = {
        "network": shares,
        "always buy": np.ones_like(shares),
        "always mean": np.full_like(shares, shares.mean()),
    }
    factors = {name: gains(share, changes) for name, share in held.items()}
    table = {name: judged(factors[name], share) for name, share in held.items()}
    print(f"\n{'':12}" + "".join(f"{name:>14}" for name in table["network"]))
    for name, row in table.items():
        print(f"{name:12}" + "".join(f"{value:14.2f}" for value in row.values()))
    starts = np.cumsum([0, *(len(own) for own, _ in folds.values())])
    growth = {name: np.cumprod(np.concatenate([[1.0], own])) for name, own in factors.items()}
    (BUILD / "growth.svg").write_text(
        chart(growth, list(zip(names, starts.tolist(), strict=False))), encoding="utf-8"
    )
    results = {"table": table, "shares": {year: own.tolist() for year, (own, _) in folds.items()}}
    (BUILD / "results.json").write_text(json.dumps(results), encoding="utf-8")
    print("\nwrote build/results.json and build/growth.svg")


if __name__ == "__main__":
    main()
