"""Resolves which layer reads which, puts the layers in order, and reports errors in both.

Nothing here looks at shapes. What an invalid layer returns is unknown, so no errors are reported for layers that read
it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from ..diagnostics.diagnostic import Diagnostics
from ..diagnostics.fixes import respelled
from ..diagnostics.suggest import closest, did_you_mean
from ..equations.builtin_cells import state_names
from ..expansion.placement import ExpandedSpec, Expected
from ..models.base import is_name
from ..models.layers.base import WEIGHTS, LayerSpec
from ..models.layers.recurrent import LENGTHS, START_WORDS, GatedLayer, Recurrent
from ..source.order import find_order
from ..source.tree import Path, Span
from .layers import check_arity, check_cell, check_share
from .references import Ref, References
from .sections import check_float_type, check_lengths, warn_unused
from .structure import Structure
from .training import check_train
from .typed_layers import LayerEntry


@dataclass(frozen=True, slots=True)
class Wiring:
    """The resolved references of a spec. `order` lists the layers, each after those it reads."""

    inputs: Mapping[str, tuple[Ref, ...]] = field(default_factory=dict)
    """What each layer reads, in order."""
    given: Mapping[str, Mapping[str, Ref]] = field(default_factory=dict)
    """For each recurrent layer its other references: under a state's name its given initial value, under LENGTHS its
    lengths, and under WEIGHTS followed by a parameter's name each parameter that another layer computes.
    """
    outputs: Mapping[str, Ref] = field(default_factory=dict)
    """The layer, port or input behind each output."""
    order: tuple[str, ...] = ()
    poisoned: frozenset[str] = frozenset()
    """Layers and inputs with errors: their shapes are unknown."""
    expected: Sequence[tuple[Ref, Expected]] = ()
    """Output shapes that uses of blocks declare."""
    stands_for: Mapping[str, Ref] = field(default_factory=dict)
    """The layers that the names of block uses and repeated layers stand for, as far as a layer or output reads them."""


def wire(structure: Structure, expansion: ExpandedSpec, diagnostics: Diagnostics) -> Wiring:
    """Resolves every reference of a spec and reports errors to `diagnostics`."""
    return _Wirer(structure, expansion, diagnostics).wire()


class _Wirer:
    def __init__(self, structure: Structure, expansion: ExpandedSpec, diagnostics: Diagnostics) -> None:
        self.structure, self.tree, self.diagnostics = structure, expansion.tree, diagnostics
        self.expansion = expansion
        self.inputs = structure.sections.get("inputs") or {}
        self.broken_inputs = structure.broken.get("inputs", set())
        self.layers: dict[str, LayerEntry] = {}
        self.poisoned: set[str] = set(self.broken_inputs - {"*"}) | expansion.poisoned
        self.reads: dict[str, tuple[Ref, ...]] = {}
        self.given: dict[str, dict[str, Ref]] = {}
        self.places: dict[tuple[str, Ref], Span] = {}
        self.lost = "*" in self.broken_inputs or "*" in structure.broken.get("layers", set())
        self.lost = self.lost or expansion.lost
        self.references = References(structure, expansion, diagnostics, self.layers, self.poisoned)

    def wire(self) -> Wiring:
        self.collect()
        self.references.lost = self.lost
        for entry in self.structure.entries:
            if entry.name is not None and self.layers.get(entry.name) is entry:
                self.read(entry)
                if entry.spec and not check_share(
                    entry, entry.spec, self.layers, self.lost, self.tree, self.diagnostics
                ):
                    self.poisoned.add(entry.name)
        order, cycles = find_order(self.layers, self.sources)
        for cycle in cycles:
            self.report_cycle(cycle)
            self.poisoned.update(cycle)
        self.poisoned |= check_float_type(self.structure, self.tree, self.diagnostics)
        self.poisoned |= check_lengths(self.structure, self.tree, self.diagnostics)
        outputs = self.outputs()
        check_train(self.structure, self.tree, self.diagnostics)
        expected = [(self.references.follow(shape.name), shape) for shape in self.expansion.expected]
        if not self.diagnostics.has_errors:
            refs = [ref for refs in self.reads.values() for ref in refs]
            refs += [ref for given in self.given.values() for ref in given.values()]
            read = {ref.name for ref in [*refs, *outputs.values()]}
            warn_unused(self.structure, self.expansion, read, self.tree, self.diagnostics)
        return Wiring(
            self.reads,
            self.given,
            outputs,
            tuple(order),
            frozenset(self.poisoned),
            [(ref, shape) for ref, shape in expected if ref],
            {name: ref for name, ref in self.references.followed.items() if ref},
        )

    def collect(self) -> None:
        names = [*self.inputs, *(self.broken_inputs - {"*"})]
        places = {name: self.tree.key_span(("inputs", name)) for name in names}
        for group in self.expansion.groups.values():
            places.setdefault(group.name, group.place)
        for entry in self.structure.entries:
            if entry.name is None:
                self.lost = True
                continue
            # With an invalid name, we can't tell references to this layer from references to nothing.
            written = self.tree.node((*entry.path, "name"))
            self.lost = self.lost or (written is not None and not is_name(written.value))
            span = self.tree.value_span((*entry.path, "name"))
            if entry.name in places:
                labels = [(places[entry.name], "first here")]
                what = "an input" if entry.name in self.inputs else "a layer"
                message = f"there is already {what} named {entry.name}"
                self.diagnostics.error("NW0301", message, span, labels=labels)
                self.poisoned.add(entry.name)  # either layer may be meant
                self.lost = True
                continue
            places[entry.name] = span
            self.layers[entry.name] = entry
            if entry.spec is None:
                self.poisoned.add(entry.name)

    def read(self, entry: LayerEntry) -> None:
        assert entry.name is not None
        path = (*entry.path, "inputs")
        node = self.tree.node(path)
        if node is None or node.value is None:
            refs: list[Ref | None] = self.default(entry)
        elif isinstance(node.value, list | dict):
            pairs = enumerate(node.value) if isinstance(node.value, list) else node.value.items()
            texts = [((*path, step), text) for step, text in pairs if isinstance(text, str)]
            first = entry.placement.first
            refs = [
                Ref(first) if i == 0 and first in self.layers else self.note(entry, text, where)
                for i, (where, text) in enumerate(texts)
            ]
        else:
            refs = [None]
        if entry.spec is None:
            refs = [ref for ref in refs if ref]
        elif not self.check(entry, entry.spec, refs):
            self.poisoned.add(entry.name)
        self.reads[entry.name] = tuple(ref for ref in refs if ref)
        if entry.spec:
            self.read_given(entry, entry.spec)

    def check(self, entry: LayerEntry, spec: LayerSpec, refs: list[Ref | None]) -> bool:
        known = (self.structure, self.tree, self.diagnostics)
        good = None not in refs and check_arity(entry, spec, len(refs), *known)
        return check_cell(entry, spec, *known) and good if isinstance(spec, Recurrent) else good

    def note(self, reader: LayerEntry, text: str, path: Path, words: Iterable[str] = ()) -> Ref | None:
        place = self.tree.value_span(path)
        assert reader.name is not None
        ref = self.references.resolve(text, place, reader.name, words, reader.placement.scope)
        if ref:
            self.places[reader.name, ref] = place
        return ref

    def default(self, entry: LayerEntry) -> list[Ref | None]:
        """The layer above; for the first layer, the model's only input."""
        assert entry.name is not None
        if entry.spec is not None and entry.spec.arity[1] == 0:
            return []
        above, place = entry.placement.above, self.tree.value_span((*entry.path, "name"))
        if above is None:
            node = self.tree.node(entry.path)
            return [self.references.model_input(entry.name, place, entry.spec is not None, node)]
        known = above in self.layers or above in self.poisoned or above in self.expansion.aliases
        return [self.references.resolve(above, place) if known else None]

    def read_given(self, entry: LayerEntry, spec: LayerSpec) -> None:
        assert entry.name is not None
        references = spec.references()
        states = self.states(spec)
        given: dict[str, Ref] = {}
        for text, where in references:
            path = (*entry.path, *where)
            ref = self.note(entry, text, path, START_WORDS)
            if ref is None:
                self.poisoned.add(entry.name)
            elif where == ("lengths",):
                given[LENGTHS] = ref
            elif where[0] == "weights":
                given[f"{WEIGHTS}{where[1]}"] = ref
            elif len(where) == 1 and states is not None:
                if len(states) == 1:
                    given[states[0]] = ref
                else:
                    names = ", ".join(f"{state}: …" for state in states)
                    message = f"{entry.name} has {len(states)} states, say which starts from {text}"
                    self.diagnostics.error(
                        "NW0212", message, self.tree.value_span(path), help=f"write {{{names}}}"
                    )
            elif len(where) > 1:
                given[str(where[1])] = ref
        self.check_state_keys(entry, states)
        if given:
            self.given[entry.name] = given

    def states(self, spec: LayerSpec) -> list[str] | None:
        if isinstance(spec, GatedLayer):
            return list(state_names(spec.type))
        if isinstance(spec, Recurrent) and spec.cell in self.structure.cells:
            return list(self.structure.cells[spec.cell].states)
        return None

    def check_state_keys(self, entry: LayerEntry, states: list[str] | None) -> None:
        for key in ("initial_state", "zoneout"):
            self.check_states_of(entry, states, (*entry.path, key))

    def check_states_of(self, entry: LayerEntry, states: list[str] | None, path: Path) -> None:
        node = self.tree.node(path)
        if node is None or states is None:
            return
        for key in node.entries:
            if key not in states:
                meant, place = closest(key, states), self.tree.key_span((*path, key))
                self.diagnostics.error(
                    "NW0201",
                    f"{entry.name} has no state {key}",
                    place,
                    help=did_you_mean(meant) or f"its states are {', '.join(states)}",
                    fixes=respelled(key, meant, place),
                )

    def sources(self, name: str) -> list[str]:
        refs = [*self.reads.get(name, ()), *self.given.get(name, {}).values()]
        return [ref.name for ref in refs if ref.name in self.layers]

    def report_cycle(self, cycle: list[str]) -> None:
        # Each reads the next, and the last reads the first; start at the one that comes first in the spec.
        positions = {name: i for i, name in enumerate(self.layers)}
        first = cycle.index(min(cycle, key=lambda name: positions[name]))
        cycle = cycle[first:] + cycle[:first]
        hops = list(zip(cycle, [*cycle[1:], cycle[0]], strict=True))
        if len(cycle) == 1:
            message = f"{cycle[0]} reads itself"
        else:
            shown = [*cycle[:8], "…"] if len(cycle) > 8 else cycle
            message = f"layers depend on each other in a cycle: {' ← '.join([*shown, cycle[0]])}"
        labels = [(self.hop_span(reader, source), f"{reader} reads {source}") for reader, source in hops[1:8]]
        help = "what a layer gave in the step before is read inside a cell: prev(h)"
        self.diagnostics.error("NW0303", message, self.hop_span(*hops[0]), labels=labels, help=help)

    def hop_span(self, reader: str, source: str) -> Span:
        for (who, ref), span in self.places.items():
            if who == reader and ref.name == source:
                return span
        return self.tree.value_span((*self.layers[reader].path, "name"))

    def outputs(self) -> dict[str, Ref]:
        refs: dict[str, Ref] = {}
        for name, spec in (self.structure.sections.get("outputs") or {}).items():
            node = self.tree.node(("outputs", name, "from"))
            path: Path = ("outputs", name, "from") if node else ("outputs", name)
            ref = self.references.resolve(spec.source, self.tree.value_span(path))
            if ref:
                refs[name] = ref
        return refs
