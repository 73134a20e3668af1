"""Inputs that executables generate to test and time themselves, and the sums that stand for their values."""

from __future__ import annotations

import numpy as np

from netwright.compiler.codegen.files.generated import generated_inputs
from netwright.compiler.vectors import sums_of
from netwright.specs.manifest import BufferInfo, DimInfo, EntryInfo, Manifest, RangeInfo


def test_generated_integers_are_in_their_ranges() -> None:
    manifest = Manifest(
        netwright="",
        model="m",
        target="",
        dims=[DimInfo(name="N")],
        buffers=[
            BufferInfo(
                name="token",
                role="input",
                dtype="int64",
                shape=["N", "50"],
                ranges=[RangeInfo(what="index", high="2*N", low=1), RangeInfo(what="index", high="9")],
            ),
            BufferInfo(name="x", role="input", dtype="float32", shape=["N", "1000"]),
        ],
        entries=[EntryInfo(name="predict", symbol="", reads=["token", "x"], writes=[], slots=0)],
    )
    made = generated_inputs(manifest, "predict", {"N": 3})
    assert sorted(set(made["token"].flat)) == [1, 2, 3, 4, 5, 6]
    assert -1 <= made["x"].min() < -0.99
    assert 0.99 < made["x"].max() < 1
    assert abs(float(made["x"].mean())) < 0.05


def test_sums_see_every_element_and_their_order() -> None:
    value = np.arange(100, dtype=np.float32)
    sums = sums_of(value, 8)
    assert sums.shape == (8,)
    np.testing.assert_array_equal(sums_of(value[:8], 8), value[:8])
    for i in range(100):
        changed = value.copy()
        changed[i] += 1
        assert (sums_of(changed, 8) != sums).sum() == 1
    swapped = value.copy()
    swapped[[8, 16]] = swapped[[16, 8]]
    assert (sums_of(swapped, 8) != sums).any()
