"""Fixes: each one offered was tried, makes its error go away, and leaves comments and layout alone."""

from pathlib import Path

import pytest
from click.testing import CliRunner

from netwright.cli import main
from netwright.fixing import fix_spec
from netwright.model import Model
from netwright.specs.diagnostics.fixes import apply_fixes
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
            if len(before.errors) == 1 and item.severity == "error":
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


#: A warning's spec, and what stands in it once the fix is made.
WARNINGS = {
    "NW0602": ("inputs:\n", "inputs:\n  z: {shape: [N, 2]}\n", "inputs:\n  x:"),
    "NW0603": ("padding: same", "stride: 2", "padding: same_upper"),
    "NW0604": ("padding: same", "padding: same, stride: 2", "padding: same_upper, stride: 2"),
    "NW0605": ("pool_size: 2  ", "pool_size: 3  ", "pool_size: 3    # half\n    rounding: floor"),
    "NW0606": ("units: 10", "units: 10, activation: softmax", "units: 10, activation: linear"),
    "NW0608": ("units: 10", "units: 10, activation: sigmoid", "units: 10, activation: linear"),
}
LOSSES = {"NW0606": "softmax_cross_entropy", "NW0608": "binary_cross_entropy"}


@pytest.mark.parametrize("code", WARNINGS)
def test_warnings_offer_the_setting_they_name(code: str) -> None:
    right, wrong, fixed = WARNINGS[code]
    train = f"train:\n  data: {{train: t.npz}}\n  loss: {{type: {LOSSES.get(code, 'mse')}, output: y, target: t}}\n"
    text = SPEC.replace(right, wrong) + train
    found = Model(load_spec_text(text, "m.yaml")).diagnostics
    (fix,) = next(item.fixes for item in found if item.code == code)
    assert not fix.safe
    made, _ = apply_fixes(found.sources["m.yaml"], [fix])
    assert fixed in made
    after = Model(load_spec_text(made, "m.yaml")).diagnostics
    assert code not in [item.code for item in after]
    assert not after.has_errors


CELL = """\
netwright: 1
model: m
dims: {N: batch, T: time}
inputs: {x: {shape: [N, T, 3]}}
vars: {width: 4}
cells:
  mine:
    args: {count: int}
    input: {value: [F]}
    states: {memory: {shape: [count]}}
    params: {weight: {shape: [F, count]}}
    update: {memory: tanh(value @ weight + prev(memory))}
    output: memory   # all of it
layers:
  - {name: a, type: recurrent, cell: mine, with: {count: $width}}
  - {name: b, type: expression, value: tanh(x) * 2}
outputs: {y: b}
"""
MISSPELT = [
    ("tanh(value @", "tanh(valeu @"),
    ("tanh(value @", "tahn(value @"),
    ("prev(memory)", "prev(memroy)"),
    ("output: memory", "output: memori"),
    ("[F, count]", "[F, coutn]"),
    ("{count: $width}", "{cuont: $width}"),
    ("$width", "$widht"),
    ("tanh(x) * 2", "tanhh(x) * 2"),
]


@pytest.mark.parametrize(("right", "wrong"), MISSPELT, ids=[wrong for _, wrong in MISSPELT])
def test_misspelt_names_in_equations_and_values(right: str, wrong: str) -> None:
    assert CELL.count(right) == 1
    model = Model(load_spec_text(CELL.replace(right, wrong), "m.yaml"))
    assert len(model.diagnostics.errors) == 1, model.diagnostics.to_text()
    assert fix_spec(model.load).text == CELL.replace(right, wrong)
    assert fix_spec(model.load, unsafe=True).text == CELL


PARTS = """\
blocks:
  stage:   # shared
    args: {units: int}
    layers:
      - {name: a, type: dense, unit: $units}
      - {name: b, type: Relu}
"""


