"""Resolves references to inputs, layers and ports, following the aliases that blocks leave for their names and inputs.

A reference is read in a scope, the block it is written in, and sees nothing outside of it.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from ..diagnostics.diagnostic import Diagnostics
from ..diagnostics.fixes import respelled, with_key
from ..diagnostics.suggest import closest, did_you_mean
from ..equations.builtin_cells import state_names
from ..expansion.placement import Alias, ExpandedSpec
from ..models.layers.recurrent import GatedLayer, Recurrent
from ..source.tree import SourceNode, Span
from .structure import Structure
from .typed_layers import LayerEntry


@dataclass(frozen=True, slots=True)
class Ref:
    """The result of resolving a reference: an input or layer, and its port (None for the output itself)."""

    name: str
    port: str | None = None

    def __str__(self) -> str:
        return f"{self.name}.{self.port}" if self.port else self.name


class References:
    """Resolves references.

    The caller goes on filling `layers` and `poisoned`.
    """

    def __init__(
        self,
        structure: Structure,
        expansion: ExpandedSpec,
        diagnostics: Diagnostics,
        layers: dict[str, LayerEntry],
        poisoned: set[str],
    ) -> None:
        self.structure, self.diagnostics = structure, diagnostics
        self.layers, self.poisoned = layers, poisoned
        self.aliases, self.groups = expansion.aliases, expansion.groups
        self.inputs = structure.sections.get("inputs") or {}
        self.broken_inputs = structure.broken.get("inputs", set())
        self.tree, self.lost = expansion.tree, expansion.lost
        self.followed: dict[str, Ref | None] = {}

    def model_input(self, reader: str, place: Span, tell: bool, node: SourceNode | None = None) -> Ref | None:
        """The model's only input, which the first layer reads if it has no `inputs`. If there are several, returns None
        and, if asked to, reports it."""
        special = {spec.lengths for spec in self.inputs.values()}
        for other in self.structure.entries:
            special |= {text for text, _ in other.spec.references()} if other.spec else set()
        candidates = [name for name in self.inputs if name not in special] or list(self.inputs)
        if self.broken_inputs or len(candidates) == 1:
            return Ref(candidates[0]) if len(candidates) == 1 and not self.broken_inputs else None
        if (
            not tell
            or not candidates
            or any(spec.lengths not in (None, *self.inputs) for spec in self.inputs.values())
        ):
            return None
        message = f"{reader} is the first layer and does not say which input it reads"
        help = f"write inputs: [{candidates[0]}]"
        fixes = [fix for name in candidates[:3] for fix in with_key(node, "inputs", [name])]
        labels = [(self.tree.key_span(("inputs", name)), "this one?") for name in candidates[:3]]
        self.diagnostics.error("NW0316", message, place, labels=labels, help=help, fixes=fixes)
        return None

    def resolve(
        self, text: str, place: Span, me: str | None = None, words: Iterable[str] = (), scope: str = ""
    ) -> Ref | None:
        """The layer, port or input behind a reference; if there is none, reports it and returns None.

        `me` is the name of the reader. `words` are other words allowed in its place, as candidates for suggestions.
        """
        full = scope + text
        if full in self.inputs or full in self.layers or full in self.poisoned:
            return Ref(full)
        if full in self.aliases:
            return self.follow(full)
        name, _, port = full.rpartition(".")
        if name in self.layers or (name in self.aliases and name != scope.rstrip(".")):
            base = self.follow(name) if name in self.aliases else Ref(name)
            if base is None or base.name not in self.layers:
                known = base is None or base.name in self.poisoned
                return base if known else self.no_port(text, name, port, [], place)
            return self.port(text, base, name, port, place)
        parts = full.split(".")
        for end in range(len(parts) - 1, 0, -1):
            if (outer := ".".join(parts[:end])) in self.poisoned:
                return Ref(outer)
        if not self.lost:
            self.unknown(text, place, me, words, scope)
        return None

    def port(self, text: str, base: Ref, name: str, port: str, place: Span) -> Ref | None:
        ports = self.ports(self.layers[base.name])
        if base.port is None and (ports is None or port in ports):
            return Ref(base.name, port)
        return self.no_port(text, name, port, [] if base.port else ports or [], place)

    def no_port(self, text: str, name: str, port: str, ports: list[str], place: Span) -> Ref | None:
        inner = [
            inside.removeprefix(f"{name}.")
            for inside in [*self.layers, *self.aliases]
            if inside.startswith(f"{name}.")
        ]
        known = [*ports, *(inside for inside in inner if "." not in inside)]
        meant = closest(port, known) if known else None
        also = f"it has {', '.join(known[:20])}" if known else "it has only its output"
        written = text.rpartition(".")[0]
        fixes = respelled(text, meant and f"{written}.{meant}", place) if written else ()
        message, help = f"{name} has no port {port}", did_you_mean(meant) or also
        labels = []
        if name in self.groups:
            labels = [(self.groups[name].place, "this is it")]
        elif name in self.layers:
            labels = [(self.tree.value_span((*self.layers[name].path, "name")), "this is it")]
        self.diagnostics.error("NW0305", message, place, labels=labels, help=help, fixes=fixes)
        return None

    def unknown(self, text: str, place: Span, me: str | None, words: Iterable[str], scope: str) -> None:
        known = [*self.inputs, *self.layers, *self.groups, *words]
        inside = [
            name.removeprefix(scope) for name in [*self.layers, *self.aliases] if name.startswith(scope)
        ]
        others = [other for other in (inside if scope else known) if scope + other != me]
        meant = closest(text, others)
        help = did_you_mean(meant)
        if scope and text in known:
            help = (
                f"a block reads only what it is given: name it under the block's inputs, inputs: [{text}, …]"
            )
        elif scope and help is None:
            layers = [layer for layer in inside if "." not in layer]
            help = f"in this block there are {', '.join(layers[:20])}"
        message = f"there is no layer or input named {text}"
        self.diagnostics.error("NW0302", message, place, help=help, fixes=respelled(text, meant, place))

    def follow(self, name: str) -> Ref | None:
        """The final target of an alias. An error in it is reported once."""
        if name not in self.followed:
            self.followed[name] = None
            seen = [name]
            alias = self.aliases[name]
            # A loop instead of recursion: aliases can form long chains (a block in a block …).
            while alias.text is not None and (target := alias.scope + alias.text) in self.aliases:
                if target in seen:
                    message = f"{name.partition('.')[0]} reads itself"
                    cycle = map(self.aliases.__getitem__, seen)
                    outermost = min(cycle, key=lambda alias: alias.scope.count("."))
                    self.diagnostics.error("NW0303", message, outermost.place)
                    self.followed.update(dict.fromkeys(seen))
                    return None
                seen.append(target)
                alias = self.aliases[target]
            ref = self.end(name, alias)
            self.followed.update(dict.fromkeys(seen, ref))
        return self.followed[name]

    def end(self, name: str, alias: Alias) -> Ref | None:
        if alias.text is None:
            return self.model_input(name.partition(".")[0], alias.place, True)
        if not alias.text:  # the layer above has no name
            return None
        return self.resolve(alias.text, alias.place, scope=alias.scope)

    def ports(self, entry: LayerEntry) -> list[str] | None:
        """The ports of a layer besides its output; None if they are unknown."""
        if isinstance(entry.spec, GatedLayer):
            states: Iterable[str] = state_names(entry.spec.type)
        elif isinstance(entry.spec, Recurrent):
            cell = self.structure.cells.get(entry.spec.cell)
            if cell is None:
                return None
            states = cell.states
        else:
            return None if entry.spec is None else list(entry.spec.ports())
        return [port for state in ("state", *states) for port in (state, f"{state}_all")]
