"""Breaks the compiler's rules: `python -m tests.rules compiler/passes compiler/lowering/grouping/groups.py`."""

from __future__ import annotations

import argparse
import subprocess
import sys
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

import pytest

from .rules import Broken, rules_in, rules_of
from .runs import Runs, Verdict

ROOT = Path(__file__).resolve().parents[2]
EQUIVALENT = Path(__file__).with_name("equivalent.txt")
#: What decides about fusion, packing, hoisting and memory.
DECIDING = ("compiler/passes", "compiler/lowering")
TESTS = ("tests/ir", "tests/kernels/test_golden.py", "tests/graph", "tests/lowering")


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.rules", description=__doc__)
    parser.add_argument("modules", nargs="*", default=DECIDING, help="files, or folders of them")
    parser.add_argument("--tests", nargs="+", default=TESTS, help="files and folders of tests")
    parser.add_argument("--count", type=int, help="how many rules are broken, drawn from all of the modules")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument(
        "--again", type=Path, help="only rules that this file, an earlier run's output, names"
    )
    parser.add_argument(
        "--since", metavar="COMMIT", help="only rules that none of these modules had in this commit"
    )
    parser.add_argument("--jobs", type=int, default=2, help="processes at a time")
    parser.add_argument("--seconds", type=float, default=60, help="processor time for all tests of one rule")
    parser.add_argument(
        "--more", type=float, default=10, help="of that, what a test may take beyond ten times its own"
    )
    parser.add_argument("--all", action="store_true", help="print the rules that are noticed, too")
    arguments = parser.parse_args()
    rules = [rule for path in _files(arguments.modules) for rule in rules_of(path)]
    if arguments.again is not None:
        text = arguments.again.read_text(encoding="utf-8")
        rules = [rule for rule in rules if f"  {rule.key}  (" in text]
    if arguments.since is not None:
        old = _keys_at(arguments.since)
        rules = [rule for rule in rules if rule.key not in old]
    if arguments.count is not None and arguments.count < len(rules):
        drawn = Random(arguments.seed).sample(range(len(rules)), arguments.count)
        rules = [rules[number] for number in sorted(drawn)]
    table = Table(known(EQUIVALENT.read_text(encoding="utf-8")), arguments.all)
    runs = Runs(rules, table.add, arguments.jobs, arguments.seconds, arguments.more)
    options = ["--assert=plain", "-p", "no:cacheprovider", "-p", "no:terminal", "-p", "no:xdist", "-s"]
    code = pytest.main([*options, f"--rootdir={ROOT}", *map(str, arguments.tests)], plugins=[runs])
    if code not in (pytest.ExitCode.OK, pytest.ExitCode.NO_TESTS_COLLECTED):
        return int(code)
    print(table.summary())
    return 1 if table.open else 0


def _files(names: Sequence[str]) -> list[Path]:
    found: list[Path] = []
    for path in map(Path, names):
        path = path.resolve()
        found += sorted(path.rglob("*.py")) if path.is_dir() else [path]
    return found


def _keys_at(commit: str) -> set[str]:
    """The names of all rules of what decides, as it was in a commit; a rule that only moved has the same name."""
    listing = _git("ls-tree", "-r", "--name-only", commit, "--", *DECIDING)
    paths = [Path(name) for name in listing.splitlines() if name.endswith(".py")]
    return {
        rule.key for path in paths for rule in rules_in(_git("show", f"{commit}:{path.as_posix()}"), path)
    }


def _git(*words: str) -> str:
    return subprocess.run(["git", *words], cwd=ROOT, check=True, capture_output=True, text=True).stdout


def known(text: str) -> dict[str, str]:
    """By key, why breaking a rule changes nothing: lines of ``#`` say it for the rules below them."""
    reasons: dict[str, str] = {}
    for paragraph in text.split("\n\n"):
        lines = [line.strip() for line in paragraph.splitlines()]
        why = " ".join(line.strip("# ") for line in lines if line.startswith("#"))
        reasons |= {line: why for line in lines if line and not line.startswith("#")}
    return reasons


@dataclass
class Table:
    """What became of the rules, by module."""

    equivalent: Mapping[str, str]
    shows_all: bool
    counts: dict[str, Counter[str]] = field(default_factory=dict)
    open: list[Broken] = field(default_factory=list)

    def add(self, broken: Broken, verdict: Verdict) -> None:
        module = str(broken.path.relative_to(ROOT) if broken.path.is_relative_to(ROOT) else broken.path)
        if verdict.by:
            kind, why = "noticed", f"{verdict.by}: {verdict.how}"
        elif verdict.cannot:
            kind, why = "UNBROKEN", f"no function to put it in, or several alike: {verdict.cannot}"
            self.open.append(broken)
        elif broken.key in self.equivalent:
            kind, why = "equivalent", self.equivalent[broken.key]
        else:
            kind, why = "SURVIVED", f"{verdict.tests} of {verdict.reaching} tests that reach it ran"
            self.open.append(broken)
        self.counts.setdefault(module, Counter())[kind] += 1
        if kind in ("SURVIVED", "UNBROKEN") or self.shows_all:
            print(f"{kind:10} {module}:{broken.line}  {broken.key}  ({why})", flush=True)

    def summary(self) -> str:
        kinds = ("noticed", "equivalent", "UNBROKEN", "SURVIVED")
        rows = [(module, *(counts[kind] for kind in kinds)) for module, counts in self.counts.items()]
        rows.append(("all", *(sum(counts[kind] for counts in self.counts.values()) for kind in kinds)))
        width = max(len(module) for module, *_ in rows)
        lines = [f"{'module':{width}}  rules" + "".join(f"{kind:>12}" for kind in kinds)]
        for module, *numbers in rows:
            lines.append(
                f"{module:{width}}  {sum(numbers):5}" + "".join(f"{number:12}" for number in numbers)
            )
        return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main())
