"""Runs the zoo: imports and compiles each model without a cache, compares the answers, and times calls in turns."""

from __future__ import annotations

import argparse
import fnmatch
import gc
import time
from collections.abc import Iterator, Sequence

import numpy as np
import onnx
from numpy.typing import NDArray

from netwright.onnx import OnnxError, import_model
from netwright.onnx.files import Layout, check
from tests.onnx.models import ports

from ..coldness import cold_cache
from ..commands import QUICK_PEERS, QUICK_SECONDS, printed, some
from ..peers import Peer, Runner, Unsupported, chosen, driver
from ..problem import SEED, Arrays
from ..roofline import Work, graph_work, peak, roofline
from ..rows import Row
from ..running import Disagreement, agree
from ..timing import measure
from .networks import NAMES, QUICK, model

#: Peers that take ONNX models.
_PEERS = ("onnxruntime", "openvino")


def compared(options: argparse.Namespace) -> int:
    """Measures the networks whose names match. Exit code 1 where a peer disagrees with us about an answer."""
    names = [
        name
        for name in NAMES
        if not options.cases or any(fnmatch.fnmatchcase(name, p) for p in options.cases)
    ]
    if options.quick:
        names = [name for name in names if name in QUICK]
    names = some(names, options.cases)
    if options.list:
        print("\n".join(names))
        return 0
    peers, missing = chosen("inference", options.peers or QUICK_PEERS["zoo"])
    print(*missing, sep="\n", end="\n" if missing else "")
    threads, seconds = options.threads[0], QUICK_SECONDS if options.quick else options.seconds
    return printed(options, peers, _rows(names, peers, threads, seconds, options.layout), names)


def _rows(
    names: Sequence[str], peers: Sequence[Peer], threads: int, seconds: float, layout: Layout
) -> Iterator[Row]:
    for name in names:
        try:
            yield measured(name, peers, threads, seconds, layout)
        except (Unsupported, OnnxError) as reason:
            print(f"{name}: {str(reason).splitlines()[0]}", flush=True)
        gc.collect()


def measured(name: str, peers: Sequence[Peer], threads: int, seconds: float, layout: Layout = "onnx") -> Row:
    """One network. Raises Unsupported if it cannot be made here, and OnnxError if we do not import it."""
    proto = model(name)
    random = np.random.default_rng(SEED)
    inputs: Arrays = {port: random.standard_normal(shape, np.float32) for port, shape in ports(proto)}
    ours, compiling, work = imported(proto, inputs, threads, layout)
    assert ours.answers is not None
    answers, runners, notes = ours.answers(), {"netwright": ours}, {}
    for peer in peers:
        if peer.name not in _PEERS:
            continue
        try:
            runner = driver(peer).model_runner(proto, inputs, threads)
            agree(answers, runner.answers())
            runners[peer.name] = runner
        except Disagreement as difference:
            notes[peer.name] = f"DISAGREES: {difference}"
        except Unsupported as reason:
            notes[peer.name] = str(reason)
    times = measure({each: runner.run for each, runner in runners.items()}, seconds, threads)
    return Row(
        name,
        threads,
        {each: timing.seconds for each, timing in times.items()},
        {each: timing.spread for each, timing in times.items()},
        work.flops,
        roofline(work, peak(), threads),
        peak().flops,
        compiling,
        notes,
    )


def imported(
    proto: onnx.ModelProto, inputs: Arrays, threads: int, layout: Layout
) -> tuple[Runner, float, Work]:
    """Our call, the seconds of a compile without a cache, and the work of a call."""
    made = import_model(proto, name="network", layout=layout)
    loaded, weights = check(made.spec), dict(made.weights)
    with cold_cache():
        start = time.process_time()
        program = loaded.compile(weights, entries=["predict"], threads=threads)
        compiling = time.process_time() - start
    native = layout == "native"
    given = {
        own: _moved(inputs[theirs], -1) if native else inputs[theirs] for theirs, own in made.inputs.items()
    }

    def answers() -> Arrays:
        outputs = program.predict(**given)
        return {
            name: _moved(outputs[own], 1) if native else outputs[own] for name, own in made.outputs.items()
        }

    work = graph_work(loaded.network.graphs["predict"], {}, [*given.values(), *weights.values()])
    return Runner(lambda: program.predict(**given), answers), compiling, work


def _moved(array: NDArray, axis: int) -> NDArray:
    """Channels of an image to the end (−1) or to the front (1)."""
    return np.ascontiguousarray(np.moveaxis(array, -axis, axis)) if array.ndim > 2 else array
