"""Prints texts that were held out in English, as their translator put them into French, and as the network does.

python table.py build/held-out.tsv build/answers.jsonl
"""

import csv
import json
import sys

ROWS = 12


def main(pairs: str, answers: str) -> None:
    with open(pairs, encoding="utf-8", newline="") as file:
        _, *rows = csv.reader(file, delimiter="\t")
    with open(answers, encoding="utf-8") as file:
        written = [json.loads(line)["outputs"]["answer"] for line in file]
    # Every so many, so that good and bad ones are shown as they come.
    step = max(len(rows) // ROWS, 1)
    table = [("English", "translator", "network")]
    table += [(*row, answer) for row, answer in list(zip(rows, written, strict=True))[::step][:ROWS]]
    widths = [max(map(len, column)) for column in zip(*table, strict=True)]
    for row in table:
        print("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())


if __name__ == "__main__":
    main(*sys.argv[1:])
