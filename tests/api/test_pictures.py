"""Pictures: nothing overlaps, arrows go where they should, and what is unrolled is the network in time."""

import sys
import xml.etree.ElementTree as ET
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import pytest
from click.testing import Result
from hypothesis import given
from hypothesis import strategies as st

import netwright
from netwright.drawing.frames import frames
from netwright.drawing.layers import LayerPicture
from netwright.drawing.layout import arrange
from netwright.drawing.picture import Arrow, Box, Picture
from netwright.drawing.png import to_png
from netwright.drawing.svg import to_svg
from netwright.drawing.text import to_dot, to_text
from netwright.drawing.unrolled import unrolled

EXAMPLES = Path(__file__).parents[2] / "examples"
SVG = "{http://www.w3.org/2000/svg}"

TAGGER = """\
netwright: 1
model: tagger
dims: {N: batch, T: time}
inputs:
  word: {shape: [N, T], dtype: int64}
  h0: {shape: [N, 6]}
layers:
  - {name: embed, type: embedding, input_dim: 9, output_dim: 8}
  - {name: both, type: lstm, units: 5, bidirectional: true}
  - {name: top, type: gru, units: 6, initial_state: h0}
  - {name: tags, type: dense, units: 4}
  - {name: window, type: conv1d, filters: 3, kernel_size: 2, padding: same}
  - {name: verdict, type: rnn, units: 4, return_sequences: false, inputs: [top]}
  - {name: grade, type: dense, units: 2}
outputs: {tags: tags, local: window, grade: grade, last: top.state}
"""


@st.composite
def pictures(draw: st.DrawFn) -> Picture:
    count = draw(st.integers(1, 14))
    looks = st.tuples(st.text("abMW ", max_size=12), st.integers(0, 3), st.integers(0, 2))
    chosen = draw(st.lists(looks, min_size=count, max_size=count))
    boxes = tuple(
        Box(str(i), title, ("line",) * lines, loops=("h",) * loops)
        for i, (title, lines, loops) in enumerate(chosen)
    )
    pairs = draw(st.sets(st.tuples(st.integers(0, count - 1), st.integers(0, count - 1)), max_size=25))
    arrows = tuple(Arrow(str(a), str(b)) for a, b in sorted(pairs) if a < b)
    return Picture("title", "", boxes, arrows)


@given(pictures())
def test_boxes_do_not_overlap_and_arrows_lead_down(picture: Picture) -> None:
    layout = arrange(picture)
    places = list(layout.places.values())
    for i, one in enumerate(places):
        assert one.width / 2 <= one.x <= layout.width - one.width / 2
        assert one.height / 2 <= one.y <= layout.height - one.height / 2
        for other in places[:i]:
            apart_x = abs(one.x - other.x) - (one.width + other.width) / 2
            apart_y = abs(one.y - other.y) - (one.height + other.height) / 2
            assert max(apart_x, apart_y) > 1
    for arrow, points in layout.routes:
        source, target = layout.places[arrow.source], layout.places[arrow.target]
        assert points[0] == (source.x, source.y + source.height / 2)
        assert points[-1][1] == target.y - target.height / 2
        assert abs(points[-1][0] - target.x) < target.width / 2
        assert all(a[1] < b[1] for a, b in pairwise(points))
    ET.fromstring(to_svg(picture))


def test_names_can_not_break_the_formats() -> None:
    nasty = 'a"<&>\\\n'
    picture = Picture(nasty, nasty, (Box("a", nasty), Box("b", "b")), (Arrow("a", "b", nasty),))
    root = ET.fromstring(to_svg(picture))
    assert sum(text.text == nasty for text in root.iter(f"{SVG}text")) == 4
    assert '[label="a\\"<&>\\\\\\n"]' in to_dot(picture)
    assert to_text(picture).count('a"<&>') == 5


@pytest.fixture
def tagger(tmp_path: Path) -> netwright.Model:
    path = tmp_path / "tagger.yaml"
    path.write_text(TAGGER, encoding="utf-8")
    return netwright.load(path)


def test_rolled_recurrences_are_loops(tagger: netwright.Model) -> None:
    picture = LayerPicture(tagger.load, tagger.network).rolled()
    boxes = {box.id: box for box in picture.boxes}
    assert boxes["both"].loops == ("h, c (t−1)", "h, c (t+1)")
    assert boxes["top"].loops == ("h (t−1)",)
    assert boxes["tags"].shape == "[N, T, 4]"
    assert Arrow("input:h0", "top", "h(−1)") in picture.arrows
    assert Arrow("top", "output:last", "state") in picture.arrows
    svg = ET.fromstring(to_svg(picture))
    assert {group.get("id") for group in svg.iter(f"{SVG}g")} == boxes.keys()
    states = [path for path in svg.iter(f"{SVG}path") if path.get("marker-end") == "url(#state-tip)"]
    assert len(states) == 4


