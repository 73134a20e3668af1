"""Checks of blocks and of the arguments, inputs and ports of their uses."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from pydantic import ValidationError

from ..diagnostics.diagnostic import Diagnostics
from ..diagnostics.fixes import respelled
from ..diagnostics.suggest import closest, did_you_mean, is_certain, type_meant
from ..diagnostics.translation.translator import Translator
from ..diagnostics.translation.words import NAME_HELP, describe
from ..models.base import is_name
from ..models.blocks import ArgumentType, BlockSpec, BlockUse
from ..models.layers import LAYERS
from ..source.order import find_order
from ..source.tree import Path, SourceNode, SourceTree, Span
from .arithmetic import has_variables

_WORDS: dict[ArgumentType, str] = {
    "int": "a whole number",
    "float": "a number",
    "str": "a string",
    "bool": "true or false",
    "list": "a list",
}


@dataclass(frozen=True, slots=True, eq=False)
class Block:
    """A block without errors, as far as that can be checked without arguments."""

    name: str
    spec: BlockSpec
    place: Span
    layers: list[SourceNode]
    variables: Mapping[str, SourceNode] = field(default_factory=dict)
    defaults: Mapping[str, SourceNode] = field(default_factory=dict)
    argument_places: Mapping[str, Span] = field(default_factory=dict)
    fallbacks: Mapping[str, SourceNode] = field(default_factory=dict)
    """The nodes of the arguments' default values."""
    outputs: Mapping[str | None, tuple[str | None, Span]] = field(default_factory=dict)
    """What each port stands for, with the output itself under None. If that is None, it is the last layer."""


def read_blocks(tree: SourceTree, diagnostics: Diagnostics) -> dict[str, Block | None]:
    """Checks the blocks of a spec. An invalid one, already reported, is None."""
    node = tree.node(("blocks",))
    if node is None:
        return {}
    if not isinstance(node.value, dict):
        diagnostics.error("NW0203", f"blocks has to be a mapping, not {describe(node.value)}", node.span)
        return {}
    blocks = {name: _Reader(tree, diagnostics, name).read() for name in node.entries}
    _check_recursion(blocks, diagnostics)
    return blocks


def _uses(layers: list[SourceNode]) -> Iterator[tuple[str, Span]]:
    for item in layers:
        for path, node in item.walk():
            if path and path[-1] == "use" and isinstance(node.value, str):
                yield node.value, node.span


def _check_recursion(blocks: dict[str, Block | None], diagnostics: Diagnostics) -> None:
    uses = {name: dict(_uses(block.layers)) if block else {} for name, block in blocks.items()}
    _, cycles = find_order(blocks, lambda name: [use for use in uses[name] if use in blocks])
    for cycle in cycles:
        hops = list(zip(cycle, [*cycle[1:], cycle[0]], strict=True))
        (name, used), *rest = hops
        message = f"the block {name} contains itself"
        if rest:
            message += f", through {', '.join(cycle[1:8])}{', …' * (len(cycle) > 8)}"
        labels = [(uses[user][other], f"{user} uses {other}") for user, other in rest[:8]]
        diagnostics.error("NW0803", message, uses[name][used], labels=labels)
    # Blocks that use a recursive block are invalid as well.
    bad = {name for cycle in cycles for name in cycle}
    while more := {name for name in blocks if name not in bad and bad & set(uses[name])}:
        bad |= more
    blocks.update(dict.fromkeys(bad))


