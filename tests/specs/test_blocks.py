"""Blocks, repetition and variables: what they expand to, and how deep and wide they may be."""

import pytest

from netwright.specs import LoadResult, load_spec_text
from netwright.specs.checks.wiring import Ref
from netwright.specs.expansion.arithmetic import ValueProblem, compute
from netwright.specs.models.layers.conv import Conv2D
from netwright.specs.models.layers.dense import Dense

HEAD = """\
netwright: 1
model: m
dims: {N: batch}
inputs: {x: {shape: [N, 28, 28, 1]}}
"""


def load(text: str) -> LoadResult:
    result = load_spec_text(HEAD + text)
    assert result.model is not None, result.diagnostics.to_text()
    return result


def reads(result: LoadResult) -> dict[str, list[str]]:
    return {name: [str(ref) for ref in refs] for name, refs in result.wiring.inputs.items()}


def test_a_block_is_its_layers_with_dotted_names() -> None:
    result = load("""\
blocks:
  stage:
    args: {filters: int, act: {type: str, default: relu}}
    layers:
      - {name: a, type: conv2d, filters: $filters, kernel_size: 3, activation: $act}
      - {name: b, type: conv2d, filters: $filters * 2, kernel_size: 3, inputs: [a], share: a}
layers:
  - {name: s1, use: stage, with: {filters: 4}}
  - {name: s2, use: stage, with: {filters: 8, act: tanh}}
  - {name: head, type: flatten}
outputs: {y: head, inner: s1.a}
""")
    assert reads(result) == {
        "s1.a": ["x"],
        "s1.b": ["s1.a"],
        "s2.a": ["s1.b"],
        "s2.b": ["s2.a"],
        "head": ["s2.b"],
    }
    assert result.model is not None
    layers = {layer.name: layer for layer in result.model.layers}
    first, second = layers["s1.b"], layers["s2.a"]
    assert isinstance(first, Conv2D)
    assert (first.filters, first.share) == (8, "s1.a")
    assert isinstance(second, Conv2D)
    assert (second.filters, second.activation.type) == (8, "tanh")
    assert result.wiring.outputs["inner"] == Ref("s1.a")


def test_inputs_and_outputs_of_blocks_by_name() -> None:
    result = load("""\
blocks:
  join:
    inputs: [p, q]
    layers:
      - {name: sum, type: add, inputs: [p, q]}
      - {name: last, type: relu}
    outputs: {main: sum, after: last}
  twice:
    layers:
      - {name: j, use: join, inputs: [input, input]}
      - {name: k, use: join, inputs: [j, j.after]}
layers:
  - {name: t, use: twice}
  - {name: end, type: relu}
outputs: {y: end, z: t.k.after, w: t.j}
""")
    assert reads(result)["t.j.sum"] == ["x", "x"]
    assert reads(result)["t.k.sum"] == ["t.j.sum", "t.j.last"]
    assert reads(result)["end"] == ["t.k.sum"]
    assert [str(ref) for ref in result.wiring.outputs.values()] == ["end", "t.k.last", "t.j.sum"]
    assert not result.diagnostics.items


def test_states_of_recurrences_are_ports_through_a_block() -> None:
    result = load_spec_text("""\
netwright: 1
model: m
dims: {N: batch, T: time}
inputs: {x: {shape: [N, T, 3]}}
blocks: {enc: {layers: [{name: r, type: lstm, units: 4}]}}
layers:
  - {name: e, use: enc}
  - {name: d, type: lstm, units: 4, inputs: [x], initial_state: {h: e.h, c: e.r.c}}
outputs: {y: d}
""")
    assert {state: str(ref) for state, ref in result.wiring.given["d"].items()} == {
        "h": "e.r.h",
        "c": "e.r.c",
    }


def test_repeat_counts_and_chains() -> None:
    result = load("""\
vars: {sizes: [3, 5], n: 2}
blocks:
  b: {args: {u: int}, layers: [{name: d, type: dense, units: $u}]}
layers:
  - {name: r, type: dense, units: "$sizes[$index]", repeat: $n}
  - {name: s, type: dense, units: "$sizes[$index]", repeat: 2, share: r, inputs: [x]}
  - {name: u, use: b, with: {u: 2 ** $index}, repeat: 3}
  - {name: v, use: b, with: {u: 1}, share: u.0, inputs: [s]}
outputs: {y: u, z: r.0, w: v}
""")
    assert result.model is not None
    units = {layer.name: layer.units for layer in result.model.layers if isinstance(layer, Dense)}
    assert units == {"r.0": 3, "r.1": 5, "s.0": 3, "s.1": 5, "u.0.d": 1, "u.1.d": 2, "u.2.d": 4, "v.d": 1}
    assert [reads(result)[name] for name in ("r.1", "s.0", "s.1", "u.0.d", "u.1.d", "v.d")] == [
        ["r.0"],
        ["x"],
        ["s.0"],
        ["s.1"],
        ["u.0.d"],
        ["s.1"],
    ]
    shares = {layer.name: layer.share for layer in result.model.layers if layer.share}
    assert shares == {"s.0": "r.0", "s.1": "r.1", "v.d": "u.0.d"}


