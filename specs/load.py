"""Loads a file or a text to a validated model and reports everything that is wrong with it."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from .checks.structure import build
from .checks.typed_layers import LayerEntry
from .checks.wiring import Wiring, wire
from .diagnostics.diagnostic import Diagnostics
from .equations.cells import Cell
from .equations.expressions import Expression
from .expansion.expand import expand
from .expansion.include import include
from .models.spec import ModelSpec
from .reading.documents import read_file, read_text
from .reading.settings import apply_settings, settings_text
from .source.tree import Path, SourceNode, SourceTree, Span


@dataclass(frozen=True)
class LoadResult:
    """The result of loading a spec.

    `model` is None if there is any error. `partial` then still holds the valid parts (None if the text is not even a
    tree), so that shapes can be checked in the same run. `partial.wiring.poisoned` names the layers and inputs with
    errors: don't report errors about what reads them.
    """

    file: str
    model: ModelSpec | None
    partial: ModelSpec | None
    source: SourceTree | None
    diagnostics: Diagnostics
    wiring: Wiring = field(default_factory=Wiring)
    cells: Mapping[str, Cell] = field(default_factory=dict)
    """The spec's own cells, compiled; `builtin_cells.cell_of` finds a layer's cell."""
    expressions: Mapping[str, Expression] = field(default_factory=dict)
    """The equations of expression layers, by the layers' names."""
    loss_expressions: Mapping[int, Expression] = field(default_factory=dict)
    """The equations of losses, by their position."""
    entries: Mapping[str, LayerEntry] = field(default_factory=dict)
    """The path of each layer in the spec, by its name."""
    settings: tuple[str, ...] = ()
    """The settings that were applied before validation."""
    folder: str | None = None
    """The folder in which included files are looked up."""

    def layer_span(self, layer: str, *path: str | int, key: bool = False) -> Span:
        """The place of a value (or key) of a layer, in the layer or in `defaults`.

        For a key that is not written, it is the place of the layer's type; without a path, the place of the layer's
        name.
        """
        entry = self.entries[layer]
        if not path:
            return self.span((*entry.path, "name"))
        where = (
            (*entry.overlay[str(path[0])], *path[1:]) if path[0] in entry.overlay else (*entry.path, *path)
        )
        if self.source and len(self.source.nearest(where)) <= len(entry.path):
            where = (*entry.path, "type")
        return self.span(where, key=key)

    def node(self, path: Path) -> SourceNode | None:
        """The node at a path of the spec; None if there is none."""
        return self.source.node(path) if self.source else None

    def span(self, path: Path, *, key: bool = False) -> Span:
        """The place of the value (or key) at a path of the spec, or else of the nearest part above it."""
        if self.source is None:
            return Span(self.file, 1, 1, 1, 1)
        return self.source.key_span(path) if key else self.source.value_span(path)


def load_spec(path: str | os.PathLike[str], settings: Sequence[str] = ()) -> LoadResult:
    """Loads a spec file, YAML or (named .json) JSON. All errors in it go to the result's diagnostics.

    `settings`, each `path.to.key=value`, change the spec before it is validated. Raises `SettingError` if a setting
    can't be applied, and no other exception.
    """
    diagnostics = Diagnostics()
    folder = os.path.dirname(os.fspath(path)) or "."
    return _load(os.fspath(path), read_file(path, diagnostics), diagnostics, settings, folder, {})


def load_spec_text(
    text: str,
    file: str = "<spec>",
    settings: Sequence[str] = (),
    folder: str | None = None,
    texts: Mapping[str, str] | None = None,
) -> LoadResult:
    """Loads a spec from its text. All errors in it go to the result's diagnostics.

    `file` is the name shown in messages; a name that ends in .json means JSON. Included files are looked up in
    `folder`; without one the text can't include any. `texts` take the place of the contents of included files, by the
    names that diagnostics show. Raises `SettingError` as `load_spec` does, and no other exception.
    """
    diagnostics = Diagnostics()
    return _load(file, read_text(text, file, diagnostics), diagnostics, settings, folder, texts or {})


def _load(
    file: str,
    tree: SourceTree | None,
    diagnostics: Diagnostics,
    settings: Sequence[str],
    folder: str | None,
    texts: Mapping[str, str],
) -> LoadResult:
    if tree is None:
        return LoadResult(file, None, None, None, diagnostics, settings=tuple(settings), folder=folder)
    if settings:
        tree = apply_settings(tree, settings)
        diagnostics.add_source(settings_text(settings))
    included, complete = include(tree, folder, diagnostics, texts)
    expansion = expand(included, diagnostics, complete=complete)
    tree = expansion.tree
    structure = build(expansion, diagnostics)
    wiring = wire(structure, expansion, diagnostics)
    sections = {"schema_" if name == "$schema" else name: value for name, value in structure.sections.items()}
    empty = {"netwright": 1, "model": "model", "inputs": {}, "layers": (), "outputs": {}}
    partial = ModelSpec.model_construct(**{**empty, **sections})
    entries = {entry.name: entry for entry in reversed(structure.entries) if entry.name is not None}
    diagnostics.sort()
    diagnostics.join("NW0210")
    model = None if diagnostics.has_errors else partial
    return LoadResult(
        file,
        model,
        partial,
        tree,
        diagnostics,
        wiring,
        structure.cells,
        structure.expressions,
        structure.loss_expressions,
        entries,
        tuple(settings),
        folder,
    )
