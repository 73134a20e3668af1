"""Reports of runs: what the trained weights answer, how they changed, and several runs beside each other."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner, Result

import netwright
from netwright.cli import main
from netwright.inspection.activity import activities, histogram
from netwright.inspection.slope_recorder import SlopeRecorder
from netwright.inspection.slopes import SlopeMeter
from netwright.report.charts import ChartSheet
from netwright.report.curves import Course, training_section
from netwright.report.parameters import filter_section
from netwright.report.runs import course_of
from netwright.runtime.training.progress import Silent
from netwright.trainings.reading import Run

from .conftest import samples
from .test_report import BROWSER, NO_BROWSER, browse, charts

IMAGES = """\
netwright: 1
model: marks
dims: {N: batch}
inputs: {image: {shape: [N, 6, 6, 1]}}
layers:
  - {name: conv, type: conv2d, filters: 4, kernel_size: 3, activation: relu}
  - {name: flat, type: flatten}
  - {name: head, type: dense, units: 2}
outputs: {side: {from: head, labels: [left, right]}}
train:
  data: {train: train.npz, valid: valid.npz}
  targets: {t: {shape: [N], dtype: int64}}
  loss: {type: softmax_cross_entropy, output: side, target: t}
  metrics: [accuracy]
  optimizer: {type: adam, learning_rate: 1e-2}
  epochs: 3
  batch_size: 16
"""


def marks(count: int, seed: int) -> dict[str, np.ndarray]:
    """Which half of an image has a bright pixel."""
    rng = np.random.default_rng(seed)
    place = rng.integers(0, 36, count)
    image = rng.normal(size=(count, 36)).astype(np.float32) / 5
    image[np.arange(count), place] += 3
    return {"image": image.reshape(count, 6, 6, 1), "t": (place % 6 >= 3).astype(np.int64)}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two runs in `runs`, the first with a report and with gradients."""
    folder = tmp_path_factory.mktemp("reports")
    np.savez(folder / "train.npz", **marks(200, 1))
    np.savez(folder / "valid.npz", **marks(60, 2))
    (folder / "marks.yaml").write_text(IMAGES, encoding="utf-8")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.setattr("netwright.inspection.slope_recorder.SHORTEST", 0.0)
        for more in ([], ["--no-report", "--set", "train.optimizer.learning_rate=3e-2", "--name", "fast"]):
            done = CliRunner().invoke(main, ["train", "marks.yaml", *more])
            assert done.exit_code == 0, done.output
    return folder


@pytest.fixture
def page(folder: Path) -> str:
    return (folder / "runs/marks-001/report.html").read_text(encoding="utf-8")


def test_a_training_ends_with_its_report(folder: Path, page: str) -> None:
    assert "best after epoch 3" in page
    for section in ("training", "worst", "gradients", "weights", "activity", "filters", "network", "spec"):
        assert f'<section id="the-{section}">' in page
    assert "Counted on valid.npz" in page
    assert not (folder / "runs/fast/report.html").exists()


def test_the_confusion_matrix_is_that_of_evaluate(folder: Path, page: str) -> None:
    run = folder / "runs/marks-001"
    arguments = ["evaluate", str(run / "spec.yaml"), "--weights", str(run / "weights.safetensors")]
    done = CliRunner().invoke(main, [*arguments, "--classes", "--format", "json"])
    assert done.exit_code == 0, done.output
    confusion = json.loads(done.output)["valid"]["classes"][0]["confusion"]
    section = page.partition('<table class="matrix">')[2].partition("</table>")[0]
    cells = [cell.partition(">")[2].partition("<")[0] for cell in section.split("<td ")[1:]]
    assert [int(cell or 0) for cell in cells] == [count for row in confusion for count in row]
    assert "left answered as right" in page


def test_gradients_are_recorded_between_epochs(folder: Path, page: str) -> None:
    lines = (folder / "runs/marks-001/gradients.jsonl").read_text(encoding="utf-8").splitlines()
    assert [json.loads(line)["epoch"] for line in lines] == [1, 2, 3]
    drawn = charts(page)["norm of the gradient by layer"]
    assert [line["name"] for line in drawn["lines"]] == ["conv", "head"]
    assert drawn["lines"][0]["y"] == [json.loads(line)["norms"]["conv"] for line in lines]


def test_norms_are_those_of_finite_differences(folder: Path) -> None:
    model = netwright.load(folder / "marks.yaml", {"dtype": "float64", "inputs.image.dtype": "float64"})
    data = model.data()["train"]
    norms = SlopeMeter(model, data).measure(first := model.compile(engine="reference").weights)
    program = model.compile(first, engine="reference", entries=("loss", "train_step"))
    batch = data.read(slice(0, 16), ["image", "t"])
    batch["image"] = batch["image"].astype(np.float64)
    square, step = 0.0, 1e-6
    for name in ("head.kernel", "head.bias"):
        for place in np.ndindex(first[name].shape):
            losses = []
            for sign in (1, -1):
                weights = {key: array.copy() for key, array in first.items()}
                weights[name][place] += sign * step
                program.session.assign(weights)
                losses.append(program.loss(**batch)["loss"])
            square += ((losses[0] - losses[1]) / (2 * step)) ** 2
    assert norms["head"] == pytest.approx(square**0.5, rel=1e-5)


