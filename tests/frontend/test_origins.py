"""A size that does not fit is followed back to the input, and the smallest input that would fit is found."""

import json
from typing import Any

from hypothesis import assume, given
from hypothesis import strategies as st

from netwright.compiler.frontend.build import build_network
from netwright.compiler.frontend.origins import Origin, history, smallest_input
from netwright.specs.diagnostics.fixes import apply_fixes
from netwright.specs.load import load_spec_text

DIGITS = """\
netwright: 1
model: digits
dims: {N: batch}
inputs:
  image: {shape: [N, 28, 28, 1]}
blocks:
  stage:
    args: {filters: int}
    layers:
      - {name: a, type: conv2d, filters: $filters, kernel_size: 3, padding: same}
      - {name: pool, type: max_pool2d, pool_size: 2}
layers:
  - {name: s1, use: stage, with: {filters: 16}}
  - {name: s2, use: stage, with: {filters: 32}}
  - {name: s3, use: stage, with: {filters: 64}}
  - {name: deep, type: conv2d, filters: 8, kernel_size: 5}
outputs: {y: deep}
"""

TOLD = """\
error[NW0304]: the window does not fit
  --> digits.yaml:16:57
   |
 5 |   image: {shape: [N, 28, 28, 1]}
   |   ----- is [N, 28, 28, 1]
...
11 |       - {name: pool, type: max_pool2d, pool_size: 2}
   |                ---- s3.pool gives [N, 4, 4, 64]: 4 = ⌈7 / 2⌉
   |                ---- s2.pool gives [N, 7, 7, 32]: 7 = ⌈14 / 2⌉
   |                ---- s1.pool gives [N, 14, 14, 16]: 14 = ⌈28 / 2⌉
...
16 |   - {name: deep, type: conv2d, filters: 8, kernel_size: 5}
   |                                                         ^ 5 is larger than the input, 4
   |
   = help: padding: same · kernel_size: 4 · image of 33×33 or more
"""


def test_the_whole_history_is_told() -> None:
    _, diagnostics = build_network(load_spec_text(DIGITS, "digits.yaml"))
    (error,) = diagnostics.errors
    assert diagnostics.to_text().endswith(TOLD)
    assert "33, 33, 1" in apply_fixes(diagnostics.sources["digits.yaml"], [error.fixes[-1]])[0]


def test_two_branches_are_both_followed() -> None:
    text = DIGITS[: DIGITS.index("blocks:")] + (
        "layers:\n"
        "  - {name: c, type: conv2d, filters: 8, kernel_size: 3, stride: 2}\n"
        "  - {name: p, type: max_pool2d, pool_size: 2}\n"
        "  - {name: up, type: up_sampling2d, size: 2}\n"
        "  - {name: skip, type: add, inputs: [c, up]}\n"
        "outputs: {y: skip}\n"
    )
    _, diagnostics = build_network(load_spec_text(text, "m.yaml"))
    (error,) = diagnostics.errors
    assert [label for _, label in error.labels] == [
        "gives [N, 13, 13, 8]: 13 = ⌊(28 − 3) / 2⌋ + 1",
        "gives [N, 14, 14, 8]: 14 from 7",
        "is [N, 28, 28, 1]",
        "gives [N, 7, 7, 8]: 7 = ⌈13 / 2⌉",
    ]
    (fix,) = error.fixes  # 14 = ⌊(29 − 3) / 2⌋ + 1 is even
    assert fix.title == "image of 29×29"
    fixed, _ = apply_fixes(diagnostics.sources["m.yaml"], [fix])
    assert build_network(load_spec_text(fixed, "m.yaml"))[0] is not None


def test_of_a_long_history_both_ends_are_told() -> None:
    origin = Origin("x", "is [N, 999]", axis=1, size=999)
    for step in range(20):
        origin = Origin(f"l{step}", "gives less", (origin,), lambda size: size - 1)
    assert [one.name for one in history([origin])] == ["l19", "l18", "l17", "l16", "x"]
    found = smallest_input(origin, lambda size: size >= 1000)
    assert found is not None
    assert (found[0].name, found[0].axis, found[1]) == ("x", 1, 1020)
    assert smallest_input(Origin("flat", "", (origin, origin)), lambda size: True) is None
    assert smallest_input(origin, lambda size: size < 0) is None


@st.composite
def chains(draw: st.DrawFn) -> list[dict[str, Any]]:
    window = {"kernel_size": st.integers(1, 5), "stride": st.integers(1, 3), "dilation": st.integers(1, 2)}
    padding = st.sampled_from(["valid", "same", "same_upper", [[1, 0]]])
    conv = st.fixed_dictionaries(
        {"type": st.just("conv1d"), "filters": st.just(2), "padding": padding, **window}
    )
    pool = st.fixed_dictionaries(
        {
            "type": st.just("max_pool1d"),
            "pool_size": st.integers(2, 4),
            "rounding": st.sampled_from(["ceil", "floor"]),
        }
    )
    up = st.fixed_dictionaries({"type": st.just("up_sampling1d"), "size": st.integers(2, 3)})
    pad = st.just({"type": "pad", "axes": [1], "padding": [[1, 2]]})
    transposed = st.fixed_dictionaries(
        {
            "type": st.just("conv_transpose1d"),
            "filters": st.just(2),
            "kernel_size": st.integers(1, 3),
            "stride": st.integers(1, 2),
        }
    )
    layers = draw(st.lists(st.one_of(conv, conv, pool, up, pad, transposed), max_size=4))
    last = {"type": "conv1d", "filters": 1, "kernel_size": draw(st.integers(4, 9))}
    return [{"name": f"l{i}", **layer} for i, layer in enumerate([*layers, last])]


HEAD = """\
netwright: 1
model: m
dims: {N: batch}
inputs: {x: {shape: [N, SIZE, 1]}}
layers:
"""


def errors(layers: list[dict[str, Any]], size: int) -> list[Any]:
    lines = "".join(f"  - {json.dumps(layer)}\n" for layer in layers)
    text = f"{HEAD.replace('SIZE', str(size))}{lines}outputs: {{y: {layers[-1]['name']}}}\n"
    return build_network(load_spec_text(text, "m.yaml"))[1].errors


@given(chains(), st.integers(1, 12))
def test_the_smallest_input_fits_and_no_smaller_one(layers: list[dict[str, Any]], size: int) -> None:
    found = errors(layers, size)
    assume([error.code for error in found] == ["NW0304"])
    (title,) = [fix.title for fix in found[0].fixes if fix.title.startswith("x of ")]
    needed = int(title.split()[2])
    upto = layers[: found[0].span.line - HEAD.count("\n")]  # what is below may not fit even so
    assert not errors(upto, needed)
    assert all([error.code for error in errors(upto, less)] == ["NW0304"] for less in range(size, needed))
