"""Turns a source tree into typed sections.

Each section and each layer is validated by itself, so that errors in one do not hide the errors of the others, and
later checks can look at what is valid.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Annotated, Any

from pydantic import TypeAdapter, ValidationError

from ..diagnostics.diagnostic import Diagnostics
from ..diagnostics.fixes import replaced, respelled, with_first_key
from ..diagnostics.model_paths import keys_of
from ..diagnostics.suggest import did_you_mean, is_certain, key_meant
from ..diagnostics.translation.translator import Translator
from ..diagnostics.translation.words import describe
from ..equations.builtin_cells import builtin_cell
from ..equations.cells import Cell, compile_cell
from ..equations.expressions import Expression
from ..expansion.placement import ExpandedSpec
from ..models.base import MAX_SIZE
from ..models.spec import ModelSpec
from ..source.order import find_order
from ..source.tree import SourceNode, Span
from .typed_layers import LayerEntry, LayerReader

VERSION = 1


@dataclass(slots=True)
class Structure:
    """The typed sections of a spec. Invalid entries are left out; their names are in `broken`."""

    sections: dict[str, Any] = field(default_factory=dict)
    entries: list[LayerEntry] = field(default_factory=list)
    cells: dict[str, Cell] = field(default_factory=dict)
    expressions: dict[str, Expression] = field(default_factory=dict)
    """The equations of expression layers, by the layers' names."""
    loss_expressions: dict[int, Expression] = field(default_factory=dict)
    """The equations of losses, by their position."""
    broken: dict[str, set[str]] = field(default_factory=dict)
    """For each section the names of its invalid entries; `*` if the section as a whole is invalid."""

    def knows(self, section: str, name: str) -> bool:
        """Whether a section defines this name, with a valid entry or not."""
        bad = self.broken.get(section, set())
        return name in (self.sections.get(section) or {}) or name in bad or "*" in bad


def build(expansion: ExpandedSpec, diagnostics: Diagnostics) -> Structure:
    """Validates every section of a spec and reports errors to `diagnostics`."""
    return _Builder(expansion, diagnostics).build()


@lru_cache(maxsize=64)
def _adapter(section: str) -> TypeAdapter[Any]:
    info = ModelSpec.model_fields[_field_name(section)]
    # Only subscripting Annotated with a tuple joins a type and its metadata at run time.
    annotation: Any = info.annotation
    join: Any = Annotated
    return TypeAdapter(join[(annotation, *info.metadata)] if info.metadata else annotation)


def _field_name(section: str) -> str:
    return "schema_" if section == "$schema" else section


