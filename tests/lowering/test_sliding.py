"""Sums that slide read the elements of a row in order, each for all taps."""

from __future__ import annotations

from netwright.compiler.lowering.tiles.sliding import in_order_of_elements


def test_elements_follow_each_other() -> None:
    """Three cells of two vectors, two taps: cell r reads element r + t at tap t."""
    indices = [(0, cell, lane) for cell in range(3) for lane in (0, 16)]
    pairs = list(in_order_of_elements(indices, 2, 1))
    assert [indices[number][1] + tap for number, tap in pairs] == [0, 0, 1, 1, 1, 1, 2, 2, 2, 2, 3, 3]
    assert sorted(pairs) == [(number, tap) for number in range(6) for tap in range(2)]
    for number in range(6):  # each sum adds its taps in order
        assert [tap for own, tap in pairs if own == number] == [0, 1]


def test_bands_follow_each_other() -> None:
    indices = [(band, cell, 0) for cell in range(2) for band in range(2)]
    pairs = list(in_order_of_elements(indices, 3, 1))
    assert [indices[number][0] for number, _ in pairs] == [0] * 6 + [1] * 6
