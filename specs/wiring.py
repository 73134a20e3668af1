"""Who reads whom: names are resolved, the order of the layers is found, and what is wrong with either is
reported.

Nothing here looks at shapes. What a broken layer gives is unknown, so whatever reads it is left in peace."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from .builtin_cells import state_names
from .diagnostics import Diagnostics
from .layers import GatedLayer, LayerSpec, Recurrent
from .source import Path, SourceTree, Span
from .structure import LayerEntry, Structure
from .suggest import closest, did_you_mean


@dataclass(frozen=True, slots=True)
class Ref:
    """What a reader reads: an input or layer, and the port (None for the output itself)."""

    name: str
    port: str | None = None

    def __str__(self) -> str:
        return f"{self.name}.{self.port}" if self.port else self.name


@dataclass(frozen=True, slots=True)
class Wiring:
    """The resolved references of a spec. `order` holds the layers, each after those it reads."""

    inputs: Mapping[str, tuple[Ref, ...]] = field(default_factory=dict)
    """What each layer reads, in order."""
    given: Mapping[str, Mapping[str, Ref]] = field(default_factory=dict)
    """For recurrent layers with a given initial state: what each state starts from."""
    outputs: Mapping[str, Ref] = field(default_factory=dict)
    """What each output shows."""
    order: tuple[str, ...] = ()
    poisoned: frozenset[str] = frozenset()
    """Layers and inputs with errors: nothing is known about what they give."""


def wire(structure: Structure, tree: SourceTree, diagnostics: Diagnostics) -> Wiring:
    """Resolves every reference of a spec; what is wrong goes to `diagnostics`."""
    return _Wirer(structure, tree, diagnostics).wire()


class _Wirer:
    def __init__(self, structure: Structure, tree: SourceTree, diagnostics: Diagnostics) -> None:
        self.structure, self.tree, self.diagnostics = structure, tree, diagnostics
        self.inputs = structure.sections.get("inputs") or {}
        self.broken_inputs = structure.broken.get("inputs", set())
        self.layers: dict[str, LayerEntry] = {}
        self.poisoned: set[str] = set(self.broken_inputs - {"*"})
        self.reads: dict[str, tuple[Ref, ...]] = {}
        self.given: dict[str, dict[str, Ref]] = {}
        self.places: dict[tuple[str, Ref], Span] = {}
        self.lost = "*" in self.broken_inputs or "*" in structure.broken.get("layers", set())
        self.lost = self.lost or any(entry.name is None for entry in structure.entries)

    def wire(self) -> Wiring:
        self.collect()
        previous: LayerEntry | None = None
        for entry in self.structure.entries:
            if entry.name is not None and self.layers.get(entry.name) is entry:
                self.read(entry, previous)
                if entry.spec:
                    self.check_share(entry, entry.spec)
            previous = entry
        order = self.order()
        self.check_lengths()
        outputs = self.outputs()
        self.check_train()
        if not self.diagnostics.has_errors:
            self.warn_unused(outputs)
        return Wiring(self.reads, self.given, outputs, order, frozenset(self.poisoned))

    # Names.

    def collect(self) -> None:
        places = {name: self.tree.key_span(("inputs", name)) for name in [*self.inputs, *self.poisoned]}
        for entry in self.structure.entries:
            if entry.name is None:
                continue
            span = self.tree.value_span((*entry.path, "name"))
            if entry.name in places:
                labels = [(places[entry.name], "first here")]
                what = "an input" if entry.name in self.inputs else "a layer"
                message = f"there is already {what} named {entry.name}"
                self.diagnostics.error("NW0301", message, span, labels=labels)
                continue
            places[entry.name] = span
            self.layers[entry.name] = entry
            if entry.spec is None:
                self.poisoned.add(entry.name)

    def names(self) -> list[str]:
        return [*self.inputs, *self.layers]

    def resolve(self, text: str, place: Span, me: str | None = None) -> Ref | None:
        """The layer, port or input behind a reference; None (and reported) where there is none."""
        if text in self.inputs or text in self.layers or text in self.poisoned:
            return Ref(text)
        name, _, port = text.rpartition(".")
        if name in self.layers:
            ports = self.ports(self.layers[name])
            if ports is None or port in ports:
                return Ref(name, port)
            help = did_you_mean(closest(port, ports)) if ports else None
            also = f"it has {', '.join(ports)}" if ports else "it has only its output"
            message = f"{name} has no port {port}"
            self.diagnostics.error("NW0305", message, place, help=help or also)
        elif not self.lost:
            others = [other for other in self.names() if other != me]
            help = did_you_mean(closest(text, others))
            self.diagnostics.error("NW0302", f"there is no layer or input named {text}", place, help=help)
        return None

    def ports(self, entry: LayerEntry) -> list[str] | None:
        """The ports of a layer besides its output; None where they can't be known."""
        if isinstance(entry.spec, GatedLayer):
            states: Iterable[str] = state_names(entry.spec.type)
        elif isinstance(entry.spec, Recurrent):
            cell = self.structure.cells.get(entry.spec.cell)
            if cell is None:
                return None
            states = cell.states
        else:
            return None if entry.spec is None else []
        return [port for state in ("state", *states) for port in (state, f"{state}_all")]

    # Edges.

    def read(self, entry: LayerEntry, previous: LayerEntry | None) -> None:
        assert entry.name is not None
        path = (*entry.path, "inputs")
        node = self.tree.node(path)
        if node is None:
            refs = self.default(entry, previous)
        elif isinstance(node.value, list):
            texts = [(i, text) for i, text in enumerate(node.value) if isinstance(text, str)]
            refs = [self.note(entry.name, text, (*path, i)) for i, text in texts]
        else:
            refs = [None]
        if entry.spec is None:
            refs = [ref for ref in refs if ref]
        elif None in refs:
            self.poisoned.add(entry.name)
        else:
            self.check_arity(entry, len(refs))
        self.reads[entry.name] = tuple(ref for ref in refs if ref)
        if entry.spec:
            self.read_given(entry, entry.spec)

    def note(self, reader: str, text: str, path: Path) -> Ref | None:
        place = self.tree.value_span(path)
        ref = self.resolve(text, place, reader)
        if ref:
            self.places[reader, ref] = place
        return ref

    def default(self, entry: LayerEntry, previous: LayerEntry | None) -> list[Ref | None]:
        """The layer above; for the first layer the only input that can be meant."""
        if previous is not None:
            return [Ref(previous.name)] if previous.name in self.layers else [None]
        special = {spec.lengths for spec in self.inputs.values()}
        for other in self.structure.entries:
            special |= set(other.spec.references()) if other.spec else set()
        candidates = [name for name in self.inputs if name not in special]
        if self.broken_inputs or len(candidates) == 1:
            return [Ref(candidates[0])] if len(candidates) == 1 and not self.broken_inputs else [None]
        if entry.spec is None:
            return [None]
        message = f"{entry.name} is the first layer and does not say which input it reads"
        help = (
            f"write inputs: [{candidates[0]}]" if candidates else "declare an input and name it under inputs"
        )
        self.diagnostics.error("NW0316", message, self.tree.value_span((*entry.path, "name")), help=help)
        return [None]

    def read_given(self, entry: LayerEntry, spec: LayerSpec) -> None:
        assert entry.name is not None
        references = spec.references()
        states = self.states(spec)
        given: dict[str, Ref] = {}
        for text, where in references.items():
            path = (*entry.path, *where)
            ref = self.note(entry.name, text, path)
            if ref is None:
                self.poisoned.add(entry.name)
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
        path = (*entry.path, "initial_state")
        node = self.tree.node(path)
        if node is None or states is None:
            return
        for key in node.entries:
            if key not in states:
                help = did_you_mean(closest(key, states)) or f"its states are {', '.join(states)}"
                self.diagnostics.error(
                    "NW0201", f"{entry.name} has no state {key}", self.tree.key_span((*path, key)), help=help
                )

    def check_arity(self, entry: LayerEntry, count: int) -> None:
        assert entry.spec is not None
        fewest, most = entry.spec.arity
        if isinstance(entry.spec, Recurrent):
            if not self.check_cell(entry, entry.spec):
                return
            fewest = most = len(self.structure.cells[entry.spec.cell].inputs)
        if fewest <= count and (most is None or count <= most):
            return
        assert entry.name is not None
        wanted = f"{fewest} input{'s' if fewest > 1 else ''}" if most else f"at least {fewest} inputs"
        path = (*entry.path, "inputs")
        place = self.tree.value_span(path if self.tree.node(path) else (*entry.path, "type"))
        message = f"{entry.spec.type} reads {wanted}, this one reads {count}"
        help = None if self.tree.node(path) else f"write inputs: [{', '.join(['…'] * max(2, fewest))}]"
        self.diagnostics.error("NW0306", message, place, help=help)
        self.poisoned.add(entry.name)

    def check_cell(self, entry: LayerEntry, spec: Recurrent) -> bool:
        """Whether the cell of a recurrent layer is known and well; its arguments are checked."""
        assert entry.name is not None
        if spec.cell not in self.structure.cells:
            self.poisoned.add(entry.name)
            if not self.structure.knows("cells", spec.cell):
                known = self.structure.sections.get("cells") or {}
                help = did_you_mean(closest(spec.cell, known))
                place = self.tree.value_span((*entry.path, "cell"))
                self.diagnostics.error("NW0509", f"there is no cell named {spec.cell}", place, help=help)
            return False
        cell, path = self.structure.cells[spec.cell], (*entry.path, "with")
        for name in spec.with_:
            if name not in cell.args:
                help = did_you_mean(closest(name, [arg for arg in cell.args if arg not in spec.with_]))
                message = f"the cell {cell.name} has no argument {name}"
                self.diagnostics.error("NW0510", message, self.tree.key_span((*path, name)), help=help)
                self.poisoned.add(entry.name)
        unknown = [name for name in spec.with_ if name not in cell.args]
        for name, kind in cell.args.items():
            if name in spec.with_:
                value = spec.with_[name]
                if kind == "int" and (not isinstance(value, int) or value < 1):
                    message = f"the argument {name} of {cell.name} has to be a whole number of at least 1, not {value}"
                    self.diagnostics.error("NW0510", message, self.tree.value_span((*path, name)))
                    self.poisoned.add(entry.name)
            elif not (unknown and closest(unknown[0], [name])):
                place = (
                    self.tree.key_span(path)
                    if self.tree.node(path)
                    else self.tree.value_span((*entry.path, "cell"))
                )
                message = f"the cell {cell.name} needs the argument {name}"
                labels = [(self.tree.key_span(("cells", cell.name, "args", name)), "declared here")]
                self.diagnostics.error("NW0510", message, place, labels=labels, help=f"with: {{{name}: …}}")
                self.poisoned.add(entry.name)
        return True

    def check_share(self, entry: LayerEntry, spec: LayerSpec) -> None:
        if spec.share is None:
            return
        assert entry.name is not None
        place = self.tree.value_span((*entry.path, "share"))
        other = self.layers.get(spec.share)
        message = help = None
        if not spec.has_parameters:
            message = f"{spec.type} has no parameters to share"
        elif spec.share == entry.name:
            message = f"{entry.name} can't share its own parameters"
        elif other is None:
            message = f"there is no layer named {spec.share}"
            same = [
                name for name, one in self.layers.items() if one.type == entry.type and name != entry.name
            ]
            help = did_you_mean(closest(spec.share, same))
            if self.lost:
                message = None
        elif other.type is not None and other.type != entry.type:
            message = f"{spec.share} is {_article(other.type)}, {entry.name} is {_article(str(entry.type))}"
            help = "only layers of one type can share parameters"
        elif other.spec and other.spec.share:
            message = f"{spec.share} itself uses the parameters of {other.spec.share}"
            help = f"write share: {other.spec.share}"
        if message:
            labels = (
                [(self.tree.value_span((*other.path, "name")), "this layer")]
                if other and other is not entry
                else []
            )
            self.diagnostics.error("NW0307", message, place, labels=labels, help=help)
            self.poisoned.add(entry.name)

    def sources(self, name: str) -> list[str]:
        refs = [*self.reads.get(name, ()), *self.given.get(name, {}).values()]
        return [ref.name for ref in refs if ref.name in self.layers]

    def order(self) -> tuple[str, ...]:
        """Depth first, iteratively; a cycle is reported where it closes, and once for the layers in it."""
        done: dict[str, bool] = {}  # False while on the stack
        order: list[str] = []
        in_cycle: set[str] = set()
        for root in self.layers:
            if root in done:
                continue
            done[root] = False
            stack = [(root, iter(self.sources(root)))]
            while stack:
                name, sources = stack[-1]
                source = next(sources, None)
                if source is None:
                    stack.pop()
                    done[name] = True
                    order.append(name)
                elif source not in done:
                    done[source] = False
                    stack.append((source, iter(self.sources(source))))
                elif not done[source] and source not in in_cycle:
                    names = [one for one, _ in stack]
                    cycle = names[names.index(source) :]
                    if not in_cycle.intersection(cycle):
                        self.report_cycle(cycle)
                    in_cycle.update(cycle)
        self.poisoned |= in_cycle
        return tuple(order)

    def report_cycle(self, cycle: list[str]) -> None:
        # Each reads the next, and the last reads the first; told from the one that stands first in the spec.
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

    # The other sections.

    def check_lengths(self) -> None:
        for name, spec in self.inputs.items():
            if spec.lengths is None:
                continue
            place = self.tree.value_span(("inputs", name, "lengths"))
            other = self.inputs.get(spec.lengths)
            if other is None:
                if not self.broken_inputs & {spec.lengths, "*"}:
                    help = did_you_mean(closest(spec.lengths, [one for one in self.inputs if one != name]))
                    message = f"there is no input named {spec.lengths}"
                    help = (
                        help or f"declare it under inputs: {{{spec.lengths}: {{shape: [N], dtype: int64}}}}"
                    )
                    self.diagnostics.error("NW0405", message, place, help=help)
            elif other.dtype != "int64" or other.shape != spec.shape[:1]:
                wanted = f"int64 [{spec.shape[0]}]"
                found = f"{other.dtype} [{', '.join(map(str, other.shape))}]"
                label = [(self.tree.key_span(("inputs", spec.lengths)), "declared here")]
                message = f"lengths have to be {wanted}, {spec.lengths} is {found}"
                self.diagnostics.error("NW0311", message, place, labels=label)

    def outputs(self) -> dict[str, Ref]:
        found: dict[str, Ref] = {}
        for name, spec in (self.structure.sections.get("outputs") or {}).items():
            node = self.tree.node(("outputs", name, "from"))
            path: Path = ("outputs", name, "from") if node else ("outputs", name)
            ref = self.resolve(spec.source, self.tree.value_span(path))
            if ref:
                found[name] = ref
        return found

    def check_train(self) -> None:
        train = self.structure.sections.get("train")
        if train is None:
            return
        self.check_output(train.loss.output, ("train", "loss", "output"))
        self.check_target(train.loss.target, ("train", "loss", "target"), bool(train.targets))
        mask = train.loss.mask
        if (
            mask is not None
            and not self.structure.knows("inputs", mask)
            and mask not in train.targets
            and train.targets
        ):
            help = did_you_mean(closest(mask, [*self.inputs, *train.targets]))
            place = self.tree.value_span(("train", "loss", "mask"))
            self.diagnostics.error("NW0405", f"there is no input or target named {mask}", place, help=help)
        for i, metric in enumerate(train.metrics):
            path = ("train", "metrics", i)
            if metric.output is not None:
                self.check_output(metric.output, (*path, "output"))
            if metric.target is not None and metric.target != train.loss.target:
                self.check_target(metric.target, (*path, "target"), bool(train.targets))
        stopping = train.early_stopping
        if stopping:
            data_set, _, number = stopping.monitor.partition("_")
            place = self.tree.value_span(("train", "early_stopping", "monitor"))
            if "monitor" not in stopping.model_fields_set:
                place = self.tree.key_span(("train", "early_stopping"))
            if data_set not in train.data:
                message = f"{stopping.monitor} needs the data set {data_set}"
                self.diagnostics.error("NW0407", message, place, help=f"data: {{{data_set}: FILE.npz}}")
            elif number != "loss" and number not in {metric.type for metric in train.metrics}:
                help = f"add {number} to metrics"
                self.diagnostics.error("NW0212", f"{number} is not among the metrics", place, help=help)

    def check_output(self, name: str, path: Path) -> None:
        if not self.structure.knows("outputs", name):
            help = did_you_mean(closest(name, self.structure.sections.get("outputs") or {}))
            place = self.tree.value_span(path)
            self.diagnostics.error("NW0401", f"there is no output named {name}", place, help=help)

    def check_target(self, name: str, path: Path, declared: bool) -> None:
        # Targets that are not declared at all follow from the loss.
        train = self.structure.sections["train"]
        if declared and name not in train.targets and not self.structure.knows("inputs", name):
            help = did_you_mean(closest(name, [*train.targets, *self.inputs]))
            place = self.tree.value_span(path)
            self.diagnostics.error("NW0402", f"there is no target named {name}", place, help=help)

    def warn_unused(self, outputs: Mapping[str, Ref]) -> None:
        read = {ref.name for refs in self.reads.values() for ref in refs}
        read |= {ref.name for refs in self.given.values() for ref in refs.values()}
        read |= {ref.name for ref in outputs.values()}
        read |= {spec.lengths for spec in self.inputs.values()}
        train = self.structure.sections.get("train")
        if train:
            read |= {train.loss.mask, train.loss.target, *(metric.target for metric in train.metrics)}
        for name, entry in self.layers.items():
            if name not in read:
                place = self.tree.value_span((*entry.path, "name"))
                self.diagnostics.warning("NW0601", f"nothing reads the layer {name}", place)
        for name in self.inputs:
            if name not in read:
                self.diagnostics.warning(
                    "NW0602", f"nothing reads the input {name}", self.tree.key_span(("inputs", name))
                )


def _article(kind: str) -> str:
    return f"an {kind}" if kind[0] in "aeiou" or kind.startswith(("lstm", "rnn")) else f"a {kind}"