class _Reader:
    def __init__(self, tree: SourceTree, diagnostics: Diagnostics, name: str) -> None:
        self.tree, self.diagnostics, self.name = tree, diagnostics, name
        self.path: Path = ("blocks", name)
        self.good = True

    def error(self, code: str, message: str, span: Span, **more: object) -> None:
        self.good = False
        self.diagnostics.error(code, message, span, **more)  # type: ignore[arg-type]

    def nodes(self, key: str) -> dict[str, SourceNode]:
        node = self.tree.node((*self.path, key))
        return {name: entry.node for name, entry in node.entries.items()} if node else {}

    def read(self) -> Block | None:
        place = self.tree.key_span(self.path)
        if not is_name(self.name):
            self.error("NW0207", f"{self.name!r} is not a valid name", place, help=NAME_HELP)
        node = self.tree.node(self.path)
        assert node is not None
        try:
            spec = BlockSpec.model_validate(node.value)
        except ValidationError as error:
            errors = error.errors(include_url=False, include_input=False)
            Translator(self.tree, self.diagnostics, self.path).report(
                errors, BlockSpec, f"the block {self.name}"
            )
            return None
        for kind in self.nodes("defaults"):
            if kind not in LAYERS:
                meant = type_meant(kind, LAYERS)
                span = self.tree.key_span((*self.path, "defaults", kind))
                fixes = respelled(kind, meant, span, safe=is_certain(kind, meant))
                message = f"unknown layer type {describe(kind)}"
                self.error("NW0206", message, span, help=did_you_mean(meant), fixes=fixes)
        fallbacks = self.fallbacks(spec)
        self.check_names(spec)
        layers = self.tree.node((*self.path, "layers"))
        assert layers is not None
        return (
            Block(
                self.name,
                spec,
                place,
                layers.items,
                self.nodes("vars"),
                self.nodes("defaults"),
                {name: self.tree.key_span((*self.path, "args", name)) for name in spec.args},
                fallbacks,
                self.outputs(spec),
            )
            if self.good
            else None
        )

    def fallbacks(self, spec: BlockSpec) -> dict[str, SourceNode]:
        fallbacks = {}
        for name, argument in spec.args.items():
            node = self.tree.node((*self.path, "args", name, "default"))
            if node is None:
                continue
            fallbacks[name] = node
            computed = isinstance(node.value, str) and has_variables(node.value)
            if not computed and not _fits(node.value, argument.type):
                message = (
                    f"the argument {name} is {_WORDS[argument.type]}, its default is {describe(node.value)}"
                )
                self.error("NW0802", message, node.span)
        return fallbacks

    def check_names(self, spec: BlockSpec) -> None:
        """Checks that inputs, arguments and ports have different names."""
        key, value = self.tree.key_span, self.tree.value_span
        items = self.tree.node((*self.path, "layers"))
        layers = {
            item.value["name"]: item.entries["name"].node.span
            for item in (items.items if items else ())
            if isinstance(item.value.get("name"), str)
        }
        taken = {name: value((*self.path, "inputs", i)) for i, name in enumerate(spec.inputs)}
        for i, name in enumerate(spec.inputs):
            if name in spec.inputs[:i]:
                self.error("NW0301", f"the input {name} is listed twice", value((*self.path, "inputs", i)))
        for name, span in layers.items():
            if name in taken:
                message = f"there is already an input of the block {self.name} named {name}"
                self.error("NW0301", message, span, labels=[(taken[name], "first here")])
        for name in spec.vars:
            if name in spec.args:
                labels = [(key((*self.path, "args", name)), "first here")]
                span = key((*self.path, "vars", name))
                self.error("NW0301", f"there is already an argument named {name}", span, labels=labels)
        for port, text in (spec.outputs if isinstance(spec.outputs, dict) else {}).items():
            if port in {**layers, **taken} and port != text:
                labels = [({**layers, **taken}[port], "this one")]
                span = key((*self.path, "outputs", port))
                message = f"the output {port} is {text}, but there is a layer or input named {port}"
                self.error("NW0301", message, span, labels=labels)

    def outputs(self, spec: BlockSpec) -> dict[str | None, tuple[str | None, Span]]:
        place = self.tree.value_span((*self.path, "outputs"))
        if spec.outputs is None:
            return {None: (None, self.tree.key_span(self.path))}
        if isinstance(spec.outputs, str):
            return {None: (spec.outputs, place)}
        outputs: dict[str | None, tuple[str | None, Span]] = {}
        for port, text in spec.outputs.items():
            span = self.tree.value_span((*self.path, "outputs", port))
            outputs.setdefault(None, (text, span))
            outputs[port] = (text, span)
        return outputs


def check_arguments(
    block: Block, use: BlockUse, node: SourceNode, diagnostics: Diagnostics
) -> dict[str, SourceNode] | None:
    """The nodes of all arguments of a use; if they don't match the block, reports it and returns None."""
    declared = block.spec.args
    written = node.entries["with"].node if "with" in node.entries else None
    place = node.entries["with"].key_span if "with" in node.entries else node.entries["use"].node.span
    good = True
    free = [name for name in declared if name not in use.with_]
    meant: set[str | None] = set()
    for name in use.with_:
        assert written is not None
        entry = written.entries[name]
        if name not in declared:
            suggestion = closest(name, free)
            meant.add(suggestion)
            known = f"its arguments are {', '.join(declared)}" if declared else "it has none"
            message = f"the block {block.name} has no argument {name}"
            help = did_you_mean(suggestion) or known
            labels = [(block.place, "defined here")]
            fixes = respelled(name, suggestion, entry.key_span)
            diagnostics.error("NW0802", message, entry.key_span, labels=labels, help=help, fixes=fixes)
            good = False
        elif not _fits(entry.node.value, declared[name].type):
            words, actual = _WORDS[declared[name].type], describe(entry.node.value)
            labels = [(block.argument_places[name], "declared here")]
            message = f"{name} of the block {block.name} has to be {words}, not {actual}"
            diagnostics.error("NW0802", message, entry.node.span, labels=labels)
            good = False
    for name in free:
        if name not in block.fallbacks:
            good = False
            if name not in meant:
                labels = [(block.argument_places[name], "declared here")]
                message = f"the block {block.name} needs the argument {name}"
                diagnostics.error("NW0802", message, place, labels=labels, help=f"with: {{{name}: …}}")
    given = {name: entry.node for name, entry in (written.entries if written else {}).items()}
    return {**block.fallbacks, **given} if good else None


def _fits(value: object, kind: ArgumentType) -> bool:
    match kind:
        case "bool":
            return isinstance(value, bool)
        case "str":
            return isinstance(value, str)
        case "list":
            return isinstance(value, list)
        case "int":
            return isinstance(value, int) and not isinstance(value, bool)
        case "float":
            return isinstance(value, int | float) and not isinstance(value, bool)
