"""What has to hold of a drawn network: see `check`."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from random import Random
from typing import Any

import numpy as np
from numpy.typing import NDArray

from netwright.compiler.codegen.jit import kernel_objects
from netwright.compiler.codegen.kernel_runs import Difference, NativeKernels, compare
from netwright.compiler.codegen.targets.target import host_target
from netwright.compiler.frontend.analyses.windows import time_dim
from netwright.runtime.batches import Batches
from netwright.runtime.data import Dataset
from netwright.runtime.data.windows import Windows
from netwright.runtime.sessions.session import CARRY, Session

from ..engines.harness import TOLERANCE, Arrays, Model
from ..machines import MACHINES
from .networks import Case
from .rounding import evaluate_moved, moved

COMPILE_SECONDS = 20
STEPS = 5
KERNELS = 1
#: Of so many networks one has its kernels looked at, for which the text of all has to be written once more.
KERNELS_EVERY = 3
THREADS = (1, 2, 3)
#: How far a result may be from the reference's, as a multiple of how far the reference itself moves when its inputs
#: move by a rounding error: what a network does to rounding errors is not the compiler's doing.
MOST_MAGNIFIED = 100
#: How often it is moved: two numbers that are a rounding apart do not change places each time.
SEEDS = 12


class Finding(AssertionError):
    """What does not hold."""


class Sensitive(Exception):
    """The results differ by no more than rounding errors make them."""


def check(case: Case) -> None:
    """Raises `Finding` (or whatever a bug raises) unless the network

    - compiles within `COMPILE_SECONDS`,
    - has a kernel whose machine code does what the loop interpreter does (one, in a third of the networks),
    - predicts what the interpreter does, on each binding, bit by bit the same on any number of threads,
    - has the interpreter's loss, and its weights, states and outputs after each of five steps of training, bit by bit
      the same on any number of threads,
    - has the same weights, bit by bit, after a step of training without `bptt.checkpoint`.

    Raises `Sensitive` where they differ, and the interpreter's own results differ as much for other roundings.
    """
    model = Model(case.spec, MACHINES[case.machine])
    begun = time.thread_time()
    model.native  # noqa: B018
    seconds = time.thread_time() - begun
    if seconds > COMPILE_SECONDS:
        raise Finding(f"compiling took {seconds:.0f} s")
    if case.seed % KERNELS_EVERY == 0:
        check_kernels(model, case.seed)
    for binding in case.bindings:
        check_predict(model, case.seed, binding)
    if "train" in case.spec:
        check_training(model, case.seed, case.bindings[-1])
        if "checkpoint" in case.spec["train"].get("bptt", {}):
            check_checkpoint(model, case.seed, case.bindings[-1])


def check_kernels(model: Model, seed: int) -> None:
    """A few kernels, as `netwright compile --verify` runs all of them."""
    lowered = model.lowered
    chosen = Random(seed).sample(sorted(lowered.program.kernels), min(KERNELS, len(lowered.program.kernels)))
    objects = kernel_objects(lowered.program)
    symbols = {name: objects[name] for name in chosen}
    native = NativeKernels(dict(symbols.values()), host_target())
    for name, (symbol, _) in symbols.items():
        try:
            compare(lowered.program.kernels[name], native.address(symbol), seed)
        except Difference as error:
            raise Finding(f"kernel {name}: {error}") from error


def check_predict(model: Model, seed: int, dims: Mapping[str, int]) -> None:
    weights, inputs = model.weights(seed), model.batch(dims, seed, targets=False)
    expected = model.interpret("predict", {**weights, **inputs}, dims)
    first = model.run_native(model.session(weights, THREADS[0]), "predict", inputs)
    agree(model, "predict", {**weights, **inputs}, dims, first, expected)
    for threads in THREADS[1:]:
        found = model.run_native(model.session(weights, threads), "predict", inputs)
        same_bits("predict", first, found, threads)


def check_training(model: Model, seed: int, dims: Mapping[str, int]) -> None:
    weights = model.weights(seed)
    sessions = {threads: model.session(weights, threads) for threads in THREADS}
    first = sessions[THREADS[0]]
    table = {**weights, **model.states(dims)}
    for batch, sizes, begins in batches(model, first, seed, dims):
        if begins:
            for session in sessions.values():
                session.reset_carry()
            table |= {name: np.zeros_like(array) for name, array in table.items() if name.startswith(CARRY)}
        everything = {**table, **batch}
        losses = {threads: model.run_native(session, "loss", batch) for threads, session in sessions.items()}
        agree(
            model, "loss", everything, sizes, losses[THREADS[0]], model.interpret("loss", everything, sizes)
        )
        expected = model.interpret("train_step", everything, sizes)
        steps: dict[int, Arrays] = {}
        for threads, session in sessions.items():
            outputs = model.run_native(session, "train_step", batch)
            steps[threads] = {**session.weights, **session.state, **outputs}
            same_bits("loss", losses[THREADS[0]], losses[threads], threads)
            same_bits("train_step", steps[THREADS[0]], steps[threads], threads)
        found = steps[THREADS[0]]
        agree(model, "train_step", everything, sizes, found, expected)
        # Both go on from the same values: a rounding error is not to grow from step to step.
        table |= {name: np.array(found[name]) for name in expected if name in table}


def check_checkpoint(model: Model, seed: int, dims: Mapping[str, int]) -> None:
    """A training step with states kept now and then against the one that keeps all of them."""
    train = dict(model.spec["train"])
    rest = {key: value for key, value in train.pop("bptt").items() if key != "checkpoint"}
    whole = Model(
        {**model.spec, "train": {**train, **({"bptt": rest} if rest else {})}}, model.machine, ("train_step",)
    )
    weights, first, steps = model.weights(seed), model.session(model.weights(seed)), []
    batch, _, _ = next(iter(batches(model, first, seed, dims)))
    for one in (model, whole):
        session = one.session(weights)
        outputs = one.run_native(session, "train_step", batch)
        steps.append({**session.weights, **session.state, **outputs})
    for name, array in steps[1].items():
        if not np.array_equal(array, steps[0][name], equal_nan=np.asarray(array).dtype.kind == "f"):
            raise Finding(f"train_step: {name} depends on bptt.checkpoint")


def same_bits(entry: str, first: Mapping[str, Any], found: Mapping[str, Any], threads: int) -> None:
    """Raises Finding unless a number of threads gives what the first does."""
    for name, array in first.items():
        if not np.array_equal(array, found[name], equal_nan=np.asarray(array).dtype.kind == "f"):
            raise Finding(f"{entry}: {name} depends on the number of threads ({threads})")


def batches(
    model: Model, session: Session, seed: int, dims: Mapping[str, int]
) -> Iterator[tuple[Arrays, Mapping[str, int], bool]]:
    """What each step of training reads, the sizes of that, and whether carried states begin anew.

    Truncated backpropagation has windows of longer sequences for its steps, as the training loop cuts them.
    """
    bptt = model.spec["train"].get("bptt")
    if bptt is None or "window" not in bptt:
        yield from ((model.batch(dims, seed + step), dims, False) for step in range(STEPS))
        return
    time = time_dim(model.network.inputs.values(), model.network.dims)
    assert time is not None
    lengths = tuple(one["lengths"] for one in model.spec["inputs"].values() if "lengths" in one)
    windows = Windows(bptt["window"], time, lengths)
    for sequence in range(2):
        whole = {**dims, time: steps_in_windows(model, time, bptt["window"], seed + sequence)}
        arrays = model.batch(whole, seed + sequence)
        infos = session.input_info("train_step")
        samples = len(next(iter(arrays.values())))
        cut = Batches(Dataset(arrays), infos, samples, windows=windows)
        for batch in cut.epoch(0):
            start = batch.index * windows.size
            shown = {**dims, time: min(windows.size, whole[time] - start)}
            yield batch.arrays, shown, batch.starts_sequence or not bptt.get("carry_state", True)


def steps_in_windows(model: Model, time: str, window: int, seed: int) -> int:
    """A length of two windows, and of a shorter one where the sizes admit it."""
    rest = seed % window
    return 2 * window + (rest if model.network.dims[time].admits(rest) else 0)


def agree(
    model: Model,
    entry: str,
    table: Mapping[str, NDArray],
    dims: Mapping[str, int],
    found: Mapping[str, Any],
    expected: Arrays,
) -> None:
    """The same up to rounding. Raises Finding, Sensitive."""
    tolerance = TOLERANCE[model.network.dtype]
    wrong: list[str] = []
    for name, wanted in expected.items():
        got = np.asarray(found[name])
        if (got.shape, got.dtype) != (wanted.shape, wanted.dtype):
            raise Finding(
                f"{entry}: {name} is {got.dtype} {got.shape}, expected {wanted.dtype} {wanted.shape}"
            )
        if distance(got, wanted) > tolerance:
            wrong.append(name)
    if not wrong:
        return
    moved = magnified(model, entry, table, dims, expected)
    worst = max(wrong, key=lambda name: distance(np.asarray(found[name]), expected[name]))
    off = distance(np.asarray(found[worst]), expected[worst])
    if all(distance(np.asarray(found[n]), expected[n]) <= MOST_MAGNIFIED * moved[n] for n in wrong):
        raise Sensitive(f"{entry}: {worst} is off by {off:.1e}")
    raise Finding(f"{entry}: {worst} is off by {off:.3g}")


def distance(found: NDArray, wanted: NDArray) -> float:
    """The largest error beside the largest number (and beside 1 where all are smaller)."""
    if not wanted.size:
        return 0.0
    if wanted.dtype.kind != "f":
        return 0.0 if np.array_equal(found, wanted) else np.inf
    same = (found == wanted) | (np.isnan(found) & np.isnan(wanted))
    if same.all():
        return 0.0
    finite = np.abs(wanted[np.isfinite(wanted)])
    scale = max(1.0, float(finite.max())) if finite.size else 1.0
    with np.errstate(all="ignore"):
        errors = np.abs(found[~same].astype(np.float64) - wanted[~same].astype(np.float64)) / scale
    return float(np.nan_to_num(errors, nan=np.inf, posinf=np.inf).max())


def magnified(
    model: Model, entry: str, table: Mapping[str, NDArray], dims: Mapping[str, int], expected: Arrays
) -> dict[str, float]:
    """By how much the reference's results move when all that it reads, or all that it computes, moves by some
    roundings."""
    most = dict.fromkeys(expected, 0.0)
    graph = model.network.graphs[entry]
    for seed in range(SEEDS):
        rng = np.random.default_rng(seed)
        read = {name: moved(array, 4, rng) for name, array in table.items()}
        kept = {name: table[name] for name in graph.inputs}
        for other in (model.interpret(entry, read, dims), evaluate_moved(graph, kept, dims, seed)):
            most = {name: max(most[name], distance(other[name], expected[name])) for name in expected}
    return most
