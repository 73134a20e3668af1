"""`netwright train`: trains weights from a spec and data."""

from __future__ import annotations

import os
import signal
import sys
from contextlib import nullcontext
from pathlib import Path

import click

from netwright.runtime.errors import DataError
from netwright.runtime.sessions.weights import load_vocabularies
from netwright.runtime.training.checkpoint import read_history
from netwright.runtime.training.interrupt import last_act
from netwright.runtime.training.loop import DivergedError
from netwright.runtime.training.plan import TrainingPlan, TrainingResult
from netwright.specs.checks.data import meant_as_valid
from netwright.specs.diagnostics.visible import visible
from netwright.specs.files import write_file

from ..data.sets import DataSets
from ..describe import count_text
from ..inspection.slope_recorder import SlopeRecorder
from ..live.observers import observer_for
from ..model import Model, load
from ..program import EngineName, Program
from ..report.runs import SLOPES, run_report
from ..training.run import training_plan
from ..trainings.folder import RunFolder
from ..trainings.info import CHECKPOINT, REPORT, RUNS
from ..trainings.reading import Run
from .beginning import keep_existing, options_of
from .folds import is_group, train_folds
from .options import (
    PATH,
    check_outputs,
    data_option,
    engine_options,
    given,
    settings_option,
    spec_argument,
    verbosity_options,
    weights_option,
)
from .output import console, show_warnings, to_standard_output, written
from .places import NEWEST, begin_run, beside, place_of
from .ranks import RankCommand, fair_threads, ranks, shared_place, writes
from .waiting import compiling


@click.command("train", cls=RankCommand)
@spec_argument
@weights_option(
    required=False,
    help="Where to write the trained weights (safetensors), and beside them the checkpoint. Without it, they go to the "
    "folder of a run; with --resume by default where they went before.",
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
    is_flag=False,
    flag_value=NEWEST,
    metavar="[RUN|CHECKPOINT]",
    help="Go on with a run, or from a checkpoint, with the options that its training was begun with, unless others are "
    "given; by default with the newest run of this network that is not finished.",
)
@click.option(
    "--checkpoint",
    type=PATH,
    metavar="FILE",
    help="Where to keep the checkpoint, written after every epoch (or as train.checkpoint says) and on Ctrl-C; by "
    "default next to the weights.",
)
@click.option(
    "--folds",
    type=click.IntRange(2, 1000),
    metavar="K",
    help="Cross-validation: K runs, each with another part of the training data left out to validate by.",
)
@click.option("--jobs", type=click.IntRange(1, 256), help="With --folds: how many runs are trained at once.")
@click.option("--runs", type=PATH, metavar="DIR", help=f"The folder to make the run's in; by default {RUNS}.")
@click.option("--name", metavar="NAME", help="The run's name; by default the network's, with a number.")
@click.option(
    "--force", is_flag=True, help="Write over existing weights and checkpoints, replace an existing run."
)
@click.option("--report/--no-report", "page", default=True, help="Write the report of a run into its folder.")
@verbosity_options
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
    resume: str | None,
    checkpoint: Path | None,
    runs: Path | None,
    name: str | None,
    folds: int | None,
    jobs: int | None,
    force: bool,
    page: bool,
    quiet: bool,
    verbose: bool,
    engine: EngineName,
    threads: int | None,
    pin: bool,
) -> None:
    """Train as the spec's train section says, with compiled code: forward, backward and update in one call per batch.

    The weights written are those of the best epoch by validation loss (or whatever early_stopping monitors); without
    validation data they are the last ones. Ctrl-C finishes the current step, writes the checkpoint, which also has the
    best weights, and exits with 130; SIGTERM does the same and exits with 143.

    Everything goes to the folder of a run, runs/NAME-001: the spec, what it ran on, metrics as JSON lines, CSV and
    TensorBoard events, checkpoint, weights. With --weights FILE there is no such folder, unless --runs or --name is
    given.

    Started by mpirun (extra distributed), the processes share each batch: mpirun -n 4 netwright train SPEC. A training
    can be gone on with by any number of processes.
    """
    if init is not None and resume is not None:
        raise click.UsageError(
            f"--init starts a new training with the weights in {init}, --resume goes on with the training in {resume}, "
            "whose weights are in it: leave one of them out"
            if resume
            else "--init starts a new training, --resume goes on with one: leave one of them out"
        )
    changes = [*settings, *([f"train.epochs={epochs}"] if epochs else [])]
    changes += [f"train.seed={seed}"] if seed is not None else []
    if folds is not None or (resume and is_group(resume)):
        for option, value in (
            ("--weights", weights),
            ("--checkpoint", checkpoint),
            ("--force", force or None),
        ):
            if value is not None:
                raise click.UsageError(
                    f"{option} is not for --folds: every fold is a run with files of its own"
                )
        more = (
            *(("--engine", engine) if engine != "native" else ()),
            *(("--init", str(init.absolute())) if init else ()),
        )
        ctx.exit(train_folds(spec, changes, folds, resume, runs, name, data, more, jobs or 1))
    if jobs is not None:
        raise click.UsageError(
            "--jobs is for --folds: a single run is one process, whose threads --threads sets"
        )
    first = load(spec, changes)
    called = _name_of(first)
    place = shared_place(lambda: place_of(called, weights, checkpoint, resume, runs, name, force=force))
    run, start = place.open(), place.resume
    begun = run.info["options"] if run is not None else {} if place.folder is not None else None
    if weights is not None:
        check_outputs({"--weights": weights}, [start])
    options = options_of(weights, changes, data, engine if given(ctx, "engine") else None, start, begun)
    weights, before = options.weights, len(read_history(start)[1]) if start and start.exists() else 0
    if run is not None and start is not None and not start.exists():  # it was killed early and begins again
        init = Path(begun["init"]) if begun and begun.get("init") else None
    model = first if options.settings == first.settings else first.changed(options.settings)
    show_warnings(model)
    plan = training_plan(model.load, model.network)
    if place.folder is None:
        assert weights is not None
        checkpoint = checkpoint or start or beside(weights, model.name)
    words = init if init is not None and load_vocabularies(init) else None
    sets = model.data(options.data, weights=words)
    files = [*model.files, *(file for name in sets for file in sets.files(name))]
    check_outputs({"--weights": weights}, [*files, start, init])
    check_outputs({"--checkpoint": checkpoint}, [*files, weights, init])
    if start is None and not force and writes():
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
    messages = console(err=weights is not None and to_standard_output(weights))
    shown = messages.is_terminal and not quiet
    with compiling(model.name, out=messages, quiet=quiet):
        program = model.compile(engine=options.engine, threads=threads, pin=pin, entries=entries)
    if verbose:
        for line in _beginning(program, sets, plan):
            messages.print(line, soft_wrap=True)
    if init is not None:
        warm = program.warm_start(init)
        if not quiet:
            messages.print(warm.table())
            messages.print(warm.totals(), soft_wrap=True)
    if place.folder is not None and not writes():  # the first process has the run
        checkpoint = place.folder / CHECKPOINT
    elif place.folder is not None and run is None:
        kept = options.origin(checkpoint) | {"init": os.path.abspath(init) if init else None}
        typed = ["netwright", *sys.argv[1:]]
        run = begin_run(place, lambda path: program.new_run(path, sets, options=kept, command=typed))
    if run is not None and writes():
        ctx.with_resource(last_act(run.given_up))
    goal = str(run.path if run is not None else checkpoint)
    if run is not None and not quiet:
        messages.print(visible(f"run {run.path}"), soft_wrap=True)
    observer = observer_for(messages, quiet=quiet, verbose=verbose, rate=lambda: program.learning_rate)
    if run is not None and page and options.engine == "native" and started is None and not plan.parts:
        observer = SlopeRecorder(observer, model, program, sets["train"], run.path / SLOPES)
    existing = start if writes() or (start is not None and start.exists()) else None
    try:
        result = program.train(
            sets,
            checkpoint=checkpoint,
            resume=run.path if start is not None and run is not None and writes() else existing,
            observer=observer,
            origin=options.origin(checkpoint),
            run=run if writes() else None,
            communicator=started,
        )
    except DivergedError as error:
        if error.result.history:
            _write(program, weights, run, error.result, quiet)
        raise
    except (DataError, OSError) as error:
        if (run.checkpoint if run is not None else Path(goal)).exists():
            error.add_note(f"what was trained is kept; add  --resume {goal}  to go on")
        raise
    if result.ending == "interrupted":
        click.echo(visible(f"stopped; add  --resume {goal}  to go on"), err=True)
        ctx.exit(128 + (result.signal or signal.SIGINT))
    if result.ending == "stopped early" and not quiet:
        click.echo(f"stopped early after {len(result.history)} of {plan.epochs} epochs")
    elif start is not None and len(result.history) == before:
        click.echo(
            f"nothing was left to do after {before} of {plan.epochs} epochs; --epochs MORE goes on", err=True
        )
    _write(program, weights, run, result, quiet)
    if run is not None and page and result.signal is None and writes():
        with messages.status("writing the report") if shown else nullcontext():
            _write_report(Run(run.path), model, sets, options.engine, threads, quiet)
    if result.signal is not None:  # the signal arrived after the last epoch
        ctx.exit(128 + result.signal)


