"""Runs the zoo: `python -m tests.zoo [--models PATTERN …] [--exporters legacy,dynamo,tf2onnx,package] [--timing]`."""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from . import golden
from .catalog import ENTRIES
from .entries import EXPORTERS, chosen
from .expected import expected
from .running import CHECK_SECONDS, run

CACHE = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "netwright-zoo"


def main() -> int:
    """Exit code 1 where an answer is wrong, something failed, or a refusal is not in expected.txt."""
    arguments = _parsed()
    entries = chosen(ENTRIES, arguments.models, arguments.exporters.split(","))
    if arguments.list:
        print("\n".join(entry.name for entry in entries))
        return 0
    flags = tuple(
        name for name, on in (("timing", arguments.timing), ("executable", arguments.executables)) if on
    )
    reports: dict[str, dict[str, Any]] = {}
    width = max((len(entry.name) for entry in entries), default=0)
    with ThreadPoolExecutor(arguments.jobs) as pool:
        started = [
            (entry, pool.submit(run, entry, arguments.cache, flags=flags, seconds=arguments.seconds))
            for entry in entries
        ]
        for entry, report in started:
            reports[entry.name] = found = report.result()
            known = expected(entry.name)
            if found["verdict"] == "pass" and (reason := golden.changed(entry.name, found)):
                found |= {"verdict": "changed", "reason": reason}
            found["expected"] = known.reason if known else ""
            print(f"{entry.name:{width}s}  {_row(found)}", flush=True)
            if arguments.json:
                arguments.json.write_text(json.dumps(reports, indent=1), encoding="utf-8")
    if arguments.update_golden:
        golden.write(reports)
    print(summary(reports))
    return 1 if any(_surprising(report) for report in reports.values()) else 0


def _parsed() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.zoo", description=__doc__)
    parser.add_argument(
        "--models", nargs="+", default=[], metavar="PATTERN", help="entries whose names hold one of these"
    )
    parser.add_argument("--exporters", default=",".join(EXPORTERS), help="the exporters, separated by commas")
    parser.add_argument(
        "--timing", action="store_true", help="time calls beside ONNX Runtime's, on one thread"
    )
    parser.add_argument("--executables", action="store_true", help="run each network as an executable")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the reports as JSON too")
    parser.add_argument("--jobs", type=int, default=1, help="how many run at a time")
    parser.add_argument("--seconds", type=int, default=CHECK_SECONDS, help="how long a check may take")
    parser.add_argument(
        "--cache", type=Path, default=CACHE, metavar="DIR", help="where models and wheels are kept"
    )
    parser.add_argument(
        "--update-golden", action="store_true", help="write the golden outputs of what passes"
    )
    parser.add_argument("--list", action="store_true", help="print the names of the entries only")
    return parser.parse_args()


def _row(report: dict[str, Any]) -> str:
    """A line of the table: verdict, error, times, and what there is to say."""
    cells = [report["verdict"]]
    if "error" in report:
        cells.append(f"error {report['error']:.0e}")
    cells += [f"{key} {report[key]:.1f} s" for key in ("export", "import", "compile") if key in report]
    if "moves" in report:
        cells.append(f"stage by stage: the last bits of the input move ONNX Runtime by {report['moves']:.0e}")
    if "runtime" in report:
        cells.append(f"ONNX Runtime itself is off by {report['runtime']:.0e} from float64")
    if "rewrites" in report:
        cells.append(f"ONNX Runtime's rewrites move its own answer by {report['rewrites']:.0e}")
    if "ours" in report:
        ratio = report["ours"] / report["theirs"]
        cells.append(
            f"{report['ours'] * 1e3:.1f} ms, ONNX Runtime {report['theirs'] * 1e3:.1f} ms, {ratio:.2f}×"
        )
    if report["verdict"] != "pass":
        cells.append(report["reason"])
    if report["expected"]:
        cells.append(f"expected: {report['expected']}")
    return "  ".join(cells)


def _surprising(report: dict[str, Any]) -> bool:
    refused = report["verdict"] == "refused"
    return report["verdict"] in ("wrong", "failed", "changed") or refused != bool(
        report["expected"] and report["verdict"] != "skipped"
    )


def summary(reports: dict[str, dict[str, Any]]) -> str:
    """`zoo: 172 models, 160 pass, 12 refused, 0 wrong`, and what else there is."""
    counts = Counter(report["verdict"] for report in reports.values())
    ran = len(reports) - counts["skipped"]
    parts = [
        f"{ran} models",
        *(
            f"{counts[one]} {word}"
            for one, word in (("pass", "pass"), ("refused", "refused"), ("wrong", "wrong"))
        ),
    ]
    parts += [f"{counts[one]} {one}" for one in ("failed", "changed", "skipped") if counts[one]]
    return f"zoo: {', '.join(parts)}"


if __name__ == "__main__":
    sys.exit(main())
