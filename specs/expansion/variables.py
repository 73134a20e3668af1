"""Variables in scope, and copies of parts of the source in which `$name` is replaced by its value.

A copy keeps the places of its original; a substituted value has a trail that says where it came from.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from ..diagnostics.diagnostic import Diagnostics
from ..diagnostics.fixes import respelled
from ..diagnostics.suggest import closest, did_you_mean
from ..diagnostics.translation.words import NAME_HELP, describe
from ..models.base import is_name
from ..source.tree import Entry, SourceNode, Span, Via, align
from .arithmetic import ValueProblem, compute, has_variables, whole_variable

DEPTH_LIMIT = 50


@dataclass(slots=True, eq=False)
class Variables:
    """Names and the nodes they stand for. Other names are looked up in `outer`. Values are computed on first use."""

    nodes: Mapping[str, SourceNode]
    outer: Variables | None = None
    trail: tuple[Via, ...] = ()
    computed: dict[str, SourceNode | None] = field(default_factory=dict)
    """None if the value can't be computed, which has been reported."""
    opened: list[str] = field(default_factory=list)
    complete: bool = True
    """Whether a missing name certainly does not exist."""

    def names(self) -> list[str]:
        """All names known here."""
        return [*self.nodes, *(self.outer.names() if self.outer else ())]

    def is_complete(self) -> bool:
        """Whether a missing name certainly does not exist, here or outside."""
        return self.complete and (self.outer is None or self.outer.is_complete())

    def inner(self, nodes: Mapping[str, SourceNode], trail: tuple[Via, ...] = ()) -> Variables:
        """A new scope inside this one."""
        return Variables(nodes, self, trail)


class Substitution:
    """Makes copies. Values that can't be computed are reported to the diagnostics and counted in `failures`."""

    def __init__(self, diagnostics: Diagnostics) -> None:
        self.diagnostics = diagnostics
        self.failures = 0

    def copy(self, node: SourceNode, scope: Variables, trail: tuple[Via, ...] = ()) -> SourceNode:
        """A copy of the node with all variables replaced and trails on its spans; the node itself if nothing
        changes.
        """
        if isinstance(node.value, str) and has_variables(node.value):
            return self.computed(node, scope, trail)
        entries = {
            key: self.entry(entry, self.copy(entry.node, scope, trail), trail)
            for key, entry in node.entries.items()
        }
        items = [self.copy(item, scope, trail) for item in node.items]
        same = all(new is node.entries[key] for key, new in entries.items())
        if same and not trail and all(new is old for new, old in zip(items, node.items, strict=True)):
            return node
        value = node.value
        if isinstance(value, dict):
            value = {key: entry.node.value for key, entry in entries.items()}
        elif isinstance(value, list):
            value = [item.value for item in items]
        return SourceNode(node.text.reached(trail), node.start, node.end, value, entries, items)

    def entry(self, entry: Entry, node: SourceNode, trail: tuple[Via, ...]) -> Entry:
        """A mapping's entry with its node replaced."""
        if node is entry.node and not trail:
            return entry
        return Entry(entry.text.reached(trail), entry.start, entry.end, node)

    def computed(self, node: SourceNode, scope: Variables, trail: tuple[Via, ...]) -> SourceNode:
        used: dict[str, SourceNode] = {}

        def lookup(name: str, start: int, end: int) -> object:
            used[name] = self.variable(name, start, end, scope)
            return used[name].value

        try:
            value = compute(node.value, lookup)
        except ValueProblem as problem:
            self.failures += 1
            if problem.code:
                place = self.place(node, problem.start, problem.end, trail)
                written = node.value[problem.start : problem.end]
                fixes = respelled(written, problem.instead, place)
                self.diagnostics.error(problem.code, problem.message, place, help=problem.help, fixes=fixes)
            return node
        alone = whole_variable(node.value)
        if isinstance(value, list):
            # The entries of a list keep the places where they are written.
            return used[alone] if alone else SourceNode(node.text, node.start, node.end, value)
        origins = [
            Via(source.span.bare, f"${name} is {describe(source.value)}", True)
            for name, source in used.items()
        ]
        text = node.text.reached((*origins, *trail))
        return SourceNode(text, node.start, node.end, value)

    def place(self, node: SourceNode, start: int, end: int, trail: tuple[Via, ...]) -> Span:
        offsets = align(node)
        last = offsets[end - 1] + 1 if end > start else offsets[start]
        return node.text.reached(trail).span(offsets[start], last)

    def variable(self, name: str, start: int, end: int, scope: Variables) -> SourceNode:
        """The node that a variable stands for. Raises `ValueProblem`, without a code if the error has been reported."""
        here: Variables | None = scope
        while here is not None and name not in here.nodes:
            here = here.outer
        if here is None:
            if not scope.is_complete():
                raise ValueProblem("", "", start, end)
            meant = closest(name, scope.names())
            help = did_you_mean(meant) or "declare it under vars; $$ is a dollar sign"
            instead = meant and f"${meant}"
            raise ValueProblem("NW0804", f"there is no variable {name}", start, end, help, instead)
        if name in here.opened:
            cycle = " ← ".join([*here.opened[here.opened.index(name) :], name])
            for opened in here.opened:
                here.computed[opened] = None
            message = f"variables depend on each other in a cycle: {cycle}"
            raise ValueProblem("NW0806", message, start, end)
        if len(here.opened) >= DEPTH_LIMIT:
            message = f"more than {DEPTH_LIMIT} variables depend on one another"
            raise ValueProblem("NW0806", message, start, end)
        if name not in here.computed:
            here.opened.append(name)
            failures = self.failures
            node = self.copy(here.nodes[name], here, here.trail)
            here.opened.pop()
            here.computed[name] = node if self.failures == failures else None
        node = here.computed[name]
        if node is None:
            raise ValueProblem("", "", start, end)
        return node


def declared_variables(root: SourceNode, diagnostics: Diagnostics) -> dict[str, SourceNode] | None:
    """The nodes under `vars`, or None if it is not a mapping. Invalid variables are reported."""
    entry = root.entries.get("vars")
    if entry is None:
        return {}
    if not isinstance(entry.node.value, dict):
        message = f"vars has to be a mapping from names to values, not {describe(entry.node.value)}"
        diagnostics.error("NW0203", message, entry.node.span)
        return None
    for name, variable in entry.node.entries.items():
        if not is_name(name):
            diagnostics.error("NW0207", f"{name!r} is not a valid name", variable.key_span, help=NAME_HELP)
        value = variable.node.value
        if isinstance(value, dict) or value is None:
            message = f"a variable is a number, a string, true, false or a list, not {describe(value)}"
            diagnostics.error("NW0203", message, variable.node.span)
    return {name: variable.node for name, variable in entry.node.entries.items()}
