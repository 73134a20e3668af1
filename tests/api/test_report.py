"""The report: one page that needs nothing else, whole in a real browser."""

import html
import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest
from click.testing import CliRunner

from netwright.analysis.resources import Resources
from netwright.cli import main
from netwright.compiler.frontend.network import initial_values
from netwright.model import Model, load
from netwright.report.curves import Course
from netwright.report.page import report
from netwright.runtime.errors import CheckpointError
from netwright.runtime.training.checkpoint import read_history
from netwright.runtime.training.metrics.records import epoch_record, step_record
from netwright.runtime.training.plan import EpochRecord
from netwright.specs.load import load_spec_text

from ..slices import sliced

DIGITS = Path(__file__).parents[2] / "examples" / "digits"
BROWSER = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
RECURRENT = """\
netwright: 1
model: two
dims: {N: batch, T: time}
inputs: {x: {shape: [N, T, 3]}}
layers:
  - {name: both, type: lstm, units: 4, bidirectional: true}
  - {name: last, type: rnn, units: 4, return_sequences: false}
outputs: {y: last}
"""
NO_BROWSER = "there is no Chromium: apt-get install chromium brings it"
HISTORY = [
    EpochRecord(1, 10, {"loss": 2.0, "accuracy": 0.5}, {"loss": 1.5, "accuracy": 0.6}, 1.0, 100, 0.01),
    EpochRecord(
        2, 20, {"loss": 1.0, "accuracy": 0.8}, {"loss": float("nan"), "accuracy": 0.7}, 1.0, 100, 0.01
    ),
]
RECORDS = [
    step_record(5, 1, 2.5, 0.01, 0.5, 0.0),
    epoch_record(HISTORY[0], True, 0.0),
    step_record(15, 2, 1.25, 0.01, 0.5, 0.0),
    epoch_record(HISTORY[1], False, 0.0),
]
CLICK = """<script>setTimeout(() => {
  const log = document.querySelector('[data-option="log"]');
  log.checked = true;
  log.dispatchEvent(new Event("input"));
  document.getElementById("the-search").value = "conv3";
  document.getElementById("the-search").dispatchEvent(new Event("input"));
  document.querySelector('g[id="conv2"] text').dispatchEvent(new MouseEvent("click", {bubbles: true}));
  document.querySelector('[data-zoom="1.25"]').click();
  document.body.dataset.wide = String(document.documentElement.scrollWidth > innerWidth);
}, 150);</script></body>"""


@pytest.fixture(scope="module")
def page() -> str:
    return report(load(DIGITS / "digits.yaml"), [Course("first", RECORDS)])


def charts(page: str) -> dict[str, dict]:
    """The charts of a page by their titles."""
    text = page.partition('id="the-charts">')[2].partition("</script>")[0]
    return {chart["title"]: chart for chart in json.loads(text)}


def test_nothing_comes_from_elsewhere(page: str) -> None:
    assert not re.findall(r"(?:src|href)=\"(?!#|data:)", page)
    assert "@import" not in page
    assert "The above copyright notice and this permission notice shall be included" in page
    assert "url(" not in page.replace("url(#", "")
    assert "default-src 'none'" in page


def test_what_is_on_it(page: str) -> None:
    assert "<title>digits · Netwright</title>" in page
    for layer in load(DIGITS / "digits.yaml").summary().rows:
        assert f'<tr data-layer="{layer.name}">' in page
        assert f'<g id="{layer.name}">' in page
    assert "2 epochs · 20 steps · 2.0 s · best after epoch 1: loss 1.5000, accuracy 0.6000" in page
    assert '<nav aria-label="sections"><a href="#the-training">Training</a>' in page
    drawn = charts(page)
    assert list(drawn) == ["loss", "accuracy", "learning rate", "samples per second"]
    steps, train, valid = drawn["loss"]["lines"]
    assert (steps["part"], steps["x"], steps["y"]) == ("steps", [0.5, 1.5], [2.5, 1.25])
    assert (train["part"], train["x"], train["y"]) == ("train", [1, 2], [2.0, 1.0])
    assert (valid["part"], valid["y"]) == ("valid", [1.5, None])  # what is not finite is a gap
    assert drawn["loss"]["marks"] == [[0, 1, "best"]]
    assert drawn["loss"]["smooth"]
    assert not drawn["learning rate"]["smooth"]


