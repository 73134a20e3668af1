"""From a source tree to typed sections: each section and each layer is validated by itself, so that a bad one
does not hide the errors of the others, and what is good can be looked at further.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Annotated, Any

from pydantic import TypeAdapter, ValidationError

from ..diagnostics.diagnostic import Diagnostics
from ..diagnostics.fixes import replaced, respelled, with_first_key, with_key
from ..diagnostics.from_pydantic import Translator, describe
from ..diagnostics.model_paths import keys_of
from ..diagnostics.suggest import did_you_mean, is_certain, key_meant, type_meant
from ..equations.builtin_cells import builtin_cell
from ..equations.cells import Cell, compile_cell
from ..equations.expressions import Expression
from ..equations.layers import compile_expression
from ..expansion.placement import Expansion, Placement
from ..models.base import MAX_SIZE
from ..models.layers import LAYERS, ExpressionLayer, ExpressionPool, LayerSpec
from ..models.spec import ModelSpec
from ..source.order import find_order
from ..source.tree import Path, SourceNode, Span

VERSION = 1
_LAYER_KEYS = frozenset(key for kind in LAYERS.values() for key in keys_of(kind)) | {"use", "with"}
OWN_KEYS = frozenset(("name", "type", "inputs", "expect", "share", "repeat"))


@dataclass(frozen=True, slots=True)
class LayerEntry:
    """A layer as it stands in the spec, `name` with those of the blocks it is in. `spec` is None where something in it
    is wrong.

    `path` is its place; `overlay` gives the places of keys that came from `defaults`.
    """

    name: str | None
    type: str | None
    path: Path
    overlay: dict[str, Path]
    spec: LayerSpec | None
    placement: Placement


@dataclass(slots=True)
class Structure:
    """The typed sections of a spec; what is wrong in a section is left out of it, its names are in
    `broken`.
    """

    sections: dict[str, Any] = field(default_factory=dict)
    entries: list[LayerEntry] = field(default_factory=list)
    cells: dict[str, Cell] = field(default_factory=dict)
    expressions: dict[str, Expression] = field(default_factory=dict)
    """The equations of expression layers, by the layers' names."""
    broken: dict[str, set[str]] = field(default_factory=dict)
    """For each section the names whose entries are wrong; a section that is wrong as a whole holds `*`."""

    def knows(self, section: str, name: str) -> bool:
        """Whether a name is defined in a section, be it well or badly."""
        bad = self.broken.get(section, set())
        return name in (self.sections.get(section) or {}) or name in bad or "*" in bad


def build(expansion: Expansion, diagnostics: Diagnostics) -> Structure:
    """Validates every section of a spec; what is wrong goes to `diagnostics`."""
    return _Builder(expansion, diagnostics).build()


@lru_cache(maxsize=64)
def _adapter(section: str) -> TypeAdapter[Any]:
    info = ModelSpec.model_fields[_field_name(section)]
    # Subscripting Annotated with a tuple is how a type and its metadata are joined at run time.
    annotation: Any = info.annotation
    join: Any = Annotated
    return TypeAdapter(join[(annotation, *info.metadata)] if info.metadata else annotation)


def _field_name(section: str) -> str:
    return "schema_" if section == "$schema" else section