def _name_of(model: Model) -> str:
    """The model's name, also where the spec needs the settings of the training to resume. Raises SpecError."""
    source = model.load.source
    name = source.value.get("model") if source is not None and isinstance(source.value, dict) else None
    return name if isinstance(name, str) else model.name


def _beginning(program: Program, sets: DataSets, plan: TrainingPlan) -> list[str]:
    """What is trained, and on what."""
    named = ((name, sets.find(name)) for name in ("train", "valid"))
    lines = [f"{name}: {count_text(len(data), 'sample')} of {data.name}" for name, data in named if data]
    count = sum(array.size for array in program.weights.values())
    how = f"batches of {plan.batch_size}, at most {count_text(program.threads, 'thread')}"
    return [f"{program.manifest.model}: {count:,} weights, {how}", *map(visible, lines)]


def _write_report(
    run: Run, model: Model, sets: DataSets, engine: EngineName, threads: int | None, quiet: bool
) -> None:
    path = run.path / REPORT
    try:
        write_file(path, run_report(run, model, sets, engine=engine, threads=threads).encode())
    except (DataError, OSError) as error:  # the training itself is done
        click.echo(visible(f"note: there is no report: {error}"), err=True)
        return
    if not quiet:
        written(path, sized=True)


def _write(
    program: Program, path: Path | None, run: RunFolder | None, result: TrainingResult, quiet: bool
) -> None:
    """Writes weights for ``path``, and says what they are, there or in the folder of the run."""
    if not writes():
        return
    best = f" of epoch {result.best_epoch}, the best" if result.best_epoch is not None else ""
    count = sum(array.size for array in program.weights.values())
    if run is not None and not quiet:
        written(run.path, f"{count:,} weights{best}")
    if path is not None:
        program.save_weights(path)
    if path is not None and not quiet:
        written(path, f"{count:,} weights{best}")
