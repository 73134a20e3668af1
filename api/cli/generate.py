"""`netwright generate`: goes on with a text, by a network that was trained to predict next tokens."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import click

from netwright.runtime.npy import read_npy
from netwright.specs.diagnostics.visible import visible

from ..errors import RequestError
from ..generation.language_model import LanguageModel
from ..generation.search import Drawing, Ending, beam_search, continued
from ..generation.text import joined, spaced
from ..model import load
from ..program import EngineName
from .options import (
    engine_options,
    format_option,
    named_paths,
    settings_option,
    spec_argument,
    weights_option,
)
from .output import show_warnings


@click.command("generate")
@spec_argument
@weights_option()
@click.option("--text", metavar="TEXT", help="What the text begins with.")
@click.option("--tokens", metavar="NUMBERS", help="What a sequence of numbers begins with: 5,3,8.")
@click.option(
    "-i",
    "--input",
    "inputs",
    multiple=True,
    metavar="NAME=FILE.npy",
    callback=lambda ctx, param, values: named_paths(values, param),
    help="The array of a further input, of one sample.",
)
@click.option("--length", type=click.IntRange(1), default=100, show_default=True, help="The most new tokens.")
@click.option("--stop", metavar="PIECE", help="End where this piece would follow: a word, or a character.")
@click.option(
    "--temperature",
    type=click.FloatRange(0),
    default=0.0,
    show_default=True,
    help="Draw tokens: 1 by their probabilities, less prefers likely ones; 0 takes the most likely one.",
)
@click.option("--top", type=click.IntRange(1), metavar="K", help="Draw from the K most likely tokens.")
@click.option("--seed", type=click.IntRange(0), default=0, show_default=True, help="For drawing.")
@click.option("--beam", type=click.IntRange(1), metavar="K", help="Keep the K most likely sequences instead.")
@format_option
@settings_option
@engine_options
def command(
    spec: Path,
    weights: Path,
    text: str | None,
    tokens: str | None,
    inputs: dict[str, Path],
    length: int,
    stop: str | None,
    temperature: float,
    top: int | None,
    seed: int,
    beam: int | None,
    form: str,
    settings: tuple[str, ...],
    engine: EngineName,
    threads: int | None,
    pin: bool,
) -> None:
    """Go on with a text, token by token. Prints the text from its beginning as it grows; with `--format json` the new
    tokens and the logarithm of their probability.
    """
    if (text is None) == (tokens is None):
        raise click.UsageError("give what it begins with: --text TEXT, or --tokens NUMBERS")
    if beam is not None and (temperature or top):
        raise click.UsageError(
            "--beam keeps the most likely sequences, --temperature and --top draw: give one of them"
        )
    if top is not None and not temperature:
        raise click.UsageError("--top chooses what is drawn from: give --temperature, too")
    model = load(spec, settings)
    show_warnings(model)
    program = model.compile(weights, engine=engine, threads=threads, pin=pin, entries=("predict",))
    network = LanguageModel(program, {name: read_npy(path) for name, path in inputs.items()})
    begun = _begun(network, text, tokens)
    ending = Ending(length, _stops(network, stop))
    printer = _Printer(network, begun, text, form)
    if beam is None:
        drawing = Drawing(temperature, top, seed)
        for token, logarithm in continued(network.scores, begun, drawing, ending, network.never):
            printer.add(token, logarithm)
    else:
        new, logarithm = beam_search(network.scores, begun, beam, ending, network.never)
        for token in new:
            printer.add(token, 0.0)
        printer.total = logarithm
    printer.end()


def _begun(network: LanguageModel, text: str | None, tokens: str | None) -> list[int]:
    """The tokens that a text has, or as they are given. Raises RequestError."""
    if text is None:
        assert tokens is not None
        numbers = [part.strip() for part in tokens.replace(",", " ").split()]
        if not numbers or not all(part.isascii() and part.isdigit() for part in numbers):
            raise RequestError(f"--tokens are whole numbers, such as 5,3,8, not {tokens!r}")
        if large := next((part for part in numbers if int(part) >= network.size), None):
            raise RequestError(f"--tokens: {large} is too large, tokens are 0 to {network.size - 1}")
        return [int(part) for part in numbers]
    if network.vocabulary is None:
        raise RequestError("the weights have no vocabulary: begin with --tokens")
    try:
        codes = network.vocabulary.encode(text)
    except ValueError as error:
        raise RequestError(f"--text: {error}") from None
    if not codes:
        raise RequestError("--text: there is no token in it to go on from")
    return codes


def _stops(network: LanguageModel, stop: str | None) -> frozenset[int]:
    if stop is None:
        return frozenset()
    if network.vocabulary is None:
        if not stop.isdigit():
            raise RequestError("--stop: the weights have no vocabulary, so it is a number")
        return frozenset([int(stop)])
    if stop not in network.vocabulary.numbers:
        raise RequestError(f"--stop: {stop!r} is no entry of the vocabulary")
    return frozenset([network.vocabulary.numbers[stop]])


class _Printer:
    """Prints tokens as they come, or all of them as JSON at the end."""

    def __init__(self, network: LanguageModel, begun: Sequence[int], text: str | None, form: str):
        self._vocabulary, self._form = network.vocabulary, form
        self._begun, self._text = begun, text
        self._tokens: list[int] = []
        self.total = 0.0
        self._before = ""
        if form == "text":
            given = text if text is not None else ", ".join(map(str, begun))
            self._before = (self._pieces(begun) or [""])[-1]
            click.echo(visible(given, keep="\n\t"), nl=False)

    def add(self, token: int, logarithm: float) -> None:
        """A new token."""
        self._tokens.append(token)
        self.total += logarithm
        if self._form != "text":
            return
        if self._vocabulary is None or self._text is None:
            click.echo(f", {token}", nl=False)
            return
        (piece,) = self._pieces([token])
        for shown in spaced([piece], self._vocabulary.of, self._before):
            click.echo(visible(shown, keep="\n\t"), nl=False)
        self._before = piece

    def end(self) -> None:
        """What is printed at the end."""
        if self._form == "text":
            click.echo()
            return
        answer: dict[str, object] = {"tokens": self._tokens, "log_probability": self.total}
        if self._vocabulary is not None:
            answer = {"text": joined(self._pieces(self._tokens), self._vocabulary)} | answer
        click.echo(json.dumps(answer, ensure_ascii=False))

    def _pieces(self, tokens: Sequence[int]) -> list[str]:
        return [] if self._vocabulary is None else [self._vocabulary.entries[token] for token in tokens]
