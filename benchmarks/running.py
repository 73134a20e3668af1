"""Runs cases: each peer's answers are compared with ours, then all calls take turns."""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterable, Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from .cases import Case
from .peers import Peer, Runner, Unsupported
from .problem import Arrays, Problem, problem
from .roofline import peak, roofline, work
from .rows import Row
from .timing import measure

#: How far answers may be apart, in root mean squares of the answer, and losses, relatively: in what a loss has fallen
#: to, and in a hundredth of the first one where it has fallen further.
TOLERANCE, LOSS_TOLERANCE = 2e-3, 1e-2
#: Steps of training whose losses are compared.
STEPS = 10


class Disagreement(Exception):
    """A peer computes something else."""


def run(cases: Iterable[Case], peers: Sequence[Peer], threads: int, seconds: float) -> Iterator[Row]:
    """A row per case: ``seconds`` for the timing of each system."""
    for case in cases:
        yield measured(case, peers, threads, seconds)
        gc.collect()


def measured(case: Case, peers: Sequence[Peer], threads: int, seconds: float) -> Row:
    """One case. Peers that cannot run it, or answer differently, have a note instead of a time."""
    given = problem(case)
    ours, compiling = own_runner(given, threads)
    notes: dict[str, str] = {}
    runners = {"netwright": ours}
    reference = _evidence(case, ours)
    for peer in peers:
        if case.kind not in peer.kinds:
            continue
        try:
            runner = peer.runner(given, threads)
            agree(reference, _evidence(case, runner), case.kind == "training")
            runners[peer.name] = runner
        except Unsupported as reason:
            notes[peer.name] = str(reason)
        except Disagreement as difference:
            notes[peer.name] = f"DISAGREES: {difference}"
        except Exception as error:  # a peer's own failure, of any kind, must not end the run
            said = (str(error).strip().splitlines() or [""])[0]
            notes[peer.name] = f"failed: {type(error).__name__}: {said[:120]}"
    times = measure({name: runner.run for name, runner in runners.items()}, seconds, threads)
    own, limits = work(given), peak()
    return Row(
        case.name,
        threads,
        {name: timing.seconds for name, timing in times.items()},
        {name: timing.spread for name, timing in times.items()},
        own.flops,
        roofline(own, limits, threads),
        limits.flops,
        compiling,
        notes,
    )


def own_runner(given: Problem, threads: int) -> tuple[Runner, float]:
    """Our own call, from Python, arrays in and arrays out; and the seconds of compiling it."""
    program, compiling = given.compiled(threads)
    if given.case.kind == "training":
        arrays = {**given.inputs, **given.targets}
        return Runner(lambda: program.train_step(**arrays)["loss"]), compiling
    call: Callable[..., Arrays] = program.predict
    if given.case.kind == "step":
        call = program.stream().push
    return Runner(lambda: call(**given.inputs), lambda: dict(call(**given.inputs))), compiling


def agree(ours: Arrays, theirs: Arrays, training: bool = False) -> None:
    """Raises Disagreement if the answers, or the losses of the first steps, are not the same up to rounding."""
    distance, limit = (_fallen, LOSS_TOLERANCE) if training else (_distance, TOLERANCE)
    for name, answer in ours.items():
        other = np.asarray(theirs[name])
        if other.shape != answer.shape:
            raise Disagreement(f"{name} has shape {other.shape}, ours has {answer.shape}")
        apart = distance(answer.astype(np.float64), other.astype(np.float64))
        if not apart <= limit:
            raise Disagreement(f"{name} differs by {apart:.1e}, {limit:.0e} is allowed")


def _distance(ours: NDArray, theirs: NDArray) -> float:
    """The largest difference in root mean squares of ours."""
    scale = max(float(np.sqrt(np.mean(np.square(ours)))), 1e-30) if ours.size else 1.0
    return float(np.abs(ours - theirs).max(initial=0.0)) / scale


def _fallen(ours: NDArray, theirs: NDArray) -> float:
    """The largest relative difference of losses, where those that have fallen to nothing count as a hundredth of the
    first."""
    scale = np.maximum(np.abs(ours), 0.01 * abs(ours[0]))
    return float((np.abs(ours - theirs) / scale).max())


def _evidence(case: Case, runner: Runner) -> Arrays:
    """The outputs of a call, or the losses of the first steps of training."""
    if case.kind == "training":
        return {"losses": np.asarray([runner.run() for _ in range(STEPS)], np.float64)}
    assert runner.answers is not None
    return {name: np.array(answer) for name, answer in runner.answers().items()}
