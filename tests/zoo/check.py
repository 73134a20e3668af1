"""One entry, from its ONNX file to a verdict. Runs in a process of its own: `python -m tests.zoo.check`."""

from __future__ import annotations

import json
import resource
import statistics
import subprocess
import sys
import tempfile
import time
import traceback
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray

from netwright.onnx import ImportedModel, OnnxError, import_model
from netwright.onnx.files import check as checked
from netwright.program import Program

from .arrays import answers, inputs, session
from .catalog import ENTRIES
from .entries import Entry
from .judging import Judge

Predict = Callable[[Mapping[str, NDArray]], Mapping[str, NDArray]]


def examine(entry: Entry, path: Path, *, timing: bool = False, executable: bool = False) -> dict[str, Any]:
    """The verdict on an entry: `pass`, `refused` or `wrong`, with what is to be said of it."""
    report: dict[str, Any] = {"bytes": path.stat().st_size}
    start = time.perf_counter()
    try:
        imported = _imported(entry, path)
        report["import"] = time.perf_counter() - start
        model = checked(imported.spec)
    except OnnxError as error:
        return report | {"verdict": "refused", "reason": _reasons(error)}
    start = time.perf_counter()
    program = model.compile(dict(imported.weights), entries=["predict"], threads=1)
    report["compile"] = time.perf_counter() - start
    proto = onnx.load(path)
    theirs = session(path.read_bytes())
    errors: dict[str, float] = {}
    bad: list[str] = []
    with tempfile.TemporaryDirectory() as folder:
        predict = _executable(program, Path(folder)) if executable else lambda given: program.predict(**given)
        for turn in range(2):
            given = inputs(proto, entry, turn)
            wanted = answers(theirs, given)
            ours = predict({imported.inputs[name]: given[name] for name in imported.inputs})
            judge = Judge(proto, path, entry.tolerance)
            for name, value in wanted.items():
                found = np.asarray(ours[imported.outputs[name]])
                if (found.shape, found.dtype) != (value.shape, value.dtype):
                    kinds = f"{found.dtype}{list(found.shape)} for {value.dtype}{list(value.shape)}"
                    return report | {"verdict": "wrong", "reason": f"output {name}: {kinds}"}
                error, allowed = judge.distance(name, found, value, given, report)
                place = f"{name}, binding {turn + 1}"
                errors[place] = error
                bad += [f"{place}: {error:.1e}"] if not error <= allowed else []
    report["error"] = max(errors.values(), default=0.0)
    if timing:
        report |= _times(program, imported, path, inputs(proto, entry, 0))
    report["samples"] = _samples(ours, imported)
    return report | ({"verdict": "wrong", "reason": "; ".join(bad)} if bad else {"verdict": "pass"})


def _imported(entry: Entry, path: Path) -> ImportedModel:
    options: dict[str, Any] = {"inputs": dict(entry.inputs)} if entry.inputs else {}
    return import_model(path, name="network", dims=dict(entry.dims), **options)


def _reasons(error: OnnxError) -> str:
    """What the importer says: the first finding in full, and how many there are."""
    more = len(error.findings) - 1
    return f"{error.findings[0]}" + (f" (and {more} more)" if more else "")


def _executable(program: Program, folder: Path) -> Predict:
    """A function that runs the program as an executable, through files."""
    path = folder / "network"
    program.save(path)

    def predict(given: Mapping[str, NDArray]) -> Mapping[str, NDArray]:
        command = [str(path), "-o", str(folder / "out.npz")]
        for name, array in given.items():
            np.save(folder / f"{name}.npy", array)
            command += ["-i", f"{name}={folder / name}.npy"]
        subprocess.run(command, check=True, stdin=subprocess.DEVNULL)
        with np.load(folder / "out.npz") as found:
            return dict(found)

    return predict


def _times(
    program: Program, imported: ImportedModel, path: Path, given: Mapping[str, NDArray]
) -> dict[str, float]:
    """Median times of a call in seconds of this thread, ours and ONNX Runtime's by turns, for about two seconds."""
    here = {own: given[name] for name, own in imported.inputs.items()}
    theirs = session(path.read_bytes(), optimized=True)
    calls = {"ours": lambda: program.predict(**here), "theirs": lambda: answers(theirs, given)}
    times: dict[str, list[float]] = {name: [] for name in calls}
    end = time.perf_counter() + 2
    while time.perf_counter() < end or len(times["ours"]) < 5:
        for name, call in calls.items():
            start = time.thread_time()
            call()
            times[name].append(time.thread_time() - start)
    return {name: statistics.median(own) for name, own in times.items()}


def _samples(outputs: Mapping[str, NDArray], imported: ImportedModel) -> dict[str, dict[str, Any]]:
    """A few numbers of each output at the second binding, to be kept as text."""
    found = {}
    for name, here in imported.outputs.items():
        array = np.asarray(outputs[here], np.float64).ravel()
        picked = array[:: max(1, array.size // 6)][:6]
        rms = float(np.sqrt(np.mean(np.square(array)))) if array.size else 0.0
        found[name] = {
            "shape": list(np.shape(outputs[here])),
            "rms": _short(rms),
            "values": [_short(x) for x in picked],
        }
    return found


def _short(x: float) -> float:
    return float(f"{x:.6g}")


def main() -> int:
    """`check NAME PATH MEGABYTES [timing] [executable]`: prints the report as JSON."""
    name, path, megabytes, *flags = sys.argv[1:]
    resource.setrlimit(resource.RLIMIT_AS, (int(megabytes) << 20, int(megabytes) << 20))
    (entry,) = [one for one in ENTRIES if one.name == name]
    try:
        report = examine(entry, Path(path), timing="timing" in flags, executable="executable" in flags)
    except Exception as error:
        where = traceback.extract_tb(error.__traceback__)[-1]
        said = f"{type(error).__name__}: {error}"[:400]
        report = {"verdict": "failed", "reason": f"{said} ({Path(where.filename).name}:{where.lineno})"}
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(json.dumps(report | {"peak": peak}))
    return 0


if __name__ == "__main__":
    sys.exit(main())
