"""What the shift analysis says of a network is what happens when its input is shifted."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import Result
from hypothesis import assume, given
from hypothesis import strategies as st

from netwright.analysis.fields import receptive_fields
from netwright.analysis.shift import Answer, ShiftAnalysis
from netwright.compiler.frontend.network import initial_values
from netwright.compiler.interpreter import evaluate
from netwright.model import Model, load
from netwright.specs.load import load_spec_text

EXAMPLES = Path(__file__).parents[2] / "examples"
LENGTH, START, CONTENT = 160, 70, 6


def model(
    layers: list[dict[str, Any]], inputs: dict[str, Any], outputs: dict[str, str] | None = None
) -> Model:
    named = [{"name": f"l{i}", **layer} for i, layer in enumerate(layers)]
    spec = {
        "netwright": 1,
        "model": "m",
        "dims": {"N": "batch", "T": {"role": "time", "min": 100}},
        "inputs": inputs,
        "layers": named,
        "outputs": outputs or {"y": named[-1]["name"]},
    }
    return Model(load_spec_text(json.dumps(spec), "m.json"))


def signal(size: int | str = LENGTH, channels: int = 2) -> dict[str, Any]:
    return {"x": {"shape": ["N", size, channels], "dtype": "float64"}}


def answers(one: Model) -> tuple[Answer, ...]:
    assert one.is_valid, one.diagnostics.to_text()
    return ShiftAnalysis(one.load, one.network).answers


def run(one: Model, x: np.ndarray) -> np.ndarray:
    graph = one.network.graphs["predict"]
    return evaluate(graph, {"x": x, **initial_values(one.network)})["y"]


def contents(by: int, axis: int = 1, shape: tuple[int, ...] = (1, LENGTH, 2)) -> np.ndarray:
    """A background that is the same everywhere, and something on it, shifted."""
    rng = np.random.default_rng(3)
    x = np.full(shape, 0.3)
    something = list(shape)
    something[axis] = CONTENT
    place = [slice(None)] * len(shape)
    place[axis] = slice(START + by, START + by + CONTENT)
    x[tuple(place)] = rng.normal(size=something)
    return x


@st.composite
def chains(draw: st.DrawFn) -> list[dict[str, Any]]:
    window = st.fixed_dictionaries(
        {
            "kernel_size": st.integers(1, 4),
            "stride": st.integers(1, 3),
            "padding": st.sampled_from(["valid", "same", "same_upper", "causal"]),
        }
    )
    conv = st.builds(
        lambda w, d, f: {"type": "conv1d", "filters": f, "dilation": d, "activation": "tanh", **w},
        window,
        st.integers(1, 2),
        st.integers(1, 3),
    )
    pool = st.builds(
        lambda kind, size, rounding: {"type": kind, "pool_size": size, "rounding": rounding},
        st.sampled_from(["max_pool1d", "mean_pool1d", "lp_pool1d"]),
        st.integers(2, 3),
        st.sampled_from(["ceil", "floor"]),
    )
    mean = st.just({"type": "mean_pool1d", "pool_size": 3, "stride": 1, "padding": "same"})
    scan = st.builds(
        lambda w, s: {
            "type": "scan_window",
            "window": w,
            "stride": s,
            "layers": [{"name": "h", "type": "dense", "units": 3, "activation": "tanh"}],
        },
        st.integers(1, 4),
        st.integers(1, 2),
    )
    up = st.builds(lambda s: {"type": "up_sampling1d", "size": s}, st.integers(2, 3))
    transposed = st.builds(
        lambda k, s: {"type": "conv_transpose1d", "filters": 2, "kernel_size": k, "stride": s},
        st.integers(1, 4),
        st.integers(1, 2),
    )
    plain = st.sampled_from(
        [
            {"type": "relu"},
            {"type": "batch_norm"},
            {"type": "layer_norm"},
            {"type": "softmax"},
            {"type": "dense", "units": 3},
            {"type": "rescale", "scale": 2.0, "offset": 1.0},
            {"type": "instance_norm"},
        ]
    )
    body = draw(st.lists(st.one_of(conv, pool, mean, scan, up, transposed, plain), min_size=1, max_size=5))
    end = draw(st.sampled_from([None, "global_max_pool", "global_mean_pool"]))
    return [*body, *([{"type": end}, {"type": "dense", "units": 2}] if end else [])]


@given(chains(), st.sampled_from([LENGTH, "T"]), st.integers(1, 2))
def test_outputs_answer_as_they_are_said_to(
    layers: list[dict[str, Any]], size: int | str, times: int
) -> None:
    one = model(layers, signal(size))
    assume(one.is_valid)
    analysis = ShiftAnalysis(one.load, one.network)
    (answer,) = analysis.answers
    (axis,) = analysis.axes
    motion = analysis.layer_motions(str(one.load.wiring.outputs["y"]))[axis]
    if answer.verdict == "neither":
        # Of so few cells the mean's counts at the border are no exception to what holds in the middle.
        info = next(info for info in one.network.layers if info.name == answer.layer)
        assume(not (info.type.startswith("mean_pool") and info.outputs[""].shape[1] in range(8)))
    assert answer.verdict in ("equivariant", "invariant")
    by = answer.period * times
    assume(START + by + CONTENT < 110)
    before, after = run(one, contents(0)), run(one, contents(by))
    if answer.verdict == "invariant":
        np.testing.assert_allclose(after, before, rtol=1e-9, atol=1e-9)
        return
    assert answer.output_axis == 1
    moved = answer.moved * times
    move = motion.collapsed(1)
    assert move is not None
    # Cells that see neither padding nor what is cut off, before and after; between the cells that a transposed
    # convolution sets apart there are holes, so a cell at the border may see less than its field.
    edge = 3
    cells = [
        cell
        for cell in range(before.shape[1] - moved)
        if cell * move.ratio + move.low >= edge and (cell + moved) * move.ratio + move.high < LENGTH - edge
    ]
    assume(len(cells) > 3)
    np.testing.assert_allclose(
        after[:, [cell + moved for cell in cells]], before[:, cells], rtol=1e-9, atol=1e-9
    )


@given(chains(), st.integers(0, LENGTH - 1))
def test_a_cell_sees_its_receptive_field_and_no_more(layers: list[dict[str, Any]], place: int) -> None:
    one = model(layers, signal())
    assume(one.is_valid)
    analysis = ShiftAnalysis(one.load, one.network)
    (axis,) = analysis.axes
    motion = analysis.layer_motions(str(one.load.wiring.outputs["y"]))[axis]
    move = motion.collapsed(1) if motion.moves else None
    assume(move is not None and not motion.whole)
    x = np.random.default_rng(0).normal(size=(1, LENGTH, 2))
    other = x.copy()
    other[:, place] += 1
    changed = np.unique(np.nonzero(np.abs(run(one, x) - run(one, other)) > 1e-9)[1])
    assert all(
        cell * move.ratio + move.low <= place <= cell * move.ratio + move.high for cell in changed.tolist()
    )


DENSE = {"type": "dense", "units": 3}
BREAKING = [
    ([{"type": "conv1d", "filters": 2, "kernel_size": 3}, {"type": "flatten"}, DENSE], "l2"),
    ([{"type": "gru", "units": 3}], "l0"),
    ([{"type": "rnn", "units": 3, "return_sequences": False, "activation": "linear"}, DENSE], "l0"),
    ([{"type": "slice", "starts": [0], "stops": [40], "axes": [1]}, {"type": "flatten"}, DENSE], "l2"),
    ([{"type": "reduce", "op": "mean", "axes": [2]}, {"type": "argmax", "axis": 1}], "l1"),
]


@pytest.mark.parametrize(("layers", "culprit"), BREAKING)
def test_what_is_said_to_break_breaks(layers: list[dict[str, Any]], culprit: str) -> None:
    one = model(layers, signal())
    (answer,) = answers(one)
    assert (answer.verdict, answer.layer) == ("neither", culprit)
    start = contents(0)
    start[:, :START] = np.random.default_rng(0).normal(size=(1, START, 2))  # content near the beginning, too
    moved = np.roll(start, 4, 1)
    before, after = run(one, start), run(one, moved)
    assert not np.allclose(after, before)
    if before.ndim == 3:
        assert not np.allclose(after[:, 8:100], before[:, 4:96])


def test_a_stride_answers_to_its_multiples_only() -> None:
    one = model([{"type": "conv1d", "filters": 2, "kernel_size": 3, "stride": 2}], signal())
    (answer,) = answers(one)
    assert (answer.verdict, answer.period, answer.moved) == ("equivariant", 2, 1)
    assert str(answer) == "equivariant to shifts by multiples of 2: 2 steps move it 1 cell along axis 1"
    before = run(one, contents(0))
    for by in (1, 3):
        after = run(one, contents(by))
        assert not np.allclose(after[:, 30:50], before[:, 30 - by // 2 : 50 - by // 2])
    np.testing.assert_allclose(run(one, contents(4))[:, 30:50], before[:, 28:48])


def test_images_shift_along_two_axes() -> None:
    inputs = {"x": {"shape": ["N", 24, 32, 2]}}
    layers = [
        {"type": "conv2d", "filters": 3, "kernel_size": 3, "stride": [2, 1], "padding": "same_upper"},
        {"type": "transpose", "permutation": [0, 2, 1, 3]},
        {"type": "reduce", "op": "max", "axes": [1]},
        {"type": "dense", "units": 2},
    ]
    rows, columns = answers(model(layers, inputs))
    assert (rows.verdict, rows.period, rows.moved, rows.output_axis) == ("equivariant", 2, 1, 1)
    assert (columns.verdict, columns.period) == ("invariant", 1)
    assert (rows.axis.name, columns.axis.name) == ("row", "column")


def test_an_input_with_its_channels_first() -> None:
    inputs = {"x": {"shape": ["N", 3, 24, 32]}}
    layers = [
        {"type": "transpose", "permutation": [0, 2, 3, 1]},
        {"type": "conv2d", "filters": 3, "kernel_size": 3},
        {"type": "global_max_pool"},
    ]
    rows, columns = answers(model(layers, inputs))
    assert (rows.axis.axis, rows.axis.name, columns.axis.axis, columns.axis.name) == (2, "row", 3, "column")
    assert rows.verdict == columns.verdict == "invariant"


def test_attention_is_equivariant_and_positions_break_it() -> None:
    inputs = {"x": {"shape": ["N", "T", 4]}}
    attend = [
        {"type": "dense", "units": 4, "inputs": ["x"]},
        {"type": "transpose", "permutation": [0, 2, 1], "inputs": ["x"]},
        {"type": "matmul", "inputs": ["l0", "l1"]},
        {"type": "softmax"},
        {"type": "matmul", "inputs": ["l3", "x"]},
    ]
    (answer,) = answers(model(attend, inputs))
    assert (answer.verdict, answer.period, answer.moved) == ("equivariant", 1, 1)
    (answer,) = answers(model([*attend, {"type": "global_mean_pool"}], inputs))
    assert answer.verdict == "invariant"
    places = {**inputs, "place": {"shape": ["N", "T", 4]}}
    (x, place) = answers(model([{"type": "add", "inputs": ["x", "place"]}], places))
    assert x.layer == place.layer == "l0"


def test_indices_shift_through_embeddings() -> None:
    inputs = {"x": {"shape": ["N", "T"], "dtype": "int64"}}
    embed = {"type": "embedding", "input_dim": 9, "output_dim": 3}
    (answer,) = answers(model([embed, {"type": "conv1d", "filters": 2, "kernel_size": 3}], inputs))
    assert (answer.verdict, answer.axis.name) == ("equivariant", "step")


def test_nothing_to_shift() -> None:
    one = model([{"type": "dense", "units": 2}], {"x": {"shape": ["N", 4]}})
    assert answers(one) == ()
    assert receptive_fields(ShiftAnalysis(one.load, one.network)) == {}


def test_borders_that_no_cell_sees() -> None:
    one = model(
        [
            {"type": "conv1d", "filters": 1, "kernel_size": 3, "stride": 3},
            {"type": "slice", "starts": [1], "stops": [50], "axes": [1]},
        ],
        signal(162),
    )
    found = receptive_fields(ShiftAnalysis(one.load, one.network))
    assert [field.axes[0].unseen for field in found.values()] == [(0, 0), (3, 12)]
    assert found["l1"].unseen_text == "the first 3 of 162 steps and the last 12 of 162 steps"
    one = model([{"type": "conv1d", "filters": 1, "kernel_size": 4, "stride": 3}], signal(162))
    (field,) = receptive_fields(ShiftAnalysis(one.load, one.network)).values()
    assert (field.axes[0].unseen, str(field), field.stride_text) == ((0, 2), "4", "3")


def test_windows_of_a_scan_have_fields_and_strides() -> None:
    layer = {"type": "scan_window", "window": 8, "stride": 3, "layers": [{"name": "f", "type": "flatten"}]}
    one = model([layer], signal())
    found = receptive_fields(ShiftAnalysis(one.load, one.network))
    assert [(str(field), field.stride_text) for field in found.values()] == [("8", "3")] * len(found)


def test_command(cli: Callable[..., Result]) -> None:
    done = cli("shift", EXAMPLES / "lenet" / "lenet.yaml")
    assert "neither: fc1 breaks it, every position has weights of its own" in done.stdout
    found = json.loads(cli("shift", EXAMPLES / "lenet" / "lenet.yaml", "--format", "json").stdout)
    assert [answer["layer"] for answer in found["answers"]] == ["fc1", "fc1"]
    text = load(EXAMPLES / "lenet" / "lenet.yaml").summary().to_text()
    assert "shifts of image (rows, columns): logits is neither: fc1 breaks it" in text


def test_frames_of_sound_move_by_the_hop() -> None:
    keys = {"frame_length": 8, "hop_length": 3, "sample_rate": 100, "mels": 3}
    for inputs in ({"x": {"shape": ["N", "T"]}}, {"x": {"shape": ["N", "T", 2]}}):
        (answer,) = answers(model([{"type": "log_mel", **keys}], inputs))
        assert str(answer) == "equivariant to shifts by multiples of 3: 3 steps move it 1 cell along axis 1"