def test_analyses_are_on_it(page: str) -> None:
    model = load(DIGITS / "digits.yaml")
    resources = Resources(model.load, model.network)
    for entry in ("predict", "train_step"):
        found = resources.memory(entry)
        assert f"<td>{found.arena:,}</td>" in page
        assert f"<td>{found.total:,}</td>" in page
    assert "<b>shifts of image (rows, columns)</b>: logits is neither: logits breaks it" in page
    assert "the-gradients" not in page.partition("<body>")[2]
    model = Model(load_spec_text(RECURRENT, "r.yaml"))
    trained = {name: 2 * array for name, array in initial_values(model.network).items()}
    page = report(model, weights=trained)
    assert "the-gradients" in page
    flows = [chart for chart in charts(page).values() if chart["x"] == "t"]
    assert [[line["name"] for line in flow["lines"]] for flow in flows] == [["first weights", "trained"]] * 3
    assert all(flow["log"] and flow["lines"][0]["y"][-1] == 1 for flow in flows)
    bars = charts(page)["last.kernel"]
    assert bars["kind"] == "histogram"
    assert [sum(line["y"]) for line in bars["lines"]] == [32, 32]


def test_text_of_the_user_is_text() -> None:
    spec = RECURRENT.replace("netwright: 1", "# </script><script>alert(1)</script>\nnetwright: 1")
    page = report(Model(load_spec_text(spec, "</script>.yaml")))
    assert "<script>alert" not in page
    assert page.count("</script>") == 5


def browse(page: str, folder: Path, width: int) -> tuple[str, str]:
    """The document after its scripts have run, and what was written to the console."""
    assert BROWSER
    path = folder / "report.html"
    path.write_text(page, encoding="utf-8")
    options = ["--headless", "--no-sandbox", "--disable-gpu", "--enable-logging=stderr", "--dump-dom"]
    options += [
        f"--user-data-dir={folder / 'profile'}",
        f"--window-size={width},900",
        "--virtual-time-budget=1000",
    ]
    done = subprocess.run(
        [BROWSER, *options, path.as_uri()],
        capture_output=True,
        text=True,
        timeout=120,
        stdin=subprocess.DEVNULL,
    )
    return done.stdout, "\n".join(line for line in done.stderr.splitlines() if "CONSOLE" in line)


@pytest.mark.skipif(BROWSER is None, reason=NO_BROWSER)
# Other tests open wide pages.
@pytest.mark.parametrize("width", sliced([1400, 500], lambda width: width == 500))
def test_in_a_browser(page: str, tmp_path: Path, width: int) -> None:
    document, console = browse(page.replace("</body>", CLICK), tmp_path, width)
    assert console == ""
    assert 'data-wide="false"' in document
    panel = document.partition('<aside id="the-layer"')[2].partition("</aside>")[0]
    assert "<h3>conv2</h3>" in panel
    assert "[3, 3, 32, 32]" in panel
    assert "{name: conv2, type: conv2d, filters: 32}" in panel
    assert 'class="line chosen"' in document
    assert '<tr data-layer="conv2" class="chosen">' in document
    assert document.count('<div class="uplot') == 4
    assert document.count('class="match"') == 1


@pytest.mark.skipif(BROWSER is None, reason=NO_BROWSER)
def test_the_console_is_seen(page: str, tmp_path: Path) -> None:
    _, console = browse(page.replace("</body>", "<script>missing()</script></body>"), tmp_path, 800)
    assert "missing is not defined" in console


