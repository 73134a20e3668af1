"""Writes the days of the S&P 500 that come with the package arch as CSV files in the folder build.

    pip install "netwright[examples]"
    python make_data.py

A row is a trading day, with numbers that are known when it ends, in per cent:

    change   from the last close to this one
    range    from the day's low to its high
    body     from the open to the close
    volume   from the mean volume of the last 20 days to this day's
    next     from this close to the next one, which is not known yet: the target

`2012-train.csv` holds all days before 2012, `2012-test.csv` those of 2012, with the 59 days before them, which the
first windows read. `invest-train.csv` holds all days; `latest.csv` and `latest.npy` hold the last 60.
"""

import csv
import gzip
import sys
from datetime import datetime
from importlib.util import find_spec
from pathlib import Path

import numpy as np

FOLDER = Path(__file__).parent / "build"
WINDOW = 60
YEARS = range(2008, 2019)  # each is a fold: train on all years before it, test on it
FEATURES = ("change", "range", "body", "volume")


def prices() -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """The dates of the trading days, and open, high, low, close and volume."""
    package = find_spec("arch")
    if package is None or package.origin is None:
        sys.exit('the prices come with the package arch: pip install "netwright[examples]"')
    with gzip.open(Path(package.origin).parent / "data" / "sp500" / "sp500.csv.gz", "rt") as file:
        rows = list(csv.DictReader(file))
    names = {"open": "Open", "high": "High", "low": "Low", "close": "Adj Close", "volume": "Volume"}
    dates = np.array([datetime.strptime(row["Date"], "%m/%d/%Y").date() for row in rows], "datetime64[D]")
    return dates, {key: np.array([float(row[name]) for row in rows]) for key, name in names.items()}


def percent(values: np.ndarray, base: np.ndarray) -> np.ndarray:
    return 100 * np.log(values / base)


def features(day: dict[str, np.ndarray]) -> np.ndarray:
    """`FEATURES` of each day [days, 4], from that day and those before it; NaN for the first 19 days."""
    close, volume = day["close"], day["volume"]
    columns = np.full((len(close), len(FEATURES)), np.nan)
    columns[1:, 0] = percent(close[1:], close[:-1])
    columns[:, 1] = percent(day["high"], day["low"])
    columns[:, 2] = percent(close, day["open"])
    means = np.convolve(volume, np.full(20, 1 / 20), mode="valid")
    columns[19:, 3] = percent(volume[19:], means)
    return columns


def main() -> None:
    dates, day = prices()
    known = features(day)
    following = np.append(percent(day["close"][1:], day["close"][:-1]), np.nan)
    first = 19
    last = len(dates) - 1  # the last day has no next one

    def write(name: str, start: int, stop: int) -> None:
        with open(FOLDER / name, "w", encoding="utf-8", newline="") as file:
            writer = csv.writer(file)
            writer.writerow(["date", *FEATURES, "next"])
            for row in range(start, stop):
                writer.writerow([dates[row], *(f"{value:.6f}" for value in (*known[row], following[row]))])

    FOLDER.mkdir(exist_ok=True)
    for year in YEARS:
        start, stop = np.searchsorted(
            dates, [np.datetime64(f"{year}-01-01"), np.datetime64(f"{year + 1}-01-01")]
        )
        # The last day before the year is left out of training: its next close is the year's first.
        write(f"{year}-train.csv", first, start - 1)
        write(f"{year}-test.csv", start - WINDOW + 1, min(stop, last))
    write("invest-train.csv", first, last)
    np.savetxt(FOLDER / "latest.csv", known[-WINDOW:], "%.6f", ",", header=",".join(FEATURES), comments="")
    np.save(FOLDER / "latest.npy", known[np.newaxis, -WINDOW:].astype(np.float32))
    print(f"wrote {len(YEARS)} folds and {last - first:,} days from {dates[first]} to {dates[last]} to build")


if __name__ == "__main__":
    main()
