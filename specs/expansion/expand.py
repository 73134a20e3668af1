"""Expands blocks to plain layers: every use is replaced by copies of the block's layers, before anything is validated.

Names inside are dotted (`s1.a`). References to a use, a block's input or a repeated layer become aliases, which
`wiring.py` follows. Copies keep their places in the block, with a trail of the uses that led there.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

from pydantic import BaseModel, ValidationError

from ..diagnostics.diagnostic import Diagnostics
from ..diagnostics.fixes import respelled
from ..diagnostics.model_paths import keys_of
from ..diagnostics.suggest import closest, did_you_mean
from ..diagnostics.translation.translator import Translator
from ..diagnostics.translation.words import describe
from ..models.base import is_name
from ..models.blocks import BlockUse
from ..models.spec import ModelSpec
from ..source.derived import without
from ..source.tree import Entry, SourceNode, SourceTree, Span, Via
from .block_checks import Block, check_arguments, read_blocks
from .block_sharing import freeze_blocks, share_blocks
from .placement import NOTHING, Alias, ExpandedSpec, Expected, Group, Placement
from .variables import Substitution, Variables, declared_variables
from .wrappers import WRAPPERS, write_out

LAYER_LIMIT = 20_000
DEPTH_LIMIT = 100
_NOT_COMPUTED = frozenset(("netwright", "model", "$schema", "vars", "blocks", "include", "layers"))


def expand(tree: SourceTree, diagnostics: Diagnostics, *, complete: bool = True) -> ExpandedSpec:
    """Expands a spec to plain layers and reports errors in blocks, their uses and variables to `diagnostics`.

    If the spec is not `complete`, unknown names may be those that an included file would have defined.
    """
    return SpecExpander(tree, diagnostics, complete).expand()


class _TooMany(Exception):
    pass


_Model = TypeVar("_Model", bound=BaseModel)


@dataclass(frozen=True, slots=True)
class Place:
    """Where layers are added: the scopes of names and variables, the block's defaults and the trail."""

    scope: str
    variables: Variables
    defaults: Mapping[str, SourceNode]
    trail: tuple[Via, ...]
    depth: int = 0