def test_unrolled_recurrences_are_copies_in_time(tagger: netwright.Model) -> None:
    picture = unrolled(LayerPicture(tagger.load, tagger.network), 3)
    rows: dict[str, list[Box]] = {}
    for box in picture.boxes:
        if box.family != "ghost":
            rows.setdefault(box.row or box.id, []).append(box)
    assert [box.title for box in rows["input:word"]] == ["word(0)", "word(1)", "word(T−1)"]
    for name in ("embed", "both", "top", "tags", "verdict"):
        assert [box.tag for box in rows[name]] == ["", "same parameters", "same parameters"]
    assert [box.title for box in rows["output:tags"]] == ["tags(0)", "tags(1)", "tags(T−1)"]
    assert len(rows["window"]) == len(rows["grade"]) == len(rows["output:local"]) == 1
    arrows = {(arrow.source, arrow.target) for arrow in picture.arrows}
    assert {("both@0", "both@1"), ("both@1", "both@2"), ("both@1", "both@0"), ("top@0", "top@1")} <= arrows
    assert {("tags@0", "window"), ("tags@1", "window"), ("tags@2", "window")} <= arrows
    assert ("verdict@2", "grade") in arrows
    assert ("verdict@0", "grade") not in arrows
    assert ("top@2", "output:last") in arrows
    assert ("input:h0", "top@0") in arrows
    ghosts = {box.id: (box.title, *box.lines) for box in picture.boxes if box.family == "ghost"}
    assert ghosts == {
        "both@start1": ("h(−1) = 0", "c(−1) = 0"),
        "both@start-1": ("h(end) = 0", "c(end) = 0"),
        "verdict@start1": ("h(−1) = 0",),
    }
    layout = arrange(picture)
    for row in rows.values():
        assert len({layout.places[box.id].y for box in row}) == 1
        assert [layout.places[box.id].x for box in row] == sorted(layout.places[box.id].x for box in row)


def test_a_short_sequence_is_unrolled_whole(tmp_path: Path) -> None:
    path = tmp_path / "t.yaml"
    path.write_text(TAGGER, encoding="utf-8")
    model = netwright.load(path, dims={"T": 2})
    picture = unrolled(LayerPicture(model.load, model.network), 5)
    assert [box.title for box in picture.boxes if box.row == "input:word"] == ["word(0)", "word(1)"]


def test_shared_parameters_are_marked(tmp_path: Path) -> None:
    path = tmp_path / "s.yaml"
    path.write_text(
        "netwright: 1\nmodel: s\ndims: {N: batch}\ninputs: {x: {shape: [N, 3]}}\nlayers:\n"
        "  - {name: a, type: dense, units: 3}\n  - {name: b, type: dense, units: 3, share: a}\n"
        "outputs: {y: b}\n",
        encoding="utf-8",
    )
    text = str(netwright.draw(netwright.load(path)))
    assert "parameters of a" in text
    assert text.startswith("s\n2 layers · 12 parameters · N: batch\n")


BLOCKS = """\
netwright: 1
model: nested
dims: {N: batch}
inputs: {x: {shape: [N, 9]}}
blocks:
  unit:
    layers:
      - {name: a, type: dense, units: 9}
      - {name: b, type: relu}
  residual:
    layers:
      - {name: skip, type: dense, units: 9}
      - {name: one, use: unit}
      - {name: sum, type: add, inputs: [skip, one]}
layers:
  - {name: r, use: residual}
  - {name: alone, type: relu}
  - {name: u, use: unit}
outputs: {y: u}
"""


def test_blocks_are_framed(tmp_path: Path) -> None:
    path = tmp_path / "b.yaml"
    path.write_text(BLOCKS, encoding="utf-8")
    model = netwright.load(path)
    picture = LayerPicture(model.load, model.network).rolled()
    layout = arrange(picture)
    found = {frame.name: frame for frame in frames(picture, layout)}
    assert list(found) == ["r", "u", "r.one"]
    for name, frame in found.items():
        held = {id for id, place in layout.places.items() if frame.holds(place)}
        assert held == {box.id for box in picture.boxes if f"{box.group}.".startswith(f"{name}.")}
    inner, outer = found["r.one"], found["r"]
    assert outer.left < inner.left < inner.right < outer.right
    assert outer.top < inner.top < inner.bottom < outer.bottom
    svg = to_svg(picture)
    ET.fromstring(svg)
    assert svg.count("stroke-dasharray") == 3
    assert "prefers-color-scheme: dark" in svg