def test_command(tmp_path: Path) -> None:
    spec = str(DIGITS / "digits.yaml")
    done = CliRunner().invoke(main, ["report", spec, "-o", str(tmp_path / "r.html")])
    assert done.exit_code == 0, done.output
    assert (tmp_path / "r.html").read_text(encoding="utf-8").startswith("<!doctype html>")
    done = CliRunner().invoke(main, ["report", spec, "-o", str(tmp_path / "n.html"), "--run", str(tmp_path)])
    assert done.exit_code == 2
    assert "no .checkpoint" in done.output
    (tmp_path / "bad.checkpoint").write_bytes(b"no checkpoint")
    done = CliRunner().invoke(main, ["report", spec, "-o", str(tmp_path / "n.html"), "--run", str(tmp_path)])
    assert done.exit_code == 2
    assert not (tmp_path / "n.html").exists()


def test_a_run(tmp_path: Path) -> None:
    spec, weights = DIGITS / "digits.yaml", tmp_path / "w.safetensors"
    train = ["train", str(spec), "--weights", str(weights), "--epochs", "1"]
    assert CliRunner().invoke(main, train).exit_code == 0
    name, history = read_history(tmp_path / "w.checkpoint")
    assert (name, len(history)) == ("digits", 1)
    with pytest.raises(CheckpointError):
        read_history(weights)
    output = tmp_path / "r.html"
    done = CliRunner().invoke(main, ["report", str(spec), "-o", str(output), "--run", str(tmp_path)])
    assert done.exit_code == 0, done.output
    assert '<section id="the-training">' in output.read_text(encoding="utf-8")


DEEP = """\
netwright: 1
model: deep
dims: {N: batch}
inputs: {x: {shape: [N, 9]}}
blocks:
  unit:
    layers:
      - {name: a, type: dense, units: 9}
      - {name: b, type: relu}
      - {name: sum, type: add, inputs: [b, input]}
layers:
LAYERS
  - {name: alone, type: relu}
outputs: {y: alone}
"""
TOGGLE = """<script>setTimeout(() => {
  const graph = document.getElementById("the-graph");
  const shown = () => [...graph.querySelectorAll("g[id]")].filter((box) => box.style.display !== "none").length;
  const height = () => Number(graph.querySelector("svg").getAttribute("viewBox").split(" ")[3]);
  const said = [shown(), height()];
  const block = graph.querySelector('[data-block="u3"].frame');
  block.dispatchEvent(new KeyboardEvent("keydown", {key: "Enter", bubbles: true}));
  said.push(shown(), block.getAttribute("aria-expanded"));
  const search = document.getElementById("the-search");
  search.value = "u7.b";
  search.dispatchEvent(new Event("input"));
  said.push(shown(), graph.querySelector("g.chosen").id);
  document.querySelector('[data-blocks="open"]').click();
  said.push(shown(), height());
  document.body.dataset.said = JSON.stringify(said);
}, 100);</script></body>"""


@pytest.mark.skipif(BROWSER is None, reason=NO_BROWSER)
def test_blocks_of_long_networks_close_and_open(tmp_path: Path) -> None:
    layers = "\n".join(f"  - {{name: u{i}, use: unit}}" for i in range(20))
    page = report(Model(load_spec_text(DEEP.replace("LAYERS", layers), "deep.yaml")))
    document, console = browse(page.replace("</body>", TOGGLE), tmp_path, 1400)
    assert console == ""
    said = json.loads(html.unescape(re.findall(r'data-said="([^"]*)"', document)[0]))
    closed, low, one_open, expanded, two_open, chosen, everything, high = said
    assert (closed, one_open, two_open, everything) == (3, 6, 9, 63)  # at first: x, alone and y
    assert (expanded, chosen) == ("true", "u7.b")
    assert low < high / 3