class _Builder:
    def __init__(self, expansion: Expansion, diagnostics: Diagnostics) -> None:
        self.tree, self.diagnostics = expansion.tree, diagnostics
        self.expansion = expansion
        broken = [*expansion.broken, *(() if expansion.complete else ("cells",))]
        self.structure = Structure(broken={name: {"*"} for name in broken})
        self.placed = {one.name: one for one in expansion.placements}
        self.context: dict[str, Any] = {}
        self.defaults: dict[str, dict[str, Any]] = {}
        self.bad_defaults: dict[str, set[str]] = {}

    def build(self) -> Structure:
        root = self.tree.root
        if not isinstance(root.value, dict):
            found = describe(root.value)
            message = f"a spec is a mapping with keys such as netwright, inputs and layers, not {found}"
            self.diagnostics.error("NW0203", message, root.span)
            self.structure.broken = {name: {"*"} for name in keys_of(ModelSpec)}
            return self.structure
        self.keys(root)
        if "netwright" in root.value:
            self.version(root.entries["netwright"].node)
        declared = root.value.get("dims")
        # Names of broken dims are known too, so that their uses are no second error.
        self.context = {"dims": set(declared)} if isinstance(declared, dict) else {"dims": set()}
        unknown = declared is None and any(key not in keys_of(ModelSpec) for key in root.entries)
        if unknown or not isinstance(declared, dict | None) or "dims" in self.expansion.broken:
            self.context = {}
        for section in ("$schema", "model", "dims", "inputs", "cells", "outputs", "train", "budget"):
            if section in root.value and section not in self.expansion.broken:
                self.section(section)
        self.compile_cells()
        if (
            "defaults" in self.expansion.broken
        ):  # values that can't be computed: nobody knows what they would say
            entries = root.entries["defaults"].node.entries
            self.bad_defaults = {kind: set(entry.node.entries) for kind, entry in entries.items()}
        elif "defaults" in root.value:
            self.read_defaults(root.entries["defaults"].node)
        if "layers" in root.value:
            self.layers(root.entries["layers"].node)
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
            if list(unknown.values()) == [None] and len(missing) == 1:  # one mistake
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
                wrong = (
                    {str(one["loc"][0]) for one in errors if one["loc"]} if isinstance(value, dict) else set()
                )
                if name in ("inputs", "cells") and isinstance(value, dict) and wrong == value.keys():
                    self.structure.sections[name] = {}  # its names are known, so what else is named is wrong
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
        """Every cell after those that it has inside."""
        specs = self.structure.sections.get("cells", {})

        def inner(name: str) -> list[str]:
            return [one.use for one in specs[name].cells.values() if one.use in specs]

        order, cycles = find_order(specs, inner)

        def use(name: str, other: str) -> Span:
            key = next(key for key, one in specs[name].cells.items() if one.use == other)
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
                labels=[(one, "and here") for one in further],
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

    def read_defaults(self, node: SourceNode) -> None:
        if not isinstance(node.value, dict):
            message = f"defaults has to be a mapping from layer types to keys, not {describe(node.value)}"
            self.diagnostics.error("NW0203", message, node.span)
            self.bad_defaults = {kind: {"*"} for kind in LAYERS}
            return
        for kind, entry in node.entries.items():
            path = ("defaults", kind)
            if kind not in LAYERS:
                self.unknown_type(kind, entry.key_span)
                if meant := type_meant(kind, LAYERS):
                    self.bad_defaults[meant] = {"*"}
            elif not isinstance(entry.node.value, dict):
                message = f"the defaults of {kind} have to be a mapping, not {describe(entry.node.value)}"
                self.diagnostics.error("NW0203", message, entry.node.span)
                self.bad_defaults[kind] = {"*"}
            else:
                self.defaults[kind] = self.good_defaults(kind, entry.node.value, path)
        self.structure.sections["defaults"] = self.defaults

    def good_defaults(self, kind: str, values: dict[str, Any], path: Path) -> dict[str, Any]:
        """The defaults of a layer type without those that are wrong, which are reported here and not at each
        layer.
        """
        cls = LAYERS[kind]
        own = [key for key in values if key in OWN_KEYS]
        for key in own:
            message = f"{key} belongs to a single layer, it can't be a default"
            self.diagnostics.error("NW0201", message, self.tree.key_span((*path, key)))
        kept = {key: value for key, value in values.items() if key not in own}
        try:
            cls.model_validate({**kept, "name": "default", "type": kind}, context=self.context)
        except ValidationError as error:
            errors = [one for one in error.errors(include_url=False, include_input=False) if one["loc"]]
            errors = [one for one in errors if one["type"] != "missing" or len(one["loc"]) > 1]
            Translator(self.tree, self.diagnostics, path).report(errors, cls, kind)
            wrong = {str(one["loc"][0]) for one in errors}
            self.bad_defaults[kind] = wrong
            return {key: value for key, value in kept.items() if key not in wrong}
        return kept

    def layers(self, node: SourceNode) -> None:
        if not isinstance(node.value, list) or not (
            node.value or self.expansion.groups or self.expansion.poisoned
        ):
            found = "an empty list" if node.value == [] else describe(node.value)
            place = self.tree.key_span(("layers",))
            self.diagnostics.error("NW0203", f"layers has to be a list of layers, not {found}", place)
            self.structure.broken["layers"] = {"*"}
            return
        pairs = enumerate(zip(node.items, self.expansion.placements, strict=True))
        self.structure.entries = [
            self.layer(item, ("layers", i), placement) for i, (item, placement) in pairs
        ]
        good = [entry.spec for entry in self.structure.entries if entry.spec]
        self.structure.sections["layers"] = tuple(good)

    def layer(self, node: SourceNode, path: Path, placement: Placement) -> LayerEntry:
        if placement.broken:
            return LayerEntry(placement.name, None, path, {}, None, placement)
        if not isinstance(node.value, dict):
            message = f"a layer is a mapping such as {{name: a, type: relu}}, not {describe(node.value)}"
            self.diagnostics.error("NW0203", message, node.span)
            return LayerEntry(None, None, path, {}, None, placement)
        name, kind = placement.name, node.value.get("type")
        if not isinstance(kind, str) or kind not in LAYERS:
            self.no_type(node, path, name)
            if isinstance(kind, str) and is_certain(kind, meant := type_meant(kind, LAYERS)) and meant:
                self.model(meant, node, path, guessed=True)  # its other keys are read all the same
            return LayerEntry(name, None, path, {}, None, placement)
        spec, overlay = self.model(kind, node, path)
        if spec:
            spec = spec.model_copy(update={"name": name, "share": self.shared(spec, placement)})
        if isinstance(spec, ExpressionLayer | ExpressionPool):
            expression = compile_expression(spec, self.tree, path, overlay, self.diagnostics)
            if expression is None:
                spec = None
            else:
                self.structure.expressions[spec.name] = expression
        return LayerEntry(name, kind, path, overlay, spec, placement)

    def model(
        self, kind: str, node: SourceNode, path: Path, guessed: bool = False
    ) -> tuple[LayerSpec | None, dict[str, Path]]:
        """A layer's keys as the model of its type, and the places of those from `defaults`; what is wrong with
        them is reported, but for what a type that is only `guessed` would need.
        """
        defaults = self.defaults.get(kind, {})
        overlay: dict[str, Path] = {key: ("defaults", kind, key) for key in defaults if key not in node.value}
        unknown = self.bad_defaults.get(kind, set()) - node.value.keys()
        try:
            values = {**defaults, **node.value, "type": kind}
            spec = LAYERS[kind].model_validate(values, context=self.context)
            # A default that is wrong, and reported, would have told more of the layer.
            return None if unknown else spec, overlay
        except ValidationError as error:
            errors = error.errors(include_url=False, include_input=False)
            if guessed or unknown - set(
                keys_of(LAYERS[kind])
            ):  # a default by an unknown name may be any that is missing
                unknown |= {one["loc"][0] for one in errors}
            if unknown - set(
                keys_of(LAYERS[kind])
            ):  # a default by an unknown name may be any that is missing
                unknown |= {one["loc"][0] for one in errors}
            errors = [one for one in errors if one["type"] != "missing" or one["loc"][0] not in unknown]
            Translator(self.tree, self.diagnostics, path, overlay).report(errors, LAYERS[kind], kind)
            return None, overlay

    def shared(self, spec: LayerSpec, placement: Placement) -> str | None:
        """The full name of the layer whose parameters a layer uses."""
        if spec.share is None:
            return placement.share if spec.has_parameters else None
        owner = placement.scope + spec.share
        if placement.index is not None and f"{owner}.{placement.index}" in self.placed:
            owner = f"{owner}.{placement.index}"
        known = self.placed.get(owner)
        return known.share if known and known.share else owner

    def no_type(self, node: SourceNode, path: Path, name: str | None) -> None:
        who = f"the layer {name}" if name else "the layer"
        if "type" not in node.entries:
            other, meant = next(
                ((key, meant) for key in node.entries if (meant := _kind_meant(key)) not in (None, key)),
                (None, None),
            )
            if other:
                span = self.tree.key_span((*path, other))
                fixes = respelled(other, meant, span, safe=is_certain(other, meant))
                help = did_you_mean(meant)
                self.diagnostics.error("NW0201", f"unknown key {other}", span, help=help, fixes=fixes)
            else:
                span = node.entries["name"].node.span if "name" in node.entries else node.span
                fitting = _fitting_types(node)
                help = f"its keys are those of {', '.join(fitting)}" if fitting else None
                fixes = [fix for kind in fitting for fix in with_key(node, "type", kind)]
                self.diagnostics.error("NW0202", f"{who} needs a type", span, help=help, fixes=fixes)
        elif not isinstance(node.value["type"], str):
            message = f"the type of {who} has to be a name, not {describe(node.value['type'])}"
            self.diagnostics.error("NW0203", message, self.tree.value_span((*path, "type")))
        else:
            self.unknown_type(node.value["type"], self.tree.value_span((*path, "type")))

    def unknown_type(self, kind: str, span: Any) -> None:
        meant = type_meant(kind, LAYERS)
        help = (
            did_you_mean(meant)
            or f"none is spelled like it; netwright schema lists the {len(LAYERS)} layer types"
        )
        fixes = respelled(kind, meant, span, safe=is_certain(kind, meant))
        self.diagnostics.error("NW0206", f"unknown layer type {describe(kind)}", span, help=help, fixes=fixes)


