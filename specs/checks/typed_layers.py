"""Layers as typed values: each with the keys of its type, including those from `defaults`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import ValidationError

from ..diagnostics.diagnostic import Diagnostics
from ..diagnostics.fixes import respelled, with_key
from ..diagnostics.model_paths import keys_of
from ..diagnostics.suggest import did_you_mean, is_certain, key_meant, type_meant, type_note
from ..diagnostics.translation.translator import Translator
from ..diagnostics.translation.words import describe
from ..equations.expressions import Expression
from ..equations.layers import compile_expression
from ..expansion.placement import ExpandedSpec, Placement
from ..models.layers import LAYERS
from ..models.layers.base import LayerSpec
from ..models.layers.expression import ExpressionLayer
from ..models.layers.expression_pool import ExpressionPool
from ..source.tree import Path, SourceNode

_LAYER_KEYS = frozenset(key for kind in LAYERS.values() for key in keys_of(kind)) | {"use", "with"}
OWN_KEYS = frozenset(("name", "type", "inputs", "expect", "share", "repeat"))


@dataclass(frozen=True, slots=True)
class LayerEntry:
    """A layer of the spec.

    `name` begins with the names of the blocks around it. `spec` is None if the layer has an error. `path` is its place
    in the source; `overlay` has the places of keys that came from `defaults`.
    """

    name: str | None
    type: str | None
    path: Path
    overlay: dict[str, Path]
    spec: LayerSpec | None
    placement: Placement


class LayerReader:
    """Reads `defaults`, then layers, and reports errors to the diagnostics.

    ``context`` is passed to the validators of the models. ``expressions`` collects the equations of expression layers,
    by the layers' names.
    """

    def __init__(self, expansion: ExpandedSpec, diagnostics: Diagnostics, context: Mapping[str, Any]) -> None:
        self.tree, self.diagnostics, self.context = expansion.tree, diagnostics, dict(context)
        self.placed = {placement.name: placement for placement in expansion.placements}
        self.defaults: dict[str, dict[str, Any]] = {}
        self.bad_defaults: dict[str, set[str]] = {}
        self.expressions: dict[str, Expression] = {}

    def lose_defaults(self, node: SourceNode) -> None:
        """Marks `defaults` as present but unknown, because its values can't be computed."""
        self.bad_defaults = {kind: set(entry.node.entries) for kind, entry in node.entries.items()}

    def read_defaults(self, node: SourceNode) -> None:
        """The keys that all layers of a type may have."""
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

    def good_defaults(self, kind: str, values: dict[str, Any], path: Path) -> dict[str, Any]:
        """The valid defaults of a layer type. Invalid ones are reported here, once, not at each layer."""
        cls = LAYERS[kind]
        own = [key for key in values if key in OWN_KEYS]
        for key in own:
            message = f"{key} belongs to a single layer, it can't be a default"
            self.diagnostics.error("NW0201", message, self.tree.key_span((*path, key)))
        kept = {key: value for key, value in values.items() if key not in own}
        try:
            cls.model_validate({**kept, "name": "default", "type": kind}, context=self.context)
        except ValidationError as error:
            errors = [
                detail for detail in error.errors(include_url=False, include_input=False) if detail["loc"]
            ]
            errors = [detail for detail in errors if detail["type"] != "missing" or len(detail["loc"]) > 1]
            Translator(self.tree, self.diagnostics, path).report(errors, cls, kind)
            wrong = {str(detail["loc"][0]) for detail in errors}
            self.bad_defaults[kind] = wrong
            return {key: value for key, value in kept.items() if key not in wrong}
        return kept

    def layer(self, node: SourceNode, path: Path, placement: Placement) -> LayerEntry:
        """Reads the layer at a place of the spec."""
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
                self.model(meant, node, path, guessed=True)  # check its other keys all the same
            return LayerEntry(name, None, path, {}, None, placement)
        spec, overlay = self.model(kind, node, path)
        if spec:
            spec = spec.model_copy(update={"name": name, "share": self.shared(spec, placement)})
        if isinstance(spec, ExpressionLayer | ExpressionPool):
            expression = compile_expression(spec, self.tree, path, overlay, self.diagnostics)
            if expression is None:
                spec = None
            else:
                self.expressions[spec.name] = expression
        return LayerEntry(name, kind, path, overlay, spec, placement)

    def model(
        self, kind: str, node: SourceNode, path: Path, guessed: bool = False
    ) -> tuple[LayerSpec | None, dict[str, Path]]:
        """Validates a layer's keys with the model of its type. Returns the typed layer and the places of keys from
        `defaults`.

        Errors are reported, except missing keys if the type is only `guessed`.
        """
        defaults = self.defaults.get(kind, {})
        overlay: dict[str, Path] = {key: ("defaults", kind, key) for key in defaults if key not in node.value}
        unknown = self.bad_defaults.get(kind, set()) - node.value.keys()
        try:
            values = {**defaults, **node.value, "type": kind}
            spec = LAYERS[kind].model_validate(values, context=self.context)
            # An invalid default, already reported, leaves a part of the layer unknown.
            return None if unknown else spec, overlay
        except ValidationError as error:
            errors = error.errors(include_url=False, include_input=False)
            if guessed:
                errors = [detail for detail in errors if detail["type"] not in ("missing", "together")]
            elif unknown <= set(keys_of(LAYERS[kind])):
                errors = [
                    detail
                    for detail in errors
                    if detail["type"] != "missing" or detail["loc"][0] not in unknown
                ]
            else:  # a default under an unknown name may have been meant for any missing key
                errors = [
                    detail for detail in errors if detail["type"] != "missing" or len(detail["loc"]) > 1
                ]
            Translator(self.tree, self.diagnostics, path, overlay).report(errors, LAYERS[kind], kind)
            return None, overlay

    def shared(self, spec: LayerSpec, placement: Placement) -> str | None:
        """The full name of the layer whose parameters a layer shares."""
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
            or type_note(kind)
            or f"none is spelled like it; netwright schema lists the {len(LAYERS)} layer types"
        )
        fixes = respelled(kind, meant, span, safe=is_certain(kind, meant))
        self.diagnostics.error("NW0206", f"unknown layer type {describe(kind)}", span, help=help, fixes=fixes)


def _kind_meant(key: str) -> str | None:
    """The key that says what a layer is, `type` or `use`, if ``key`` misspells one of them."""
    if key in ("op", "kind"):
        return "type"
    return None if key in _LAYER_KEYS else key_meant(key, ("type", "use"))


def _fitting_types(node: SourceNode) -> list[str]:
    """The layer types that a layer without `type` may be meant to have, judged by its keys; none if there are many."""
    written = node.entries.keys() - OWN_KEYS
    fitting = []
    for kind, model in LAYERS.items():
        fields = {info.alias or name: info for name, info in model.model_fields.items()}
        needed = {key for key, info in fields.items() if info.is_required()} - OWN_KEYS
        if written and needed <= written <= fields.keys():
            fitting.append(kind)
    return fitting if len(fitting) <= 4 else []
