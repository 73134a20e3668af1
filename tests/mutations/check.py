"""What has to hold of a broken spec, whatever was broken: see `check`."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from math import prod
from pathlib import Path
from tempfile import TemporaryDirectory

from netwright.build import build, entry_graphs
from netwright.compiler.codegen.targets.target import host_target
from netwright.compiler.frontend.build import build_network
from netwright.compiler.frontend.network import Network, initial_values
from netwright.fixing import check_fixes
from netwright.specs.diagnostics.diagnostic import Diagnostic
from netwright.specs.diagnostics.sarif import to_sarif
from netwright.specs.load import LoadResult, load_spec, load_spec_text
from netwright.specs.source.tree import Span

from .text import Mutation
from .zoo import Subject

MOST_VALUES = 1_000_000
"""Larger networks get no first values here: that takes long."""


class Finding(AssertionError):
    """What does not hold."""


def check(subject: Subject, mutation: Mutation, *, native: bool = False) -> str:
    """Raises `Finding` (or whatever a bug raises) unless

    - loading, checking, trying the fixes and printing raise nothing;
    - without errors, every entry can be built, optimized, lowered and proved in bounds (and compiled, if `native`), and
      the parameters have first values;
    - every error has its place, or one of its labels, at the change: on a line that was changed or the next to it, in
      the mapping or list around it, or on a line with a name that the change is about; where what follows may be read
      differently, also below it. An error of shapes may also be at a layer that reads what was changed, by way of
      others. What the spec as a whole lacks is told at its first line, what it takes too much of at its budget.

    Gives `valid` or `errors`.
    """
    with TemporaryDirectory() as folder:
        network, load = validated(subject, mutation.text, Path(folder))
    found = load.diagnostics
    found.to_text()
    found.to_json_text()
    to_sarif(found, "0", {})
    if network is None and not found.has_errors:
        raise Finding("no network, and no error")
    if network is not None:
        compiles(network, native)
        return "valid"
    for item in found.errors:
        if not placed(item, load, subject, mutation):
            raise Finding(f"at another place: {item.code} {item.message}\n{found.to_text()}")
    return "errors"


def validated(subject: Subject, text: str, folder: Path) -> tuple[Network | None, LoadResult]:
    files = dict(subject.parts)
    if subject.part:
        files[subject.part] = text
    for name, content in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(content, encoding="utf-8", newline="")
    main = subject.main if subject.main is not None else text
    if files:
        (folder / "spec.yaml").write_text(main, encoding="utf-8", newline="")
        load = load_spec(folder / "spec.yaml")
    else:
        load = load_spec_text(main, subject.file)
    network, found = build_network(load)
    load = replace(load, diagnostics=found)
    return network, replace(load, diagnostics=check_fixes(load))


def compiles(network: Network, native: bool) -> None:
    sizes = [prod(map(int, one.type.shape)) for one in network.parameters.values()]  # type: ignore[arg-type]
    if sum(sizes) < MOST_VALUES:
        initial_values(network)
    made = build(network, entry_graphs(network, None), host_target())
    if native:
        made.engine()


def placed(item: Diagnostic, load: LoadResult, subject: Subject, mutation: Mutation) -> bool:
    if (item.code == "NW0202" and item.message.startswith("a spec needs")) or item.code in (
        "NW0108",
        "NW0320",
    ):
        return True
    if "include" in mutation.words:  # the change is about everything that the files define
        defined = set(re.findall(r"[A-Za-z_]\w*", " ".join(text for _, text in subject.parts)))
        mutation = replace(mutation, words=mutation.words | defined)
    if any(is_near(span, load, subject, mutation) for span in places(item)):
        return True
    if item.code[:4] not in ("NW03", "NW04", "NW05"):
        return False
    # The layers that show in the diagnostic, and what they read.
    shown = [span for span, _ in item.labels] + [item.span]
    layers = [
        name
        for name, span in layer_spans(load)
        if any(span.line <= one.line <= span.end_line for one in shown)
    ]
    return any(is_near(span, load, subject, mutation) for span in sources(layers, load))


def layer_spans(load: LoadResult) -> list[tuple[str, Span]]:
    return [(name, load.span(entry.path)) for name, entry in load.entries.items()]


def sources(layers: list[str], load: LoadResult) -> Iterator[Span]:
    """The places of layers and inputs that layers read, and those that these read, and so on."""
    seen: set[str] = set()
    waiting = list(layers)
    while waiting:
        name = waiting.pop()
        if name in seen:
            continue
        seen.add(name)
        entry = load.entries.get(name)
        yield load.span(entry.path if entry else ("inputs", name))
        yield from (load.span(path) for path in (entry.overlay.values() if entry else ()))  # its defaults
        waiting += [ref.name for ref in load.wiring.inputs.get(name, ())]
        waiting += [ref.name for ref in load.wiring.given.get(name, {}).values()]


def is_near(span: Span, load: LoadResult, subject: Subject, mutation: Mutation) -> bool:
    text = load.diagnostics.sources.get(span.file)
    lines = (
        [text.line(number) for number in range(span.line, min(span.end_line, span.line + 3) + 1)]
        if text
        else []
    )
    if mutation.words & set(re.findall(r"[A-Za-z_]\w*", " ".join(lines))):
        return True
    if not span.file.endswith(subject.file):
        return False
    if span.line <= mutation.last + 1 and span.end_line >= mutation.first - 1:
        return True
    return mutation.syntax and span.line >= mutation.first


def places(item: Diagnostic) -> Iterator[Span]:
    yield item.span
    yield from (span for span, _ in item.labels)
    yield from (edit.span for fix in item.fixes for edit in fix.edits)