def test_short_trainings_are_not_measured(tiny: Path, tmp_path: Path) -> None:
    model = netwright.load(tiny)
    program = model.compile(engine="reference", entries=("loss", "train_step"))
    recorder = SlopeRecorder(Silent(), model, program, model.data()["train"], tmp_path / "g.jsonl")
    program.train(epochs=1, observer=recorder)
    assert not (tmp_path / "g.jsonl").exists()


def test_records_of_a_resumed_training_count_once(folder: Path) -> None:
    run = Run(folder / "runs/marks-001")
    path = run.path / "gradients.jsonl"
    before = path.read_bytes()
    try:
        path.write_bytes(
            before + b'{"epoch": 2, "norms": {"conv": 9.0}}\n{"epoch": 7, "norms": {}}\nnonsense\n{"ep'
        )
        records = course_of(run).gradients
        assert [record["epoch"] for record in records] == [1, 2, 3]
        assert records[1]["norms"] == {"conv": 9.0}
    finally:
        path.write_bytes(before)


def test_activity_counts_zeros_and_silent_units(tmp_path: Path) -> None:
    path = tmp_path / "a.yaml"
    path.write_text(
        "netwright: 1\nmodel: a\ndims: {N: batch}\ninputs: {x: {shape: [N, 2]}}\nlayers:\n"
        "  - {name: act, type: dense, units: 3, activation: relu}\noutputs: {y: act}\n",
        encoding="utf-8",
    )
    model = netwright.load(path)
    kernel = np.array([[1, -1, 0], [0, 0, 0]], np.float32)
    weights = {"act.kernel": kernel, "act.bias": np.array([0, 0, -1], np.float32)}
    data = netwright.load(path).data({"d": {"x": np.array([[1, 5], [3, 5]], np.float32)}})["d"]
    (activity,), count = activities(model, weights, data)
    assert (activity.layer, activity.units, activity.silent, count) == ("act", 3, 2, 2)
    assert (activity.mean, activity.zeros) == (4 / 6, 4 / 6)
    assert sum(activity.histogram.counts) == 6
    assert activity.histogram.points[1][0] == activity.histogram.points[1][-1] == 0


def test_histograms_share_their_range_and_leave_out_what_is_not_finite() -> None:
    first, second = histogram(np.array([0.0, 1.0]), np.array([3.0, np.nan, np.inf]), bins=3)
    assert (first.counts, second.counts) == ((1, 1, 0), (0, 0, 1))
    (same,) = histogram(np.zeros(4), bins=2)
    assert (same.low, same.high, sum(same.counts)) == (-0.5, 0.5, 4)


def test_filters_are_pictures(folder: Path) -> None:
    model = netwright.load(folder / "marks.yaml")
    section = filter_section(model.load, model.network, model.compile(engine="reference").weights)
    assert "4 filters [3, 3]" in section
    assert section.count('<img src="data:image/png;base64,') == 1


def test_several_runs_on_a_page(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folder)
    done = CliRunner().invoke(main, ["report", "marks-001", "runs/fast", "-o", "both.html"])
    assert done.exit_code == 0, done.output
    page = (folder / "both.html").read_text(encoding="utf-8")
    loss = charts(page)["loss"]
    assert {line["run"] for line in loss["lines"]} == {0, 1}
    assert "fast valid" in {line["name"] for line in loss["lines"]}
    table = page.partition('<section id="the-runs">')[2]
    assert "<th>train.optimizer.learning_rate</th>" in table
    assert "<td>0.01</td>" in table
    assert "<td>0.03</td>" in table
    for arguments, said in (
        (["marks-001", "fast"], "where to write the page about several runs"),
        (["marks-001", "marks.yaml", "-o", "x.html"], "marks.yaml is no run"),
        (["marks-001", "--set", "model=x"], "for the report of a spec"),
    ):
        done = CliRunner().invoke(main, ["report", *arguments])
        assert done.exit_code == 2
        assert said in done.output


def test_without_its_data_a_run_has_a_smaller_report(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folder)
    (folder / "valid.npz").rename(folder / "moved.npz")
    try:
        done = CliRunner().invoke(main, ["report", "fast", "-o", "small.html"])
    finally:
        (folder / "moved.npz").rename(folder / "valid.npz")
    assert done.exit_code == 0, done.output
    assert "the page is without what needs data" in done.output
    page = (folder / "small.html").read_text(encoding="utf-8")
    assert '<section id="the-weights">' in page
    assert '<section id="the-worst">' not in page


def test_a_run_without_an_epoch_has_no_curves() -> None:
    assert training_section([Course("none")], ChartSheet()) == ""


@pytest.mark.skipif(BROWSER is None, reason=NO_BROWSER)
def test_in_a_browser(page: str, tmp_path: Path) -> None:
    document, console = browse(page, tmp_path, 1400)
    assert console == ""
    assert document.count('<div class="uplot') == document.count("data-chart=") > 10


def test_names_of_users_are_text(cli: Callable[..., Result], tiny: Path, tmp_path: Path) -> None:
    np.savez(tmp_path / "train.npz", **samples(40, 1))
    labels = "outputs: {y: {from: head, labels: ['<b>', '&', '<i>']}}"
    text = tiny.read_text(encoding="utf-8").replace("outputs: {y: head}", labels)
    tiny.write_text(text, encoding="utf-8")
    assert cli("train", tiny, "--epochs", "1", "--engine", "reference").exit_code == 0
    page = (tmp_path / "runs/tiny-001/report.html").read_text(encoding="utf-8")
    assert "<b>answered" not in page
    assert "&lt;b&gt; answered as &amp;" in page