class _Builder:
    def __init__(self, expansion: ExpandedSpec, diagnostics: Diagnostics) -> None:
        self.tree, self.diagnostics = expansion.tree, diagnostics
        self.expansion = expansion
        broken = [*expansion.broken, *(() if expansion.complete else ("cells",))]
        self.structure = Structure(broken={name: {"*"} for name in broken})
        self.context: dict[str, Any] = {}

    def build(self) -> Structure:
        root = self.tree.root
        if not isinstance(root.value, dict):
            actual = describe(root.value)
            message = f"a spec is a mapping with keys such as netwright, inputs and layers, not {actual}"
            self.diagnostics.error("NW0203", message, root.span)
            self.structure.broken = {name: {"*"} for name in keys_of(ModelSpec)}
            return self.structure
        self.keys(root)
        if "netwright" in root.value:
            self.version(root.entries["netwright"].node)
        declared = root.value.get("dims")
        # Names of invalid dims are included, so that their uses are not reported as well.
        self.context = {"dims": set(declared)} if isinstance(declared, dict) else {"dims": set()}
        unknown = declared is None and any(key not in keys_of(ModelSpec) for key in root.entries)
        if unknown or not isinstance(declared, dict | None) or "dims" in self.expansion.broken:
            self.context = {}
        for section in (
            "$schema",
            "model",
            "dims",
            "inputs",
            "dtype",
            "math",
            "cells",
            "outputs",
            "train",
            "budget",
        ):
            if section in root.value and section not in self.expansion.broken:
                self.section(section)
        self.compile_cells()
        reader = LayerReader(self.expansion, self.diagnostics, self.context)
        if "defaults" in self.expansion.broken:
            reader.lose_defaults(root.entries["defaults"].node)
        elif "defaults" in root.value:
            reader.read_defaults(root.entries["defaults"].node)
            self.structure.sections["defaults"] = reader.defaults
        if "layers" in root.value:
            self.layers(root.entries["layers"].node, reader)
        return self.structure

    def keys(self, root: SourceNode) -> None:
        known = keys_of(ModelSpec)
        free = [name for name in known if name not in root.entries]
        unknown = {key: key_meant(key, free) for key in root.entries if key not in known}
        required = [name for name, info in ModelSpec.model_fields.items() if info.is_required()]
        missing = [name for name in required if name in free and name not in unknown.values()]
        for key, suggestion in unknown.items():
            help = did_you_mean(suggestion) or f"the keys of a spec are {', '.join(known[1:])}"
            place = self.tree.key_span((key,))
            safe = is_certain(key, suggestion)
            may_be = missing != ["netwright"] or root.value[key] == VERSION
            if list(unknown.values()) == [None] and len(missing) == 1 and may_be:  # one mistake
                (suggestion,), missing = missing, []
                help = f"a spec needs {suggestion}; {help}"
            fixes = respelled(key, suggestion, place, safe=safe)
            self.diagnostics.error("NW0201", f"unknown key {key}", place, help=help, fixes=fixes)
        for name in required:
            if name in free:
                self.structure.broken[name] = {"*"}
        for name in missing:
            help = f"netwright: {VERSION} says which version of the language this is"
            start = self.tree.source.span(root.start, root.start)
            version = name == "netwright"
            self.diagnostics.error(
                "NW0202",
                f"a spec needs {name}",
                start,
                help=help if version else None,
                fixes=with_first_key(root, name, VERSION) if version else (),
            )

    def version(self, node: SourceNode) -> None:
        if node.value is True or node.value != VERSION:
            message = f"version {describe(node.value)} of the language is not known"
            help = f"this Netwright reads netwright: {VERSION}"
            self.diagnostics.error("NW0209", message, node.span, help=help, fixes=replaced(node, VERSION))

    def section(self, name: str) -> None:
        value, adapter = self.tree.value[name], _adapter(name)
        bad: set[str] = set()
        while True:
            try:
                self.structure.sections[name] = adapter.validate_python(value, context=self.context)
                break
            except ValidationError as error:
                errors = error.errors(include_url=False, include_input=False)
                if not bad:
                    info = ModelSpec.model_fields[_field_name(name)]
                    Translator(self.tree, self.diagnostics, (name,)).report(errors, info.annotation, name)
                places = [detail["loc"] for detail in errors if detail["loc"]]
                wrong = {str(place[0]) for place in places} if isinstance(value, dict) else set()
                if name in ("inputs", "cells") and isinstance(value, dict) and wrong == value.keys():
                    self.structure.sections[name] = {}  # its names are known, so any other name is an error
                    bad |= wrong
                    break
                if name == "train" or not wrong or len(wrong) == len(value):
                    bad |= {"*"} | wrong
                    break
                bad |= wrong
                parts = {key: _good_part(value[key], errors, key) for key in wrong} if name == "dims" else {}
                value = {
                    key: parts.get(key, inner)
                    for key, inner in value.items()
                    if parts.get(key) or key not in wrong
                }
        if bad:
            self.structure.broken.setdefault(name, set()).update(bad)

    def compile_cells(self) -> None:
        """The cells in an order in which each comes after those it contains."""
        specs = self.structure.sections.get("cells", {})

        def inner(name: str) -> list[str]:
            return [inside.use for inside in specs[name].cells.values() if inside.use in specs]

        order, cycles = find_order(specs, inner)

        def use(name: str, other: str) -> Span:
            key = next(key for key, inside in specs[name].cells.items() if inside.use == other)
            return self.tree.value_span(("cells", name, "cells", key, "use"))

        for cycle in cycles:
            start = cycle.index(min(cycle, key=list(specs).index))
            first, *others = cycle = [*cycle[start:], *cycle[:start]]
            message = f"{first} contains itself"
            if others:
                message = f"cells contain each other: {' ← '.join([*cycle, first])}"
            place, *further = map(use, cycle, [*others, first])
            self.diagnostics.error(
                "NW0513",
                message,
                place,
                labels=[(span, "and here") for span in further],
                help="what a cell gave in the step before is prev(output)",
            )
            self.structure.broken.setdefault("cells", set()).update(cycle)
        for name in order:
            if name in self.structure.broken.get("cells", set()):
                continue
            built_in = {kind: cell for kind in ("rnn", "lstm", "gru") if (cell := builtin_cell(kind))}
            known = {**(built_in if specs[name].cells else {}), **self.structure.cells}
            cell = compile_cell(name, specs[name], self.tree, ("cells", name), self.diagnostics, known)
            if cell is None:
                self.structure.broken.setdefault("cells", set()).add(name)
            else:
                self.structure.cells[name] = cell

    def layers(self, node: SourceNode, reader: LayerReader) -> None:
        if not isinstance(node.value, list) or not (
            node.value or self.expansion.groups or self.expansion.poisoned or self.expansion.lost
        ):
            actual = "an empty list" if node.value == [] else describe(node.value)
            place = self.tree.key_span(("layers",))
            self.diagnostics.error("NW0203", f"layers has to be a list of layers, not {actual}", place)
            self.structure.broken["layers"] = {"*"}
            return
        pairs = enumerate(zip(node.items, self.expansion.placements, strict=True))
        self.structure.entries = [
            reader.layer(item, ("layers", i), placement) for i, (item, placement) in pairs
        ]
        self.structure.expressions = reader.expressions
        good = [entry.spec for entry in self.structure.entries if entry.spec]
        self.structure.sections["layers"] = tuple(good)


def _good_part(value: Any, errors: Sequence[Any], key: str) -> Any:
    """The valid part of an invalid dim; None if nothing is valid. A least size that can't be read is taken to be large,
    so that no window is reported as too long for it.
    """
    wrong = {step for detail in errors if detail["loc"][:1] == (key,) for step in detail["loc"][1:]}
    if not isinstance(value, dict) or not wrong & value.keys():
        return None
    good = {own: inner for own, inner in value.items() if own not in wrong}
    return {**good, "min": good.get("max", MAX_SIZE)} if "min" in wrong else good