class SpecExpander:
    def __init__(self, tree: SourceTree, diagnostics: Diagnostics, complete: bool) -> None:
        self.tree, self.diagnostics = tree, diagnostics
        self.substitution = Substitution(diagnostics)
        self.result = ExpandedSpec(tree, complete=complete)
        self.items: list[SourceNode] = []
        self.blocks: dict[str, Block | None] = {}
        declared = tree.value.get("dims") if isinstance(tree.value, dict) else None
        self.context = {} if declared and not isinstance(declared, dict) else {"dims": set(declared or ())}
        inputs = tree.node(("inputs",))
        self.inputs = inputs.entries if inputs else {}
        self.ranges: dict[str, tuple[int, int]] = {}

    def expand(self) -> ExpandedSpec:
        root = self.tree.root
        if not isinstance(root.value, dict):
            return self.result
        # An unknown key may be a misspelt section, whose definitions are used elsewhere.
        self.result.complete &= root.entries.keys() <= set(keys_of(ModelSpec))
        self.blocks = read_blocks(self.tree, self.diagnostics)
        declared = declared_variables(root, self.diagnostics)
        variables = Variables(declared or {}, complete=self.result.complete and declared is not None)
        for name in variables.nodes:
            self.compute(variables, name)
        entries = {key: self.section(key, entry, variables) for key, entry in root.entries.items()}
        layers = root.entries.get("layers")
        if layers is not None and isinstance(layers.node.value, list):
            try:
                self.layers(layers.node.items, None, Place("", variables, {}, ()))
            except _TooMany:
                self.result.broken.add("layers")
                self.items, self.ranges = [], {}
                self.result.placements.clear()
            share_blocks(self.result, self.ranges, self.diagnostics)
            freeze_blocks(self.result, self.ranges)
            node = layers.node
            values = [item.value for item in self.items]
            whole = SourceNode(node.text, node.start, node.end, values, {}, self.items)
            entries["layers"] = Entry(layers.text, layers.start, layers.end, whole)
        value = {key: entry.node.value for key, entry in entries.items()}
        self.result.tree = SourceTree(
            self.tree.source, SourceNode(root.text, root.start, root.end, value, entries)
        )
        return self.result

    def compute(self, variables: Variables, name: str) -> None:
        """Computes a variable, so that its errors are reported even if nothing uses it."""
        place = variables.nodes[name]
        probe = SourceNode(place.text, place.start, place.end, f"${name}")
        self.substitution.copy(probe, variables)

    def section(self, key: str, entry: Entry, variables: Variables) -> Entry:
        if key in _NOT_COMPUTED:
            return entry
        failures = self.substitution.failures
        node = self.substitution.copy(entry.node, variables)
        if self.substitution.failures > failures:
            self.result.broken.add(key)
        return self.substitution.entry(entry, node, ())

    # Layers.

    def layers(self, items: Sequence[SourceNode], above: str | None, place: Place) -> str | None:
        """Adds layers and uses one after the other. Returns the full name of the last."""
        for item in items:
            above = self.item(item, above, place)
        return above

    def item(self, node: SourceNode, above: str | None, place: Place) -> str:
        name = node.value.get("name") if isinstance(node.value, dict) else None
        full = place.scope + name if isinstance(name, str) else None
        if "repeat" not in node.entries:
            self.single(node, full, place, Placement(place.scope, full, above))
            return full or NOTHING
        count = self.count(node, place)
        if full is None:
            self.result.lost = True
            self.put(without(node, "use"), Placement(place.scope, None, above), place)
            return NOTHING
        if count is None:
            self.result.poisoned.add(full)
            return full
        spot = _span(node.entries["name"].node, place)
        if not self.group(Group(full, None, spot)):
            return full
        for index in range(count):
            counter = node.entries["repeat"].node
            counted = SourceNode(counter.text, counter.start, counter.end, index)
            inner = replace(place, variables=place.variables.inner({"index": counted}))
            first = f"{full}.{index - 1}" if index else None
            copy = f"{full}.{index}"
            self.single(node, copy, inner, Placement(place.scope, copy, first or above, first, index))
        self.result.aliases[full] = Alias(f"{full}.{count - 1}", "", spot)
        return full

    def single(self, node: SourceNode, full: str | None, place: Place, placement: Placement) -> None:
        kind = node.value.get("type") if isinstance(node.value, dict) else None
        wrapper = WRAPPERS.get(kind) if isinstance(kind, str) else None
        if wrapper is not None:
            write_out(self, wrapper, node, full, place, placement)
        elif "use" in node.entries:
            self.use(node, full, place, placement)
        else:
            self.put(node, placement, place)

    def count(self, node: SourceNode, place: Place) -> int | None:
        failures = self.substitution.failures
        written = self.substitution.copy(node.entries["repeat"].node, place.variables, place.trail)
        if self.substitution.failures > failures:
            return None
        count = written.value
        if isinstance(count, bool) or not isinstance(count, int):
            message = f"repeat has to be a whole number, not {describe(count)}"
            self.diagnostics.error("NW0203", message, written.span)
            return None
        if not 1 <= count <= LAYER_LIMIT:
            bound = "at least 1" if count < 1 else f"at most {LAYER_LIMIT}"
            self.diagnostics.error("NW0204", f"repeat has to be {bound}, this is {count}", written.span)
            return None
        return count

    def put(self, node: SourceNode, placement: Placement, place: Place) -> None:
        """Adds a plain layer with the defaults of its block."""
        if len(self.items) >= LAYER_LIMIT:
            message = f"the spec has more than {LAYER_LIMIT} layers"
            self.diagnostics.error("NW0807", message, _span(node, place))
            raise _TooMany
        failures = self.substitution.failures
        copied = self.substitution.copy(without(node, "repeat"), place.variables, place.trail)
        kind = copied.value.get("type") if isinstance(copied.value, dict) else None
        defaults = place.defaults.get(kind) if isinstance(kind, str) else None
        if defaults is not None:
            own = self.substitution.copy(defaults, place.variables, place.trail)
            entries = {**own.entries, **copied.entries}
            value = {key: entry.node.value for key, entry in entries.items()}
            copied = SourceNode(copied.text, copied.start, copied.end, value, entries)
        if self.substitution.failures > failures:
            placement = replace(placement, broken=True)
        self.items.append(copied)
        self.result.placements.append(placement)

    # Uses.

    def use(self, node: SourceNode, full: str | None, place: Place, placement: Placement) -> None:
        if full is not None and not is_name(node.value["name"]):
            full = None
        failures = self.substitution.failures
        copied = self.substitution.copy(node, place.variables, place.trail)
        spec = self.read_use(copied) if self.substitution.failures == failures else None
        if full is None:
            self.result.lost = True
            return
        if spec is None:
            self.result.poisoned.add(full)
            return
        shared, frozen = (
            copied.entries[key].node.span if key in copied.entries else None for key in ("share", "trainable")
        )
        frozen = None if spec.trainable else frozen
        if not self.group(Group(full, spec.use, _name_span(copied), place.scope, spec.share, shared, frozen)):
            return
        block = self.block(spec, copied, place)
        given = check_arguments(block, spec, copied, self.diagnostics) if block else None
        if block is None or given is None or not self.check_inputs(block, spec, copied):
            self.result.poisoned.add(full)
            return
        self.place_block(block, spec, copied, full, given, place, placement)

    def read_use(self, node: SourceNode) -> BlockUse | None:
        if "type" in node.entries:
            message = "a layer has a type or uses a block, not both"
            self.diagnostics.error("NW0212", message, node.entries["type"].key_span)
            return None
        return self.validated(node, BlockUse, "use")

    def validated(self, node: SourceNode, model: type[_Model], owner: str) -> _Model | None:
        try:
            return model.model_validate(node.value, context=self.context)
        except ValidationError as error:
            errors = error.errors(include_url=False, include_input=False)
            tree = SourceTree(self.tree.source, node)
            Translator(tree, self.diagnostics, ()).report(errors, model, owner)
            return None

    def group(self, group: Group) -> bool:
        if group.name in self.inputs:
            labels = [(self.inputs[group.name].key_span, "first here")]
            message = f"there is already an input named {group.name}"
            self.diagnostics.error("NW0301", message, group.place, labels=labels)
            return False
        other = self.result.groups.setdefault(group.name, group)
        if other is not group:
            labels = [(other.place, "first here")]
            what = "a repeated layer" if other.block is None else "a use of a block"
            message = f"there is already {what} named {group.name}"
            self.diagnostics.error("NW0301", message, group.place, labels=labels)
        return other is group

    def block(self, spec: BlockUse, node: SourceNode, place: Place) -> Block | None:
        span = node.entries["use"].node.span
        if spec.use not in self.blocks:
            written = self.tree.value.get("blocks", {})
            if not self.result.complete or not isinstance(written, dict):
                return None
            meant = closest(spec.use, self.blocks)
            help = did_you_mean(meant) or "define it under blocks"
            fixes = respelled(spec.use, meant, span)
            message = f"there is no block named {spec.use}"
            self.diagnostics.error("NW0801", message, span, help=help, fixes=fixes)
            return None
        if place.depth >= DEPTH_LIMIT:
            message = f"blocks are nested more than {DEPTH_LIMIT} deep"
            self.diagnostics.error("NW0803", message, span)
            return None
        self.result.used_blocks.add(spec.use)
        return self.blocks[spec.use]

    def check_inputs(self, block: Block, spec: BlockUse, node: SourceNode) -> bool:
        wanted, given = len(block.spec.inputs), len(spec.inputs or ())
        if (spec.inputs is None and wanted == 1) or given == wanted:
            return True
        names = ", ".join(block.spec.inputs)
        message = (
            f"the block {block.name} reads {wanted} input{'s' * (wanted > 1)}, this use gives {given or 1}"
        )
        place = node.entries["inputs"].node.span if spec.inputs else node.entries["use"].node.span
        labels = [(block.place, "defined here")]
        help = f"inputs: [{names}], in this order"
        self.diagnostics.error("NW0306", message, place, labels=labels, help=help)
        return False

    def place_block(
        self,
        block: Block,
        spec: BlockUse,
        node: SourceNode,
        full: str,
        given: dict[str, SourceNode],
        place: Place,
        placement: Placement,
    ) -> None:
        inside = f"{full}."
        use = node.entries["use"].node.span
        trail = (Via(use.bare, f"used here as {spec.name}"), *place.trail)
        for position, name in enumerate(block.spec.inputs):
            if position == 0 and (placement.first is not None or spec.inputs is None):
                # The layer above or, from the second repetition on, the one before.
                text = placement.first if placement.first is not None else placement.above
                alias = Alias(text, "", _name_span(node))
            else:
                assert spec.inputs is not None
                written = node.entries["inputs"].node.items[position].span
                alias = Alias(spec.inputs[position], place.scope, written)
            self.result.aliases[inside + name] = alias
        nodes = {**block.variables, **given}
        # A block sees the spec's variables, but not the arguments and variables of its caller.
        outermost = place.variables
        while outermost.outer is not None:
            outermost = outermost.outer
        variables = outermost.inner(nodes, trail)
        variables.computed.update({name: given[name] for name in spec.with_})
        inner = Place(inside, variables, block.defaults, trail, place.depth + 1)
        start = len(self.items)
        last = self.layers(block.layers, inside + block.spec.inputs[0], inner)
        self.ranges[full] = start, len(self.items)
        for port, (text, span) in block.outputs.items():
            target = Alias(text, inside, span) if text is not None else Alias(last or NOTHING, "", span)
            if port is None:
                self.result.aliases[full] = target
            elif text != port:
                self.result.aliases[inside + port] = target
        if spec.expect is not None:
            self.result.expected.append(Expected(full, spec.expect, node.entries["expect"].node.span))

    # Layers that contain layers.

    def defaults_of(self, kind: str, place: Place) -> dict[str, Entry]:
        """The defaults of a type that is expanded here, the block's before the spec's."""
        outer = self.tree.node(("defaults", kind))
        inner = place.defaults.get(kind)
        return {**(outer.entries if outer else {}), **(inner.entries if inner else {})}


def _span(node: SourceNode, place: Place) -> Span:
    return node.text.reached(place.trail).span(node.start, node.end)


def _name_span(node: SourceNode) -> Span:
    return node.entries["name"].node.span
