"""`netwright compile`: writes a model to a file that needs neither Python nor Netwright."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

import click
from numpy.typing import NDArray

from netwright.compiler.codegen.files.platforms import NAMES, chosen_targets
from netwright.compiler.codegen.targets.machines import describe
from netwright.compiler.codegen.verification import Verified
from netwright.compiler.frontend.network import Network
from netwright.compiler.ops.values.widen import Half
from netwright.compiler.pipeline import steps
from netwright.compiler.quantization.halves import halved_network
from netwright.compiler.streaming import with_whole
from netwright.runtime.sessions.weights import load_vocabularies
from netwright.specs.manifest import TRAIN, c_prefix

from ..analysis.limits import keep_memory
from ..artifacts.files import KINDS, LIBRARIES, Emit, Request, library_places, save
from ..artifacts.writing import Compiled
from ..describe import bytes_text
from ..inspection.bare import keep_bare
from ..model import Model, load
from ..web.site import write_site
from ..weights.network import read_weights
from .entry_names import EntryNames
from .options import PATH, check_outputs, dim_option, settings_option, spec_argument, weights_option
from .output import console, show_warnings, written
from .waiting import compiling

#: What is written beside what `save` writes: a page, into a folder.
WEB = "web"
_WORDS = {
    "exe": "executable",
    "shared": "shared library",
    "static": "static library",
    "object": "object code",
    "weights": "weights",
    "llvm": "LLVM IR",
    "asm": "assembly",
    "loop": "loop IR",
    "graph": "graph",
}

#: What comes with a library, by the ends of names.
_BESIDE = {
    ".h": "C header",
    ".weights": "weights, for the library to map",
    ".pc": "for pkg-config",
    ".cmake": "for CMake",
}


@click.command("compile")
@spec_argument
@weights_option(required=False, help="Trained weights; an executable needs them, a library can contain them.")
@click.option("-o", "--output", type=PATH, required=True, metavar="OUT", help="The file to write.")
@click.option(
    "--emit",
    "kind",
    type=click.Choice([*KINDS, WEB]),
    default="exe",
    show_default=True,
    help="What to write.",
)
@click.option(
    "--target",
    type=click.Choice(NAMES),
    metavar="NAME",
    help="The system it is for, as `netwright targets` lists them.  [default: this one]",
)
@click.option(
    "--cpu",
    metavar="NAME",
    help="The CPU it is for: native, generic, znver3, … Several, x86-64-v2,v3,v4, make a program that chooses when it "
    "starts.  [default: native; with --target: generic]",
)
@click.option(
    "--entry",
    type=EntryNames(),
    help="What an executable runs: predict on files, step on standard input, or train on files. For a library, what it "
    "offers, such as predict,step,train: the rest takes no space.",
)
@click.option(
    "--no-embed",
    is_flag=True,
    help="Write a library's weights to a file beside it, which programs map into memory.",
)
@click.option(
    "--package",
    is_flag=True,
    help="OUT is a folder, which gets the library in lib, its header in include, and files for pkg-config and CMake.",
)
@click.option(
    "--stop-after",
    type=click.Choice(steps()),
    metavar="PASS",
    help="With --emit graph: the graphs after this pass or phase, rather than after all.",
)
@click.option(
    "--max-rewrites",
    type=click.IntRange(min=0),
    metavar="NUMBER",
    help="With --emit graph: stop the passes after this many rewrites, to find a wrong one.",
)
@click.option(
    "--math",
    type=click.Choice(["strict", "fast"]),
    help="How exact predictions are in float32: fast saves multiplications, and rounds more.  [default: as the spec "
    "says, else fast]",
)
@click.option(
    "--tune",
    "tunes",
    is_flag=True,
    help="First measure on this computer which plans of products are fastest, and keep them in the cache.",
)
@click.option(
    "--tuning",
    type=PATH,
    metavar="FILE",
    help="Plans that were measured: with --tune they are written there, else read from there.",
)
@click.option(
    "--verify",
    is_flag=True,
    help="First run the machine code of every kernel against an interpreter; write nothing if it differs.",
)
@click.option(
    "--generate",
    "length",
    type=click.IntRange(1),
    metavar="LENGTH",
    help="Write texts of up to so many tokens, as generate does: predict gives tokens in place of scores.",
)
@click.option(
    "--beam", type=click.IntRange(1), metavar="K", help="With --generate: keep the K most likely texts."
)
@click.option(
    "--quantize",
    "calibration",
    type=PATH,
    metavar="DATA",
    help="Store weights as int8 and compute with bytes; ranges are measured on these data, such as train.npz.",
)
@click.option(
    "--weights-dtype",
    "half",
    type=click.Choice(["float16", "bfloat16"]),
    help="Store the weights of products in 16 bits, and compute in float32.",
)
@click.option(
    "--percentile",
    type=click.FloatRange(50, 100),
    default=100,
    show_default=True,
    help="With --quantize: how many percent of the data lie in their range; what lies outside is clipped.",
)
@click.option(
    "--selftest/--no-selftest",
    default=True,
    show_default=True,
    help="Whether an executable can test and time itself: --selftest, --bench, --profile. Without, it is some 15 KB "
    "smaller.",
)
@click.option(
    "--selftest-bytes",
    type=click.IntRange(256, 1 << 24),
    default=4096,
    show_default=True,
    metavar="N",
    help="About how many bytes of them: more find smaller differences, and in networks of many layers the layer.",
)
@click.option(
    "-g", "--debug", is_flag=True, help="Keep symbols, and tell debuggers each kernel's line in the spec."
)
@dim_option("Settle an open size, N=1, or narrow it, T=16..512 or H=32k.", "size range multiple")
@settings_option
def command(
    spec: Path,
    weights: Path | None,
    output: Path,
    kind: Emit | Literal["web"],
    target: str | None,
    cpu: str | None,
    entry: tuple[str, ...] | None,
    no_embed: bool,
    package: bool,
    stop_after: str | None,
    max_rewrites: int | None,
    math: str | None,
    tunes: bool,
    tuning: Path | None,
    verify: bool,
    length: int | None,
    beam: int | None,
    calibration: Path | None,
    half: Half | None,
    percentile: float,
    selftest: bool,
    selftest_bytes: int,
    debug: bool,
    dims: dict[str, Any],
    settings: tuple[str, ...],
) -> None:
    """Compile a network.

    The executable runs on .npy files: `./OUT -i image=images.npy -o answers.npz`, and with one input and one output
    `./OUT < images.npy > answers.npy`; `./OUT --info` describes its inputs and outputs. With --entry step it takes a
    sequence on standard input, as bare numbers, and answers as the steps come; with --entry train it trains on .npz
    files, beginning with --weights or with initial values. A library (shared, static, or one object) comes with a C
    header and offers all entries unless --entry says which; --emit weights writes other weights for it to read. A page
    (web) is written into a folder, and runs the network in the browser. llvm, asm, loop and graph are text.
    """
    training = entry is not None and TRAIN in entry
    if weights is None and (kind == WEB or (kind == "exe" and not training)):
        raise click.UsageError(f"{'a page' if kind == WEB else 'an executable'} needs --weights")
    if kind == WEB and (
        length or verify or target not in (None, "wasm32-web") or cpu or entry not in (None, ("step",))
    ):
        raise click.UsageError(f"--emit {WEB} goes with --weights, --entry step, --dim and --set alone")
    if no_embed and (kind not in LIBRARIES or weights is None):
        raise click.UsageError("--no-embed is for libraries with --weights")
    if package and kind not in ("shared", "static"):
        raise click.UsageError("--package goes with --emit shared or static")
    if kind == "weights" and weights is None:
        raise click.UsageError("--emit weights needs --weights: it packs them for a library")
    if kind != "graph" and (stop_after is not None or max_rewrites is not None):
        raise click.UsageError("--stop-after and --max-rewrites go with --emit graph")
    if length is not None and weights is None:
        raise click.UsageError("--generate needs --weights, with the vocabulary")
    if length is not None and entry is not None and "step" in entry:
        raise click.UsageError("--generate writes whole texts, and --entry step takes them step by step")
    if length is not None and training:
        raise click.UsageError("--generate writes texts, and --entry train trains: leave one of them out")
    if beam is not None and length is None:
        raise click.UsageError("--beam is for texts that are written: give --generate LENGTH, too")
    if calibration is not None and weights is None:
        raise click.UsageError("--quantize needs --weights")
    if calibration is not None and length is not None:
        raise click.UsageError("--quantize is for predict, and --generate writes texts")
    if calibration is not None and kind == WEB:
        raise click.UsageError("--quantize is not for pages: compile a module with --target wasm32-web")
    if half is not None and (weights is None or calibration is not None or length is not None or kind == WEB):
        raise click.UsageError(
            "--weights-dtype needs --weights, and goes with no --quantize, --generate or page"
        )
    if (tunes or tuning is not None) and kind in (WEB, "graph"):
        raise click.UsageError(f"--tune and --tuning are for code, and {kind} has other")
    if math is not None:
        settings = (*settings, f"math={math}")
    model = load(spec, settings, dims=dims)
    if kind == "web":
        assert weights is not None
        show_warnings(model)
        values = read_weights(model.network, weights)
        for path in write_site(model, settings, values, output, steps=entry == ("step",)):
            written(path, "page" if path.suffix == ".html" else f"module of {model.name}", sized=True)
        return
    outputs: dict[str, Path | None] = {} if package else {"-o": output}
    if kind in LIBRARIES:
        places = library_places(
            Request(kind, cpu, package=package, target=target), output, c_prefix(model.name)
        )
        if not package:
            outputs |= {"the header of -o": places.header}
            outputs |= {"the weights of -o": places.weights} if no_embed else {}
    check_outputs(outputs, [*model.files, weights, calibration])
    show_warnings(model)
    keep_memory(model.load, model.network)
    values = None if weights is None else read_weights(model.network, weights)
    network = model.network
    if calibration is not None or half is not None:
        network = with_whole(model.load, network)
    if calibration is not None:
        assert values is not None
        network, values = _quantized(model, network, values, calibration, percentile, target, cpu)
    if half is not None:
        assert values is not None
        before = sum(array.nbytes for array in values.values())
        network, values = halved_network(network, values, describe(chosen_targets(target, cpu)[0]), half)
        after = sum(array.nbytes for array in values.values())
        click.echo(f"weights: {bytes_text(before)}, {bytes_text(after)} with {half}", err=True)
    if values is not None:
        keep_bare(model.load, network, values, target)
    writing = None
    if length is not None:
        assert weights is not None
        writing = Compiled(length, load_vocabularies(weights), beam)
    request = Request(
        kind,
        cpu,
        entry,
        stop_after,
        max_rewrites,
        verify,
        _say,
        embed=not no_embed,
        package=package,
        selftest_bytes=selftest_bytes if selftest else 0,
        debug=debug,
        writing=writing,
        target=target,
    )
    if tunes or tuning is not None:
        from .tuning import tuned_by  # loads what most compilations do without

        request = replace(request, tuned=tuned_by(tunes, tuning, dims))
    with compiling(model.name):
        paths = save(model.load, network, values, output, request)
    for path in paths:
        what = _BESIDE.get(path.suffix, f"{_WORDS[kind]} of {model.name}")
        written(path, f"{_WORDS[kind]} of {model.name}" if path == output else what, sized=True)


def _quantized(
    model: Model,
    network: Network,
    weights: Mapping[str, NDArray],
    calibration: Path,
    percentile: float,
    target: str | None,
    cpu: str | None,
) -> tuple[Network, Mapping[str, NDArray]]:
    """The quantized network and its weights; prints what became of its layers."""
    from ..quantization import quantize  # loads much, and most compilations do without

    data = model.data({"calibration": calibration})["calibration"]
    made = quantize(network, weights, data, target=chosen_targets(target, cpu)[0], percentile=percentile)
    out = console(err=True)
    out.print(made.table())
    for line in made.lines():
        out.print(line, soft_wrap=True)
    return made.network, made.weights


def _say(verified: Verified) -> None:
    """Prints what `--verify` ran, and what it left out."""
    large = f"; not run, since they are too large: {', '.join(verified.large)}" if verified.large else ""
    ran = verified.kernels - len(verified.large)
    click.echo(f"verified {ran} of {verified.kernels} kernels{large}", err=True)
