"""A child process that checks networks: lines of JSON in, a line of JSON out for each.

What a library under us does to the process (ends it, never returns) happens to this one alone.
"""

from __future__ import annotations

import gc
import json
import re
import resource
import sys
import time
import traceback
import warnings
from dataclasses import asdict
from pathlib import Path
from random import Random
from typing import Any

from .check import Finding, Sensitive, check
from .networks import Case, draw
from .onnx import AVAILABLE, Unsupported, check_round_trip

MOST_BYTES = 8 << 30
ROUND_TRIPS = 0.5


def run(job: dict[str, Any]) -> dict[str, Any]:
    """The outcome of a job: a number to draw, or a case that was drawn before and made smaller."""
    begun = time.perf_counter()
    found: dict[str, Any] = {"outcome": "agree", "trip": "none", "tripped": wants_trip(job)}
    try:
        case = Case(**job["case"]) if "case" in job else draw(job["number"], job["seed"])
        found["case"] = asdict(case)
        try:
            check(case)
        except Sensitive as error:
            found |= {"outcome": "sensitive", "what": str(error)}
        if AVAILABLE and found["tripped"]:
            try:
                check_round_trip(case)
                found["trip"] = "agree"
            except Sensitive:
                found["trip"] = "sensitive"
            except Unsupported as error:
                found |= {"trip": "refused", "why": str(error)}
    except Exception as error:
        found |= {"outcome": "FAILED", "what": summary(error), "traceback": traceback.format_exc(limit=-4)}
    return found | {"seconds": time.perf_counter() - begun}


def wants_trip(job: dict[str, Any]) -> bool:
    chosen = job.get("trip")
    return (
        Random(f"trip/{job.get('seed')}/{job.get('number')}").random() < ROUND_TRIPS
        if chosen is None
        else chosen
    )


def summary(error: Exception) -> str:
    """One line that is the same for failures of one kind: where it was raised and what it says, without numbers."""
    if isinstance(error, Finding):
        return re.sub(
            r"[\w.]+ is off by .*", "off", re.sub(r"k[0-9a-f]{16}|\d+", "#", str(error)).split("\n")[0]
        )[:200]
    place = traceback.extract_tb(error.__traceback__)[-1]
    codes = "".join(f" {code}" for code in sorted(set(re.findall(r"\bNW\d{4}\b", str(error)))))
    return f"{type(error).__name__}{codes} in {Path(place.filename).name} {place.name}"


def main() -> None:
    resource.setrlimit(resource.RLIMIT_AS, (MOST_BYTES, MOST_BYTES))
    warnings.simplefilter("ignore")
    gc.freeze()  # what is loaded once is not looked through again and again
    gc.set_threshold(100_000, 20, 100)
    out, sys.stdout = sys.stdout, sys.stderr  # what libraries print is not an answer
    for line in sys.stdin:
        out.write(json.dumps(run(json.loads(line))) + "\n")
        out.flush()


if __name__ == "__main__":
    main()
