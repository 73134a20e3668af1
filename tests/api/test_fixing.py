"""Fixes: each one offered was tried, makes its error go away, and leaves comments and layout alone."""

from pathlib import Path

import pytest
from click.testing import CliRunner

from netwright.cli import main
from netwright.fixing import fix_spec
from netwright.model import Model
from netwright.specs.fixes import apply_fixes
from netwright.specs.load import load_spec_text

from ..specs.cases import FOLDER, Case, read_cases

BROKEN = [FOLDER, Path(__file__).parents[1] / "frontend" / "broken"]
CASES = [
    case
    for folder in BROKEN
    for path in sorted(folder.glob("*.txt"))
    for case in read_cases(path.name, folder)
]

SPEC = """\
netwright: 1
model: m
dims: {N: batch}   # open
inputs:
  x: {shape: [N, 8, 8, 3]}
layers:
  # the first one
  - {name: conv, type: conv2d, filters: 4, kernel_size: 3, padding: same, inputs: [x]}   # here
  - name: pool
    type: max_pool2d
    pool_size: 2    # half
  - {name: flat, type: flatten}
  - {name: head, type: dense, units: 10}
outputs: {y: head}
"""

#: What is written wrong, and what the fixes make of it.
SAFE = [
    ("filters: 4", "out_channels: 4", None),
    ("filters: 4", "filter: 4", None),
    ("filters: 4", 'filters: "4"', None),
    ("filters: 4", "filters: 4.0", None),
    ("filters: 4", 'filters: 4, "in_channels": 3', "filters: 4"),
    ("filters: 4", "filters: 4, filters: 4", "filters: 4"),
    ("type: conv2d", "type: Conv2D", None),
    ("type: conv2d", "op: conv2d", None),
    ("type: flatten", "type: Flaten", "type: flatten"),
    ("type: dense", "type: Linear", None),
    ("pool_size: 2    # half", "kernel_shape: 2    # half", None),
    ("    pool_size: 2    # half", "    pool_size: 2    # half\n    pool_size: 2", None),
    ("inputs: [x]", "inputs: x", None),
    ("inputs: [x]", "inputs: [X]", None),
    ("padding: same", "padding: 1", "padding: [[1, 1], [1, 1]]"),
    ("padding: same", "padding: Same", None),
    ("netwright: 1\n", "", None),
    ("dims: {N: batch}   # open\n", "", None),
    ("dims: {N: batch} ", "dims: {T: time} ", "dims: {T: time, N: batch} "),
]
UNSAFE = [
    ("units: 10", "units: 0", "units: 1"),
    ("inputs: [x]", "inputs: [xx]", "inputs: [x]"),
    ("outputs: {y: head}", "outputs: {y: heat}", "outputs: {y: head}"),
    ("filters: 4", "filters: 4, filters: 8", "filters: 4"),
    ("pool_size: 2 ", "pool_size: 20 ", "pool_size: 20 "),
]


@pytest.mark.parametrize(("right", "wrong", "fixed"), SAFE, ids=[wrong or right for right, wrong, _ in SAFE])
def test_safe_fixes(right: str, wrong: str, fixed: str | None) -> None:
    assert right in SPEC
    model = Model(load_spec_text(SPEC.replace(right, wrong), "m.yaml"))
    (error,) = model.diagnostics.errors
    assert error.fixes[0].safe, model.diagnostics.to_text()
    result = fix_spec(model.load)
    expected = SPEC.replace(right, fixed or right)
    if "dims" in right and not wrong:  # the comment is gone with the line
        assert "model: m\ndims: {N: batch}\ninputs:" in result.text
    else:
        assert result.text == expected
    assert not result.diagnostics.has_errors


@pytest.mark.parametrize(("right", "wrong", "fixed"), UNSAFE, ids=[wrong for _, wrong, _ in UNSAFE])
def test_unsafe_fixes_are_made_only_when_asked_for(right: str, wrong: str, fixed: str) -> None:
    model = Model(load_spec_text(SPEC.replace(right, wrong), "m.yaml"))
    assert model.diagnostics.errors[0].fixes
    assert fix_spec(model.load).text == SPEC.replace(right, wrong)
    result = fix_spec(model.load, unsafe=True)
    assert fixed in result.text
    assert not result.diagnostics.has_errors, result.diagnostics.to_text()


def test_a_window_that_does_not_fit() -> None:
    text = SPEC.replace("pool_size: 2 ", "pool_size: 20 ")
    (error,) = Model(load_spec_text(text, "m.yaml")).diagnostics.errors
    assert [fix.title for fix in error.fixes] == ["padding: same", "pool_size: 8", "x of 20×20 or more"]
    source = load_spec_text(text, "m.yaml").diagnostics.sources["m.yaml"]
    for fix in error.fixes:
        fixed, _ = apply_fixes(source, [fix])
        assert Model(load_spec_text(fixed, "m.yaml")).is_valid
        assert "# half\n" in fixed


def test_a_fix_that_does_not_work_is_not_offered() -> None:
    # A reader of the pool relies on its size: padding would change it.
    text = SPEC.replace("pool_size: 2 ", "pool_size: 20 ").replace(
        "type: flatten", "type: flatten, expect: [N, 9]"
    )
    errors = Model(load_spec_text(text, "m.yaml")).diagnostics.errors
    assert [error.code for error in errors] == ["NW0304"]
    assert errors[0].fixes == ()


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.title)
def test_every_fix_offered_removes_its_error(case: Case) -> None:
    model = Model(load_spec_text(case.text, case.file))
    before = model.diagnostics
    for item in before:
        for fix in item.fixes:
            text, made = apply_fixes(before.sources[case.file], [fix])
            assert made
            after = Model(load_spec_text(text, case.file)).diagnostics
            assert len([one for one in after if one.code == item.code and one.message == item.message]) < len(
                [one for one in before if one.code == item.code and one.message == item.message]
            )
            if len(before.errors) == 1:
                assert not after.has_errors or fix.safe, after.to_text()
            assert fix.title in before.to_text() or item.help


def test_command(tmp_path: Path) -> None:
    spec = tmp_path / "m.yaml"
    broken = SPEC.replace("filters: 4", "out_channels: 4").replace("units: 10", "units: 0")
    spec.write_text(broken, encoding="utf-8")
    shown = CliRunner().invoke(main, ["fix", str(spec), "--diff"])
    assert "-  - {name: conv, type: conv2d, out_channels: 4" in shown.output
    assert "+  - {name: conv, type: conv2d, filters: 4" in shown.output
    assert spec.read_text(encoding="utf-8") == broken
    done = CliRunner().invoke(main, ["fix", str(spec)])
    assert done.exit_code == 1
    assert "1 fix made" in done.output
    assert spec.read_text(encoding="utf-8") == SPEC.replace("units: 10", "units: 0")
    done = CliRunner().invoke(main, ["fix", str(spec), "--unsafe"])
    assert done.exit_code == 0, done.output
    assert "units: 1}" in spec.read_text(encoding="utf-8")


def test_command_leaves_what_can_not_be_read(tmp_path: Path) -> None:
    done = CliRunner().invoke(main, ["fix", str(tmp_path / "none.yaml")])
    assert done.exit_code == 1
    assert "NW0109" in done.output
