"""`netwright serve`: answers over HTTP, by the Open Inference Protocol."""

from __future__ import annotations

from pathlib import Path
from traceback import print_exception

import click

from ..errors import RequestError
from ..model import Model, load
from ..program import EngineName, Program
from .failure import report
from .options import engine_options, settings_option, spec_argument, weights_option
from .output import show_warnings
from .waiting import compiling


@click.command("serve")
@spec_argument
@weights_option()
@click.option(
    "--host", default="127.0.0.1", show_default=True, help="The address to listen at; 0.0.0.0 for all."
)
@click.option(
    "--port",
    type=click.IntRange(0, 65535),
    default=8000,
    show_default=True,
    help="The port; 0 for one that is free.",
)
@click.option(
    "--max-batch",
    type=click.IntRange(1),
    default=32,
    show_default=True,
    help="The most samples to compute at once, of requests whose other sizes are equal.",
)
@click.option(
    "--batch-delay",
    type=click.FloatRange(0, 1000),
    default=0.0,
    show_default=True,
    metavar="MS",
    help="How many milliseconds a batch waits for more requests.",
)
@click.option(
    "--max-request",
    type=click.IntRange(1, 2047),
    default=64,
    show_default=True,
    metavar="MIB",
    help="The most MiB in a request.",
)
@click.option(
    "--max-waiting",
    type=click.IntRange(1),
    default=1024,
    show_default=True,
    help="How many requests can wait; more are refused.",
)
@click.option(
    "--sequences",
    type=click.IntRange(0),
    default=0,
    show_default=True,
    help="Serve streams: how many sequences can be in progress at once.",
)
@click.option(
    "--sequence-timeout",
    type=click.FloatRange(0, min_open=True),
    default=60.0,
    show_default=True,
    metavar="SECONDS",
    help="When an idle sequence is forgotten.",
)
@click.option(
    "--drain",
    type=click.FloatRange(0),
    default=1.0,
    show_default=True,
    metavar="SECONDS",
    help="After SIGTERM, how long it still takes requests while it says that it is not ready.",
)
@settings_option
@engine_options
def command(
    spec: Path,
    weights: Path,
    host: str,
    port: int,
    max_batch: int,
    batch_delay: float,
    max_request: int,
    max_waiting: int,
    sequences: int,
    sequence_timeout: float,
    drain: float,
    settings: tuple[str, ...],
    engine: EngineName,
    threads: int | None,
    pin: bool,
) -> None:
    """Answer over HTTP, by the Open Inference Protocol (version 2), which clients of KServe and Triton speak.

    It needs the extra: pip install "netwright[serve]". It ends with SIGTERM or Ctrl-C, when all requests are answered.
    After SIGHUP it reads the spec and the weights again, and answers what comes then by them.
    """
    try:
        from ..serving.application import Application
        from ..serving.limits import Limits
        from ..serving.reloading import Reloading
        from ..serving.server import address, bound, serve
    except ImportError as error:
        if error.name not in ("uvicorn", "httptools", "orjson", "prometheus_client"):
            raise
        raise RequestError('serving needs uvicorn: pip install "netwright[serve]"') from error

    def loaded() -> Model:
        model = load(spec, settings)
        show_warnings(model)
        return model

    def compiled(model: Model) -> Program:
        return model.compile(weights, engine=engine, threads=threads, pin=pin, entries=("predict",))

    def reloaded(error: Exception | None) -> None:
        if error is None:
            click.echo("the spec and the weights are served as they are now")
            return
        if report(error) is None:
            print_exception(error)
        click.echo("note: the spec and the weights are served as they were", err=True)

    listener = bound(host, port)
    with listener:
        model = loaded()
        with compiling(model.name):
            program = compiled(model)
        limits = Limits(
            batch=max_batch,
            delay=batch_delay / 1000,
            body=max_request << 20,
            waiting=max_waiting,
            sequences=sequences,
            sequence_timeout=sequence_timeout,
        )
        application = Application(program, limits)
        text = f"{model.name} is served at {address(listener)}"
        del model, program  # they stay until another takes its place
        again = Reloading(application, lambda: compiled(loaded()), reloaded)
        if not serve(
            application, listener, drain=drain, started=lambda: click.echo(text), reload=again.begin
        ):
            raise RequestError("stopped before all requests were answered")
    click.echo("all requests are answered")