@pytest.mark.parametrize("line_break", ["\n", "\r\n"])
def test_included_files_are_fixed_and_line_breaks_stay(tmp_path: Path, line_break: str) -> None:
    main_text = (
        "model: m\ndims: {N: batch}\ninputs: {x: {shape: [N, 8]}}\ninclude: parts.yaml\n"
        "layers:\n  - {name: s, use: stage, with: {units: 3}}\noutputs: {y: s}\n"
    )
    spec, parts = tmp_path / "m.yaml", tmp_path / "parts.yaml"
    spec.write_bytes(main_text.replace("\n", line_break).encode())
    parts.write_bytes(b"\xef\xbb\xbf" + PARTS.replace("\n", line_break).encode())
    shown = CliRunner().invoke(main, ["fix", str(spec), "--diff"])
    assert "+      - {name: a, type: dense, units: $units}" in shown.output
    assert parts.read_bytes() == b"\xef\xbb\xbf" + PARTS.replace("\n", line_break).encode()
    elsewhere = CliRunner().invoke(main, ["fix", str(spec), "-o", str(tmp_path / "new.yaml")])
    assert elsewhere.exit_code == 1
    assert parts.read_bytes() == b"\xef\xbb\xbf" + PARTS.replace("\n", line_break).encode()
    done = CliRunner().invoke(main, ["fix", str(spec)])
    assert done.exit_code == 0, done.output
    assert f"{parts}:5: write units" in done.output
    fixed = PARTS.replace("unit:", "units:").replace("Relu", "relu")
    assert parts.read_bytes() == b"\xef\xbb\xbf" + fixed.replace("\n", line_break).encode()
    assert spec.read_bytes() == f"netwright: 1\n{main_text}".replace("\n", line_break).encode()


@pytest.mark.parametrize("add", ["dims: {T: time}", "dims:\n  T: time"])
def test_added_lines_end_as_the_others(add: str) -> None:
    text = SPEC.replace("dims: {N: batch}   # open", add).replace("netwright: 1\n", "").replace("\n", "\r\n")
    fixed = fix_spec(Model(load_spec_text(text, "m.yaml")).load)
    assert not fixed.diagnostics.has_errors
    assert fixed.text.startswith("netwright: 1\r\nmodel: m\r\ndims:")
    assert fixed.text.count("\r\n") == fixed.text.count("\n")


DEEP = """\
netwright: 1
model: deep
dims: {N: batch}
inputs: {image: {shape: [N, 28, 28, 1]}}
layers:
  - {name: a, type: conv2d, filters: 4, kernel_size: 5}
  - {name: p, type: max_pool2d, pool_size: 2}
  - {name: b, type: conv2d, filters: 4, kernel_size: 5}
  - {name: q, type: max_pool2d, pool_size: 2}
  - {name: c, type: conv2d, filters: 4, kernel_size: 5}
  - {name: r, type: max_pool2d, pool_size: 2}
  - {name: d, type: conv2d, filters: 4, kernel_size: 5}
outputs: {y: d}
"""
BRANCHES = """\
netwright: 1
model: unet
dims: {N: batch}
inputs: {image: {shape: [N, 50, 36, 1]}}
layers:
  - {name: a, type: conv2d, filters: 4, kernel_size: 3, padding: same}
  - {name: p, type: max_pool2d, pool_size: 2}
  - {name: b, type: conv2d, filters: 4, kernel_size: 3, padding: same}
  - {name: q, type: max_pool2d, pool_size: 2}
  - {name: r, type: max_pool2d, pool_size: 2}
  - {name: up1, type: up_sampling2d, size: 4}
  - {name: m1, type: concat, inputs: [up1, b]}
  - {name: up2, type: up_sampling2d, size: 2}
  - {name: m2, type: concat, inputs: [up2, a]}
outputs: {y: m2}
"""


def test_an_input_is_large_enough_for_the_whole_network() -> None:
    (error,) = Model(load_spec_text(DEEP, "m.yaml")).diagnostics.errors
    assert [fix.title for fix in error.fixes] == ["image of 61×61 or more"]
    for size, valid in ((61, True), (60, False)):
        assert Model(load_spec_text(DEEP.replace("28, 28", f"{size}, {size}"), "m.yaml")).is_valid == valid


def test_an_input_makes_all_branches_agree() -> None:
    (error,) = Model(load_spec_text(BRANCHES, "m.yaml")).diagnostics.errors
    assert error.code == "NW0308"
    assert [fix.title for fix in error.fixes] == ["image of 56×40"]
    text, _ = apply_fixes(
        Model(load_spec_text(BRANCHES, "m.yaml")).diagnostics.sources["m.yaml"], error.fixes
    )
    assert "shape: [N, 56, 40, 1]" in text
