"""Drawn networks through all engines.

A few of each family here, a few hundred with `pytest tests/engines --hypothesis-profile=deep` (an hour or two on one
core; `-k recurrences` or another family for a part of it, `--hypothesis-seed=N` for others).
"""

from __future__ import annotations

from typing import Any

from hypothesis import given, note, settings
from hypothesis import strategies as st

from netwright.compiler.machine import Machine
from netwright.specs.models.layers import LAYERS

from ..machines import MACHINES
from .catalogs import feature_catalog, recurrent_catalog, window_catalog
from .harness import Model, as_text
from .layers import ANY, BY_RANK, GLOBAL, RECURRENT
from .layers import LAYERS as DRAWN
from .specs import Grow, features, frames, recurrences, specs, windows

#: Networks of a family of chains: 1 in ci, besides those that `tests/draw` draws; 199 in deep.
EXAMPLES = max(1, (settings.default.max_examples if settings.default else 0) // 5 - 3)


def sizes(model: Model, numbers: st.DataObject, most: int = 6) -> dict[str, int]:
    """Dims that the model admits: batches of 1 to 5, and other sizes from their minimum on."""
    return {
        name: numbers.draw(st.sampled_from([1, 2, 3, 5] if name == "N" else range(dim.min, dim.min + most)))
        for name, dim in model.network.dims.items()
    }


def check(model: Model, numbers: st.DataObject, loops: bool) -> None:
    """The same program on two bindings of its dims, then two steps of training."""
    note(as_text(model.spec))
    seed = numbers.draw(st.integers(0, 99))
    for _ in range(2):
        model.check_predict(sizes(model, numbers), seed, loops)
    model.check_training(sizes(model, numbers), 2, seed, numbers.draw(st.sampled_from([1, 2])), loops)


def family(grow: Grow, examples: int, dtype: str = "float64") -> Any:
    """A test of drawn networks of a family."""

    @settings(max_examples=examples)
    @given(specs(grow, dtype), st.sampled_from([*MACHINES.values()]), st.booleans(), st.data())
    def test(spec: dict[str, Any], machine: Machine, loops: bool, numbers: st.DataObject) -> None:
        check(Model(spec, machine), numbers, loops)

    return test


test_features = family(features, EXAMPLES)
test_windows = family(windows, EXAMPLES)
test_recurrences = family(recurrences, EXAMPLES)
HALF = max(1, EXAMPLES // 2)
test_frames = family(frames, HALF)
test_float32 = family(recurrences, HALF, "float32")
test_catalog_of_features = family(feature_catalog, HALF)
test_catalog_of_windows = family(window_catalog, HALF)
test_catalog_of_recurrences = family(recurrent_catalog, HALF)


def test_the_catalogs_hold_what_their_families_draw() -> None:
    """By the catalogs even where there is one example of each; `tests.draw` draws every layer of the language."""
    ranks = {kind for kinds in BY_RANK.values() for kind in kinds}
    assert {*ANY, *GLOBAL, *RECURRENT, *ranks, "embedding", "argmax"} <= DRAWN.keys() <= LAYERS.keys()
