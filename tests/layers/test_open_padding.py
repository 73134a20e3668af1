"""Padding by numbers of cells that follow from open sizes: to a multiple, by a difference, or cutting off."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from netwright.compiler.frontend.build import build_network
from netwright.compiler.interpreter import evaluate
from netwright.specs.load import load_spec_text

SPEC = """\
netwright: 1
model: pads
dims: {{N: batch, T: {{min: 4}}, H: {{min: 3}}}}
inputs:
  x: {{shape: [N, T, 3], dtype: float64}}
  o: {{shape: [N, H, 3], dtype: float64}}
layers:
  - {{name: y, type: pad, inputs: [x], axes: [1], {keys}}}
  - {{name: z, type: flatten, inputs: [o], start_axis: 2}}
outputs: {{y: y, z: z}}
"""


def found(keys: str, x: NDArray, other: int) -> NDArray:
    net, diagnostics = build_network(load_spec_text(SPEC.format(keys=keys)))
    assert net is not None, diagnostics
    given = {"x": x, "o": np.zeros((len(x), other, 3))}
    return evaluate(net.graphs["predict"], given, {"N": len(x), "T": x.shape[1], "H": other})["y"]


def codes(keys: str) -> list[str]:
    return [one.code for one in build_network(load_spec_text(SPEC.format(keys=keys)))[1].errors]


@pytest.mark.parametrize("steps", [4, 5, 7, 8, 13])
@pytest.mark.parametrize("mode", ["constant", "edge", "reflect", "symmetric", "wrap"])
def test_by_remainders(mode: str, steps: int) -> None:
    x = np.arange(steps * 6.0).reshape(2, steps, 3)
    low, high = steps % 3, -steps % 4
    expected = np.pad(x, ((0, 0), (low, high), (0, 0)), mode=mode)  # type: ignore[call-overload]
    keys = f"padding: [['T - 3*(T//3)', '4*((T + 3)//4) - T']], mode: {mode}"
    np.testing.assert_array_equal(found(keys, x, 1), expected)


@pytest.mark.parametrize(("steps", "other"), [(4, 9), (9, 4), (5, 5), (6, 5)])
def test_by_a_difference_that_pads_or_cuts(steps: int, other: int) -> None:
    x = np.arange(steps * 6.0).reshape(2, steps, 3)
    missing = max(0, other - steps)
    expected = np.pad(x, ((0, 0), (0, missing), (0, 0)), constant_values=2)[:, :other]
    np.testing.assert_array_equal(found("padding: [[0, H - T]], value: 2.0", x, other), expected)


def test_what_is_refused() -> None:
    assert codes("padding: [[0, 3 - T]]") == []
    assert codes("padding: [[0, '-(T//2) - 3']]") == ["NW0313"]  # of 4 cells none would remain
    assert codes("padding: [[0, T]], mode: wrap") == ["NW0204"]  # no greatest number of cells
    assert codes("padding: [[0, 'T - 8*(T//8)']], mode: reflect") == ["NW0304"]  # 7 cells of 4
    assert load_spec_text(SPEC.format(keys="padding: [[0, S]]")).diagnostics.has_errors  # no such dim
