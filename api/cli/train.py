"""`netwright train`: trains weights from a spec and data."""

from __future__ import annotations

import signal
from pathlib import Path

import click

from netwright.runtime.checkpoint import read_history
from netwright.runtime.plan import TrainingResult
from netwright.runtime.progress import observer_for
from netwright.runtime.training import DivergedError
from netwright.runtime.weights import load_vocabularies
from netwright.specs.checks.data import meant_as_valid
from netwright.specs.diagnostics.visible import visible
from netwright.specs.files import is_stream

from ..model import load
from ..program import EngineName, Program
from ..training import training_plan
from .beginning import keep_existing, options_of
from .options import (
    PATH,
    check_outputs,
    data_option,
    engine_options,
    given,
    settings_option,
    spec_argument,
    weights_option,
)
from .output import console, show_warnings, to_standard_output, written
from .ranks import RankCommand, fair_threads, ranks, writes


@click.command("train", cls=RankCommand)
@spec_argument
@weights_option(
    required=False,
    help="Where to write the trained weights (safetensors); with --resume by default where they went before.",
)
@click.option(
    "--epochs", type=click.IntRange(1), help="How often to go through the data; by default as in the spec."
)
@settings_option
@data_option("train=other.npz")
@click.option(
    "--seed", type=click.IntRange(0, 2**63 - 1), help="Another seed for weights, order and dropout."
)
@click.option(
    "--init",
    type=PATH,
    metavar="FILE",
    help="Start with other weights, or a checkpoint's best ones, where names and shapes agree.",
)
@click.option(
    "--resume",
    type=PATH,
    metavar="CHECKPOINT",
    help="Continue from a checkpoint, with the options that its training was begun with, unless others are given.",
)
@click.option(
    "--checkpoint",
    type=PATH,
    metavar="FILE",
    help="Where to keep the checkpoint, written after every epoch (or as train.checkpoint says) and on Ctrl-C; by "
    "default next to the weights.",
)
@click.option("--force", is_flag=True, help="Write over existing weights and checkpoints.")
@engine_options
@click.pass_context
def command(
    ctx: click.Context,
    spec: Path,
    weights: Path | None,
    epochs: int | None,
    settings: tuple[str, ...],
    data: dict[str, Path],
    seed: int | None,
    init: Path | None,
    resume: Path | None,
    checkpoint: Path | None,
    force: bool,
    engine: EngineName,
    threads: int | None,
    pin: bool,
) -> None:
    """Train as the spec's train section says, with compiled code: forward, backward and update in one call per batch.

    The weights written are those of the best epoch by validation loss (or whatever early_stopping monitors); without
    validation data they are the last ones. Ctrl-C finishes the current step, writes the checkpoint, which also has the
    best weights, and exits with 130; SIGTERM does the same and exits with 143.

    Started by mpirun (extra distributed), the processes share each batch: mpirun -n 4 netwright train SPEC --weights
    FILE. A checkpoint can be resumed by any number of processes.
    """
    if init is not None and resume is not None:
        raise click.UsageError(
            f"--init starts a new training with the weights in {init}, --resume goes on with the training in {resume}, "
            "whose weights are in it: leave one of them out"
        )
    changes = [*settings, *([f"train.epochs={epochs}"] if epochs else [])]
    changes += [f"train.seed={seed}"] if seed is not None else []
    if weights is not None:
        check_outputs({"--weights": weights}, [resume])
    options = options_of(weights, changes, data, engine if given(ctx, "engine") else None, resume)
    weights, before = options.weights, len(read_history(resume)[1]) if resume else 0
    model = load(spec, options.settings)
    show_warnings(model)
    plan = training_plan(model.load, model.network)
    checkpoint = checkpoint or resume or _beside(weights, model.name)
    words = init if init is not None and load_vocabularies(init) else None
    sets = model.data(options.data, weights=words)
    files = [*model.files, *(file for name in sets for file in sets.files(name))]
    check_outputs({"--weights": weights}, [*files, resume, init])
    check_outputs({"--checkpoint": checkpoint}, [*files, weights, init])
    if resume is None and not force:
        keep_existing(weights, checkpoint)
    if "valid" not in sets and (name := meant_as_valid(options.data)) is not None:
        note = (
            f"training does not read the data set {name}: --data valid={options.data[name]} is for validation"
        )
        click.echo(f"note: {visible(note)}", err=True)
    for dataset in (sets["train"], sets.find("valid")):
        if dataset is not None:
            dataset.load()  # an error in the data comes before the network is compiled
    started = ranks()
    if started is not None and pin:
        raise click.UsageError(
            "--pin would keep all processes on one processor: mpirun --bind-to core divides them"
        )
    threads = threads if given(ctx, "threads") else fair_threads()
    entries = ("loss",) if started or plan.parts else ("loss", "train_step")
    program = model.compile(engine=options.engine, threads=threads, pin=pin, entries=entries)
    messages = console(err=to_standard_output(weights))
    if init is not None:
        start = program.warm_start(init)
        messages.print(start.table())
        messages.print(start.totals(), soft_wrap=True)
    try:
        result = program.train(
            sets,
            checkpoint=checkpoint,
            resume=resume,
            observer=observer_for(messages),
            origin=options.origin(checkpoint),
            communicator=started,
        )
    except DivergedError as error:
        if error.result.history:
            _write(program, weights, error.result)
        raise
    if result.ending == "interrupted":
        click.echo(visible(f"stopped; add  --resume {checkpoint}  to go on"), err=True)
        ctx.exit(128 + (result.signal or signal.SIGINT))
    if result.ending == "stopped early":
        click.echo(f"stopped early after {len(result.history)} of {plan.epochs} epochs")
    elif resume is not None and len(result.history) == before:
        click.echo(
            f"nothing was left to do after {before} of {plan.epochs} epochs; --epochs MORE goes on", err=True
        )
    _write(program, weights, result)
    if result.signal is not None:  # the signal arrived after the last epoch
        ctx.exit(128 + result.signal)


def _beside(weights: Path, model: str) -> Path:
    """The path of the checkpoint: next to the weights, or in the current folder if the weights go to a pipe or a
    device.
    """
    if is_stream(weights):
        return Path(f"{model}.checkpoint")
    return weights.parent / f"{weights.stem}.checkpoint"


def _write(program: Program, path: Path, result: TrainingResult) -> None:
    if not writes():
        return
    program.save_weights(path)
    best = f" of epoch {result.best_epoch}, the best" if result.best_epoch is not None else ""
    count = sum(array.size for array in program.weights.values())
    written(path, f"{count:,} weights{best}")
