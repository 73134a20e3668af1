"""Summaries: parameters counted as the lecture does, receptive fields, arithmetic, shared weights."""

from pathlib import Path

import pytest

import netwright
from netwright.analysis.layer_table import short_count
from netwright.analysis.summary import Summary
from netwright.describe import bytes_text, flops_text
from netwright.specs.dims import parse_dim


def summary(tmp_path: Path, layers: str, shape: str = "[N, 81, 81, 1]", dims: str = "{N: batch}") -> Summary:
    path = tmp_path / "m.yaml"
    last = layers.rsplit("name: ", 1)[1].split(",")[0]
    path.write_text(
        f"netwright: 1\nmodel: m\ndims: {dims}\ninputs: {{x: {{shape: {shape}}}}}\n"
        f"layers:\n{layers}outputs: {{y: {last}}}\n",
        encoding="utf-8",
    )
    return netwright.load(path).summary()


def test_two_small_windows_see_what_one_large_window_sees_with_fewer_parameters(tmp_path: Path) -> None:
    """Distributing a 9×9 pattern over two layers of 3×3: 2·9 = 18 parameters against 81."""
    spread = summary(
        tmp_path,
        "  - {name: a, type: conv2d, filters: 1, kernel_size: 3, stride: 3, use_bias: false}\n"
        "  - {name: b, type: conv2d, filters: 1, kernel_size: 3, use_bias: false}\n",
    )
    single = summary(tmp_path, "  - {name: a, type: conv2d, filters: 1, kernel_size: 9, use_bias: false}\n")
    assert (spread.parameters, single.parameters) == (18, 81)
    assert str(spread.rows[-1].receptive_field) == str(single.rows[-1].receptive_field) == "9×9"


def test_receptive_fields_grow_through_strides_dilation_pools_and_joins(tmp_path: Path) -> None:
    found = summary(
        tmp_path,
        "  - {name: a, type: conv2d, filters: 4, kernel_size: [3, 1], padding: same, dilation: [2, 1]}\n"
        "  - {name: b, type: max_pool2d, pool_size: 2}\n"
        "  - {name: c, type: batch_norm}\n"
        "  - {name: d, type: conv2d, filters: 4, kernel_size: 3, padding: same}\n"
        "  - {name: e, type: add, inputs: [c, d]}\n"
        "  - {name: f, type: flatten}\n"
        "  - {name: g, type: dense, units: 2}\n",
    )
    fields = [str(row.receptive_field) for row in found.rows]
    assert fields == ["5×1", "6×2", "6×2", "10×6", "10×6", "10×6", "all"]
    assert found.rows[2].statistics == 8
    assert found.statistics == 8


def test_shared_parameters_count_once(tmp_path: Path) -> None:
    found = summary(
        tmp_path,
        "  - {name: near, type: conv2d, filters: 2, kernel_size: 3, padding: same}\n"
        "  - {name: far, type: conv2d, inputs: [x], filters: 2, kernel_size: 3, padding: same, dilation: 2,"
        " share: near}\n"
        "  - {name: both, type: concat, inputs: [near, far]}\n",
    )
    assert found.parameters == 20
    assert [row.parameters for row in found.rows] == [20, 20, 0]
    assert found.rows[1].shared_with == "near"
    assert "as near" in found.to_text()


def test_arithmetic_of_open_sizes_is_a_formula(tmp_path: Path) -> None:
    layers = "  - {name: a, type: dense, units: 5, use_bias: false}\n"
    found = summary(tmp_path, layers, "[N, T, 3]", "{N: batch, T: time}")
    assert found.flops == parse_dim("30*T")
    assert found.rows[0].receptive_field is None
    assert "30·T FLOPs per sample" in found.totals()
    assert "receptive" not in found.to_text()


@pytest.mark.parametrize(
    ("flops", "text"),
    [(0, ""), (1234567, "1,234,567"), (parse_dim("12345*T - 6*T//2 + 7000"), "12,342·T + 7,000")],
)
def test_numbers_are_grouped(flops: object, text: str) -> None:
    assert flops_text(flops) == text  # type: ignore[arg-type]


def test_sizes_of_files() -> None:
    assert [bytes_text(size) for size in (999, 17_600, 2_500_000, 3 * 10**9)] == [
        "999 bytes",
        "17.6 KB",
        "2.5 MB",
        "3 GB",
    ]


WORDS = """\
  - {name: first, type: conv2d, filters: 64, kernel_size: 3, padding: same}
  - {name: narrower, type: max_pool2d, pool_size: 2}
  - {name: normalized, type: batch_norm}
  - {name: flat, type: flatten}
  - {name: head, type: dense, units: 10}
"""


@pytest.mark.parametrize("width", [40, 60, 80, 100, 120])
def test_narrow_tables_break_no_word(tmp_path: Path, width: int) -> None:
    lines = summary(tmp_path, WORDS).to_text(width).splitlines()
    table = [
        line for line in lines[: next(i for i, line in enumerate(lines) if "parameters ·" in line)] if line
    ]
    assert max(map(len, table)) <= max(width, 46)
    text = " ".join(table)
    for word in ("first", "narrower", "normalized", "conv2d", "max_pool2d", "batch_norm", "[N, 81, 81, 64]"):
        assert word in text
    heading = text.partition(" x ")[0]
    for column, least in (("parameters", 60), ("FLOPs", 60), ("receptive", 80), ("stride", 80)):
        assert (column in heading) == (width >= least), column
    assert ("left out" in text) == (width < 80)


@pytest.mark.parametrize(
    ("flops", "text"), [(0, ""), (999, "999"), (36864, "36.9k"), (999_950, "1.00M"), (3 * 10**12, "3.00T")]
)
def test_short_numbers(flops: int, text: str) -> None:
    assert short_count(flops) == text