def test_blocks_sixty_four_deep_and_beyond() -> None:
    def nested(depth: int) -> str:
        blocks = [f"  b{i}: {{layers: [{{name: n, use: b{i + 1}}}]}}" for i in range(depth - 1)]
        blocks.append(f"  b{depth - 1}: {{layers: [{{name: n, type: relu}}]}}")
        return (
            HEAD + "blocks:\n" + "\n".join(blocks) + "\nlayers: [{name: top, use: b0}]\noutputs: {y: top}\n"
        )

    deep = load_spec_text(nested(64))
    assert deep.model is not None
    assert [layer.name for layer in deep.model.layers] == ["top" + ".n" * 64]
    (error,) = load_spec_text(nested(64).replace("type: relu", "type: rleu")).diagnostics.errors
    assert len(error.labels) == 8
    assert error.notes == ("56 more uses between these",)
    assert [item.code for item in load_spec_text(nested(1000)).diagnostics] == ["NW0803"]


def test_a_use_for_each_of_a_thousand() -> None:
    block = "blocks: {b: {args: {u: int}, layers: [{name: d, type: dense, units: $u + 1}, {name: a, type: relu}]}}\n"
    uses = "\n".join(f"  - {{name: s{i}, use: b, with: {{u: {i + 1}}}}}" for i in range(1000))
    result = load(f"{block}layers:\n{uses}\noutputs: {{y: s999}}\n")
    assert result.model is not None
    assert len(result.model.layers) == 2000
    assert result.model.layers[1998].units == 1001  # type: ignore[attr-defined]


def test_the_trail_names_every_use() -> None:
    result = load_spec_text(
        HEAD
        + """\
blocks:
  in: {args: {k: int}, layers: [{name: a, type: dense, units: $k - 9}]}
  out: {args: {k: int}, layers: [{name: b, use: in, with: {k: $k * 2}}]}
layers: [{name: c, use: out, with: {k: 3}}]
outputs: {y: c}
"""
    )
    (error,) = result.diagnostics
    assert (error.span.line, error.message) == (6, "units has to be at least 1, this is -3")
    assert [text for _, text in error.labels] == ["$k is 6", "used here as b", "used here as c"]


def test_defaults_and_variables_of_a_block() -> None:
    result = load("""\
defaults: {dense: {activation: tanh, use_bias: false}}
vars: {w: 4}
blocks:
  b:
    args: {k: int}
    vars: {twice: $k * 2 + $w}
    defaults: {dense: {activation: relu, units: $twice}}
    layers: [{name: d, type: dense}]
layers: [{name: s, use: b, with: {k: 3}}, {name: e, type: dense, units: $w}]
outputs: {y: e}
""")
    assert result.model is not None
    inner, outer = result.model.layers
    assert isinstance(inner, Dense)
    assert isinstance(outer, Dense)
    assert (inner.units, inner.activation.type, inner.use_bias) == (10, "relu", False)
    assert (outer.units, outer.activation.type) == (4, "tanh")


VALUES = {"a": 6, "b": 4, "f": 0.5, "s": "same", "l": [1, [2]], "t": True, "neg": -2}


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("$a", 6),
        (" $a * ($b - 1) ", 18),
        ("$a / $b", 1.5),
        ("$a / 2", 3),
        ("$a // $b + $a % $b", 3),
        ("-$a ** 2", -36),
        ("max($a, $b, 5)", 6),
        ("$l[1]", [2]),
        ("$s", "same"),
        ("$t", True),
        ("2 ** $neg", 0.25),
        ("N * $a", "N * 6"),
        ("tanh($f * x) + $neg", "tanh(0.5 * x) + (-2)"),
        ("$$a", "$a"),
        ("cost: $$5, $s", "cost: $5, same"),
    ],
)
def test_values(text: str, value: object) -> None:
    found = compute(text, lambda name, start, end: VALUES[name])
    assert found == value
    assert type(found) is type(value)


@pytest.mark.parametrize(
    "text",
    [
        "$a / 0",
        "$s + 1",
        "$l + 1",
        "$a[0]",
        "$l[5]",
        "$l[-1]",
        "$a ** 99",
        "10 ** 60 * $a",
        "N * $l",
        "$neg ** 0.5",
    ],
)
def test_values_that_can_not_be_computed(text: str) -> None:
    with pytest.raises(ValueProblem) as raised:
        compute(text, lambda name, start, end: VALUES[name])
    assert raised.value.code == "NW0805"
    assert 0 <= raised.value.start < raised.value.end <= len(text)
