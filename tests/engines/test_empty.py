"""An open axis that may be empty: a slice that goes past the end of the shorter inputs.

What follows works on no cells at all then, in every engine the same.
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import product
from random import Random
from typing import Any

import numpy as np
import pytest

from ..machines import AVX2
from ..slices import sliced
from .harness import Model, losses_of
from .layers import LAYERS
from .sketch import Sketch, Thrown
from .specs import finish

#: Layers that need cells: windows over them, positions among them, sizes that are known.
NEED_CELLS = {
    *(
        "conv1d",
        "depthwise_conv1d",
        "separable_conv1d",
        "conv_transpose1d",
        "max_pool1d",
        "mean_pool1d",
        "pool1d",
    ),
    *("lp_pool1d", "windows", "scan_window", "resize", "up_sampling1d", "space_to_depth", "embedding"),
    *("spectrogram", "mel_spectrogram", "log_mel", "mfcc"),
    *("gather_nd", "gather_elements", "scatter_elements", "scatter_nd", "grid_sample", "max_unpool"),
}
ALL = sorted(kind for kind in LAYERS if kind[-2:] not in ("2d", "3d") and kind not in NEED_CELLS)


def several(layer: Mapping[str, Any]) -> bool:
    """Whether a recurrence stands for several: each is compiled, and is empty as the others are."""
    return (
        layer.get("layers", 1) != 1 or layer.get("bidirectional", False) or layer.get("unroll") in (5, "auto")
    )


#: Layers that do not fit an axis that is always empty.
NEVER_EMPTY = ("broadcast_to", "lrn", "reshape")


def in_turn(kind: str, stops: int | None) -> bool:
    """Each layer is trained on an axis that is always empty, or predicts on one that may be."""
    return kind in NEVER_EMPTY or (ALL.index(kind) % 2 == 0) == (stops is None)


@pytest.mark.alike(4)
@pytest.mark.parametrize(("kind", "stops"), sliced(product(ALL, (None, 2)), in_turn))
def test_a_layer_of_an_axis_that_is_empty(kind: str, stops: int | None) -> None:
    """Of 1 and 2 cells nothing remains, of 4 two do; or never any."""
    for seed in range(12):
        s = Sketch(Thrown(Random(seed)))
        s.dims["W"] = {"min": 1}
        x = s.layer("slice", s.input("W", 3), axes=1, starts=2, stops=stops)
        assert x is not None
        if (made := LAYERS[kind](s, x)) is None:
            continue
        finish(s, [made])
        spec = s.spec()
        if stops is not None:
            spec.pop("train", None)  # it compiles sooner
        if any(one.get("steps") == "last" for one in losses_of(spec)):
            continue  # there has to be one
        if any("lengths" in layer for layer in s.layers):
            continue  # computed ones are 1 or more
        if any(map(several, s.layers)):
            continue
        # A step of training computes the answers and the loss, too.
        model = Model(spec, AVX2, entries=("predict" if stops is not None else "train_step",))
        for cells in (1, 2, 4):
            dims = {"N": 2, "W": cells}
            if stops is not None:
                model.check_predict(dims, loops=cells == 1)
            else:
                model.check_training(dims, 2, threads=2)
        return
    assert stops is not None, f"no {kind} fits"
    assert kind in NEVER_EMPTY, f"no {kind} fits an axis that is always empty"


@pytest.mark.parametrize(
    ("op", "expected"),
    [
        ("sum", 0),
        ("mean", np.nan),
        ("max", -np.inf),
        ("min", np.inf),
        ("prod", 1),
        ("l1", 0),
        ("log_sum", -np.inf),
    ],
)
def test_what_no_numbers_are_reduced_to(op: str, expected: float) -> None:
    s = Sketch(Thrown(Random(0)))
    s.dims["W"] = {"min": 1}
    x = s.layer("slice", s.input("W", 3), axes=1, starts=2)
    made = s.layer("reduce", x, op=op, axes=[1]) if x else None
    position = s.layer("argmax", x, axis=1) if x else None
    assert made is not None
    assert position is not None
    s.output(made)
    s.output(position)
    model, dims = Model(s.spec()), {"N": 2, "W": 1}
    model.check_predict(dims)
    found = model.run_native(model.session({}), "predict", model.batch(dims))
    np.testing.assert_array_equal(found[f"out_{made.name}"], np.full((2, 3), expected))
    np.testing.assert_array_equal(found[f"out_{position.name}"], np.zeros((2, 3)))
