"""A spec in one piece: with its settings made and its included files put in, as plain values."""

from __future__ import annotations

from typing import Any

from .diagnostics.diagnostic import Diagnostics
from .expansion.include import include
from .load import LoadResult
from .reading.documents import read_text
from .reading.settings import apply_settings


def flat_spec(load: LoadResult) -> dict[str, Any]:
    """The sections of a valid spec as they are written, variables and blocks included."""
    texts = {name: source.text for name, source in load.diagnostics.sources.items()}
    diagnostics = Diagnostics()
    tree = read_text(texts[load.file], load.file, diagnostics)
    assert tree is not None
    if load.settings:
        tree = apply_settings(tree, load.settings)
    included, _ = include(tree, load.folder, diagnostics, texts)
    return {name: value for name, value in included.root.value.items() if name not in ("include", "$schema")}