def test_a_stranger_leaves_a_block_without_a_frame() -> None:
    boxes = (Box("a", "a", group="g"), Box("x", "x"), Box("b", "b", group="g"))
    picture = Picture("p", "", boxes, (Arrow("a", "x"), Arrow("x", "b")))
    assert frames(picture, arrange(picture)) == []


@pytest.mark.parametrize("stage", ["spec", "graph", "optimized"])
@pytest.mark.parametrize("suffix", ["svg", "dot", "txt"])
def test_every_stage_in_every_format(
    cli: Callable[..., Result], tmp_path: Path, stage: str, suffix: str
) -> None:
    output = tmp_path / f"g.{suffix}"
    done = cli("graph", EXAMPLES / "sunspots" / "sunspots.yaml", "-o", output, "--stage", stage)
    assert done.exit_code == 0
    text = output.read_text(encoding="utf-8")
    words = {"svg": "<svg", "dot": "digraph {", "txt": "sunspots" if stage == "spec" else 'graph "predict"'}
    assert text.startswith(words[suffix])
    assert ("scan" in text) == (stage != "spec")
    if suffix == "svg":
        ET.fromstring(text)


def test_a_training_step_can_be_drawn(cli: Callable[..., Result], tmp_path: Path) -> None:
    spec = EXAMPLES / "lenet" / "lenet.yaml"
    assert cli("graph", spec, "-o", "step.svg", "--stage", "graph", "--entry", "train_step").exit_code == 0
    titles = [text.text for text in ET.parse(tmp_path / "step.svg").iter(f"{SVG}text")]
    assert titles.count("conv1.kernel") == 2  # what it was, and what it becomes
    assert "new value" in titles


def test_unrolled_operations_are_those_of_that_many_steps(tmp_path: Path) -> None:
    model = netwright.load(EXAMPLES / "sunspots" / "sunspots.yaml")
    for stage in ("graph", "optimized"):
        counts = [
            str(netwright.draw(model, stage=stage, unroll=steps)).count(" = tanh(")  # type: ignore[arg-type]
            for steps in (1, 2, 5)
        ]
        assert counts == [2, 4, 10]
    rolled = str(netwright.draw(model, stage="graph"))
    assert "scan" in rolled
    assert "scan" not in str(netwright.draw(model, stage="graph", unroll=3))
    path = tmp_path / "t.yaml"
    path.write_text(TAGGER, encoding="utf-8")
    fixed = netwright.load(path, dims={"T": 6})
    partly, whole = (str(netwright.draw(fixed, stage="graph", unroll=steps)) for steps in (3, 6))
    assert "scan" in partly
    assert "scan" not in whole
    with pytest.raises(netwright.RequestError, match="no recurrent layer"):
        netwright.draw(netwright.load(EXAMPLES / "lenet" / "lenet.yaml"), stage="graph", unroll=3)


def test_a_picture_as_png(cli: Callable[..., Result], tmp_path: Path) -> None:
    pytest.importorskip("resvg_py", reason="resvg-py is not installed (extra: png)")
    spec = EXAMPLES / "lenet" / "lenet.yaml"
    done = cli("graph", spec, "-o", "lenet.png")
    assert done.exit_code == 0, done.output
    content = (tmp_path / "lenet.png").read_bytes()
    layout = arrange(netwright.draw(netwright.load(spec)).picture)
    assert content.startswith(b"\x89PNG\r\n\x1a\n")
    width, height = (int.from_bytes(content[start : start + 4], "big") for start in (16, 20))
    assert abs(width - 2 * layout.width) <= 2
    assert abs(height - 2 * layout.height) <= 2


def test_png_needs_its_extra(
    cli: Callable[..., Result], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "resvg_py", None)
    done = cli("graph", EXAMPLES / "lenet" / "lenet.yaml", "-o", "lenet.png")
    assert done.exit_code == 2
    assert "pip install 'netwright[png]'" in done.output
    assert not (tmp_path / "lenet.png").exists()


def test_a_picture_that_is_too_large_for_png() -> None:
    pytest.importorskip("resvg_py", reason="resvg-py is not installed (extra: png)")
    boxes = tuple(Box(str(i), "a box of some width " * 20) for i in range(3000))
    with pytest.raises(netwright.RequestError, match="too large for PNG"):
        to_png(Picture("wide", "", boxes))