def _good_part(value: Any, errors: Sequence[Any], key: str) -> Any:
    """What is right of a dim that is partly wrong; None where nothing is.

    A least size that can't be read is taken to be large, so that nothing is found to be too short for anything.
    """
    wrong = {step for one in errors if one["loc"][0] == key for step in one["loc"][1:]}
    if not isinstance(value, dict) or not wrong & value.keys():
        return None
    good = {own: inner for own, inner in value.items() if own not in wrong}
    return {**good, "min": good.get("max", MAX_SIZE)} if "min" in wrong else good


def _kind_meant(key: str) -> str | None:
    """What says what a layer is, `type` or `use`, where a key misspells one of them."""
    if key in ("op", "kind"):
        return "type"
    return None if key in _LAYER_KEYS else key_meant(key, ("type", "use"))


def _fitting_types(node: SourceNode) -> list[str]:
    """The layer types that a layer without a type can be meant to have, by its keys; none where there are many."""
    written = node.entries.keys() - OWN_KEYS
    fitting = []
    for kind, model in LAYERS.items():
        fields = {info.alias or name: info for name, info in model.model_fields.items()}
        needed = {key for key, info in fields.items() if info.is_required()} - OWN_KEYS
        if written and needed <= written <= fields.keys():
            fitting.append(kind)
    return fitting if len(fitting) <= 4 else []
