"""`netwright generate`: goes on with a text, or answers texts with others."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import click
import numpy as np

from netwright.runtime.files.npy import read_npy
from netwright.specs.diagnostics.visible import visible

from ..errors import RequestError
from ..generation.answers import answers, first_tokens, searching, shown_answers
from ..generation.search import Drawing, Ending, beam_search, continued
from ..generation.text import joined, spaced
from ..generation.writer import Writer
from ..model import load
from ..prediction.inputs import PredictionInputs
from ..program import EngineName
from .options import (
    PATH,
    check_outputs,
    engine_options,
    format_option,
    named_paths,
    settings_option,
    spec_argument,
    weights_option,
)
from .output import note, show_warnings
from .predictions import check_ending, show_predictions

_TOKENS_ALONE = "the network reads nothing else than what it writes on: give it --text or --tokens, no paths"


@click.command("generate")
@spec_argument
@click.argument("paths", nargs=-1, type=PATH)
@weights_option()
@click.option(
    "--text",
    "texts",
    multiple=True,
    metavar="TEXT",
    help="What the text begins with; or a text to answer, for a network that reads one.",
)
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
@click.option(
    "--like", metavar="NAME", help="Read the paths as this data set of the spec; by default as train."
)
@click.option("--length", type=click.IntRange(1), default=100, show_default=True, help="The most new tokens.")
@click.option(
    "--stop",
    metavar="PIECE",
    help="End where this piece would follow: a word, or a character. By default at the vocabulary's `end`.",
)
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
@click.option(
    "--batch",
    type=click.IntRange(1),
    default=64,
    show_default=True,
    help="How many texts to answer at once.",
)
@format_option
@click.option(
    "-o", "--output", type=PATH, metavar="FILE", help="Write answers to a .csv, .jsonl or .npz file instead."
)
@settings_option
@engine_options
@click.pass_context
def command(
    ctx: click.Context,
    spec: Path,
    paths: tuple[Path, ...],
    weights: Path,
    texts: tuple[str, ...],
    tokens: str | None,
    inputs: dict[str, Path],
    like: str | None,
    length: int,
    stop: str | None,
    temperature: float,
    top: int | None,
    seed: int,
    beam: int | None,
    batch: int,
    form: str,
    output: Path | None,
    settings: tuple[str, ...],
    engine: EngineName,
    threads: int | None,
    pin: bool,
) -> None:
    """Write texts, token by token. A language model goes on with a text and prints it from its beginning as it grows;
    with `--format json` the new tokens and the logarithm of their probability. A network that reads another text, as in
    translation, answers each of the texts and each sample of the PATHs, in a table.
    """
    if beam is not None and (temperature or top):
        raise click.UsageError(
            "--beam keeps the most likely sequences, --temperature and --top draw: give one of them"
        )
    if top is not None and not temperature:
        raise click.UsageError("--top chooses what is drawn from: give --temperature, too")
    ending = None if output is None else check_ending(output, form)
    model = load(spec, settings)
    check_outputs({"-o": output}, [*model.files, weights, *paths])
    show_warnings(model)
    writer = Writer(model, weights, tuple(inputs), engine=engine, threads=threads, pin=pin)
    if writer.whole is not None:
        note(f"each token takes a pass over the whole text so far: {writer.whole}")
    drawing = Drawing(temperature, top, seed)
    stops = Ending(length, writer.ends if stop is None else _stops(writer, stop))
    search = searching(writer, stops, drawing, beam)
    if not writer.reads or inputs:
        if paths or len(texts) > 1 or output is not None:
            raise click.UsageError(_TOKENS_ALONE)
        begun = _begun(writer, texts[0] if texts else None, tokens)
        decoder = writer.on({name: read_npy(path) for name, path in inputs.items()})
        printer = _Printer(writer, begun, (texts[0] if texts else "") if tokens is None else None, form)
        start = np.array([begun])
        if beam is None:
            (made,) = continued(decoder, start, drawing, stops, writer.never, told=printer.add)
        else:
            (made,) = beam_search(decoder, start, beam, stops, writer.never)
            for token in made.tokens:
                printer.add(token)
        printer.end(made.log_probability)
        return
    if tokens is not None:
        raise click.UsageError(
            f"--tokens: the network answers what it reads: give --text, paths, or -i {writer.reads[0]}=FILE"
        )
    if bool(paths) == bool(texts):
        raise click.UsageError("give texts to answer with --text, or paths")
    source = PredictionInputs(
        model.load,
        model.network,
        writer.vocabularies,
        like=like,
        size=batch,
        without=[name for name in model.network.inputs if name not in writer.reads],
    )
    items = source.of_texts(texts) if texts else source.of_paths(paths)
    made_answers = answers(writer, items, first_tokens(writer), length, search)
    ctx.exit(show_predictions(shown_answers(writer, length), made_answers, paths, output, ending, form))


def _begun(writer: Writer, text: str | None, tokens: str | None) -> list[int]:
    """The tokens that a text has, or as they are given. Raises RequestError."""
    if text is not None and tokens is not None:
        raise click.UsageError("give what it begins with: --text TEXT, or --tokens NUMBERS")
    vocabulary = writer.vocabulary
    if tokens is not None:
        numbers = [part.strip() for part in tokens.replace(",", " ").split()]
        if not numbers or not all(part.isascii() and part.isdigit() for part in numbers):
            raise RequestError(f"--tokens are whole numbers, such as 5,3,8, not {tokens!r}")
        size = writer.written.size
        if large := next((part for part in numbers if int(part) >= size), None):
            raise RequestError(f"--tokens: {large} is too large, tokens are 0 to {size - 1}")
        return [int(part) for part in numbers]
    if vocabulary is None:
        if text is None:
            raise click.UsageError("give what it begins with: --text TEXT, or --tokens NUMBERS")
        raise RequestError("the weights have no vocabulary: begin with --tokens")
    if text is None and vocabulary.begin is None:
        raise click.UsageError("give what it begins with: --text TEXT, or --tokens NUMBERS")
    try:
        codes = vocabulary.encode(text or "")
    except ValueError as error:
        raise RequestError(f"--text: {error}") from None
    codes = [*([vocabulary.numbers[vocabulary.begin]] if vocabulary.begin else []), *codes]
    if not codes:
        raise RequestError("--text: there is no token in it to go on from")
    return codes


def _stops(writer: Writer, stop: str) -> frozenset[int]:
    """The token at which a text ends. Raises RequestError."""
    vocabulary = writer.vocabulary
    if vocabulary is None:
        if not stop.isdigit():
            raise RequestError("--stop: the weights have no vocabulary, so it is a number")
        return frozenset([int(stop)])
    if stop not in vocabulary.numbers:
        raise RequestError(f"--stop: {stop!r} is no entry of the vocabulary")
    return frozenset([vocabulary.numbers[stop]])


class _Printer:
    """Prints tokens as they come, or all of them as JSON at the end."""

    def __init__(self, writer: Writer, begun: Sequence[int], text: str | None, form: str):
        self._vocabulary, self._form = writer.vocabulary, form
        self._text = text
        self._tokens: list[int] = []
        self._before = ""
        if form == "text":
            given = text if text is not None else ", ".join(map(str, begun))
            if text is not None and self._vocabulary is not None:
                self._before = (self._pieces(self._vocabulary.encode(text)) or [""])[-1]
            click.echo(visible(given, keep="\n\t"), nl=False)

    def add(self, token: int) -> None:
        """A new token."""
        self._tokens.append(token)
        if self._form != "text":
            return
        if self._vocabulary is None or self._text is None:
            click.echo(f", {token}", nl=False)
            return
        (piece,) = self._pieces([token])
        for shown in spaced([piece], self._vocabulary.of, self._before):
            click.echo(visible(shown, keep="\n\t"), nl=False)
        self._before = piece

    def end(self, log_probability: float) -> None:
        """What is printed at the end."""
        if self._form == "text":
            click.echo()
            return
        answer: dict[str, object] = {"tokens": self._tokens, "log_probability": log_probability}
        if self._vocabulary is not None:
            answer = {"text": joined(self._pieces(self._tokens), self._vocabulary)} | answer
        click.echo(json.dumps(answer, ensure_ascii=False))

    def _pieces(self, tokens: Sequence[int]) -> list[str]:
        return [] if self._vocabulary is None else [self._vocabulary.entries[token] for token in tokens]