def columns(model: netwright.Model, steps: int) -> dict[int, set[tuple[float, float]]]:
    """The middles and ranks of the boxes of each step in time."""
    picture = unrolled(LayerPicture(model.load, model.network), steps)
    layout = arrange(picture)
    steps_at: dict[int, set[tuple[float, float]]] = {}
    for box in picture.boxes:
        if box.row:
            place = layout.places[box.id]
            steps_at.setdefault(box.column, set()).add((place.x, place.y))
    return steps_at


STACK = """\
netwright: 1
model: stack
dims: {N: batch, T: time}
inputs: {x: {shape: [N, T, 3]}}
layers:
  - {name: wide_name_of_the_first, type: lstm, units: 4, bidirectional: true}
  - {name: b, type: gru, units: 6}
  - {name: c, type: rnn, units: 4}
  - {name: head, type: dense, units: 2}
outputs: {y: head, also: head, b: b}
"""


def test_stacked_recurrences_line_up_by_step(tmp_path: Path) -> None:
    path = tmp_path / "s.yaml"
    path.write_text(STACK, encoding="utf-8")
    steps = columns(netwright.load(path), 4)
    centres = []
    for column in range(4):
        by_rank: dict[float, list[float]] = {}
        for x, y in steps[column]:
            by_rank.setdefault(y, []).append(x)
        middles = {round((min(xs) + max(xs)) / 2, 3) for xs in by_rank.values()}
        assert len(middles) == 1, (column, by_rank)
        centres += middles
    assert centres == sorted(centres)


DECODER = """\
netwright: 1
model: translate
dims: {N: batch, S: time, T: time}
inputs: {a: {shape: [N, S, 4]}, b: {shape: [N, T, 4]}}
layers:
  - {name: e1, type: lstm, units: 8, inputs: [a]}
  - {name: e2, type: gru, units: 8}
  - {name: d1, type: lstm, units: 8, inputs: [b], initial_state: {h: e1.h, c: e1.c}}
  - {name: d2, type: gru, units: 8, initial_state: e2.state}
  - {name: look, type: attention, inputs: [d2, e2]}
  - {name: both, type: concat, inputs: [d2, look]}
outputs: {y: both}
"""


def test_an_encoder_and_a_decoder_read_from_left_to_right(tmp_path: Path) -> None:
    path = tmp_path / "d.yaml"
    path.write_text(DECODER, encoding="utf-8")
    model = netwright.load(path)
    picture = unrolled(LayerPicture(model.load, model.network), 3)
    layout = arrange(picture)
    rows: dict[str, list[Box]] = {}
    for box in picture.boxes:
        if box.family != "ghost":
            rows.setdefault(box.row or box.id, []).append(box)
    assert [box.title for box in rows["input:a"]] == ["a(0)", "a(1)", "a(S−1)"]
    assert [box.title for box in rows["output:y"]] == ["y(0)", "y(1)", "y(T−1)"]
    assert len(rows["look"]) == 1  # each step of it reads all steps of the encoder
    for encoder, decoder in (("e1", "d1"), ("e2", "d2")):
        ends = [layout.places[rows[name][i].id] for name, i in ((encoder, -1), (decoder, 0))]
        assert ends[0].y == ends[1].y
        assert ends[0].x + ends[0].width / 2 + 100 < ends[1].x - ends[1].width / 2
    states = [(arrow.source, arrow.label) for arrow in picture.arrows if "(−1)" in arrow.label]
    assert states == [("e1@2", "h(−1), c(−1)"), ("e2@2", "h(−1)")]
    assert {box.id for box in picture.boxes if box.family == "ghost"} == {"e1@start1", "e2@start1"}
    reads = {arrow.source for arrow in picture.arrows if arrow.target == "look"}
    assert reads == {box.id for name in ("d2", "e2") for box in rows[name]}
    ET.fromstring(to_svg(picture))


def test_a_state_can_come_from_another_rank(tmp_path: Path) -> None:
    path = tmp_path / "d.yaml"
    path.write_text(
        DECODER.replace("initial_state: {h: e1.h, c: e1.c}", "initial_state: {h: e2.state}"), encoding="utf-8"
    )
    model = netwright.load(path)
    picture = unrolled(LayerPicture(model.load, model.network), 2)
    layout = arrange(picture)
    routes = {arrow.source: points for arrow, points in layout.routes if arrow.target == "d1@4"}
    source, target = layout.places["e2@1"], layout.places["d1@4"]
    assert routes["e2@1"] == [
        (source.x + source.width / 2, source.y),
        (target.x - target.width / 2, target.y),
    ]
    assert source.y > target.y
