"""What notebooks show of models, summaries, drawings and runs."""

import json
import xml.etree.ElementTree as ET
from html.parser import HTMLParser
from pathlib import Path

import pytest

import netwright
from netwright.trainings.reading import Run


class Balance(HTMLParser):
    """Takes the text of HTML, and checks that what is opened is closed."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.text, self._open = "", list[str]()
        self.feed(html)
        assert self._open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        return

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += f" {data}"


def test_a_model_shows_its_drawing_and_its_layers(tiny: Path) -> None:
    html = netwright.load(tiny)._repr_html_()
    text = Balance(html).text
    assert "tiny" in text
    assert "2 layers · 67 parameters" in text
    assert "dense 8 · relu" in text
    assert html.count("<svg") == 1
    assert "<script" not in html


def test_a_model_with_errors_shows_them(tiny: Path) -> None:
    tiny.write_text(
        tiny.read_text(encoding="utf-8").replace("type: dense, units: 8", "type: <b>"), encoding="utf-8"
    )
    html = netwright.load(tiny)._repr_html_()
    assert "unknown layer type" in Balance(html).text
    assert "<b>" not in html


def test_a_summary_is_a_table_with_its_totals(tiny: Path) -> None:
    summary = netwright.load(tiny).summary()
    html = summary._repr_html_()
    text = Balance(html).text
    assert html.count("<tr>") == 1 + 1 + len(summary.rows)
    assert summary.totals() in text
    assert "[N, 8]" in text


def test_a_drawing_is_an_svg(tiny: Path, tmp_path: Path) -> None:
    drawing = netwright.draw(netwright.load(tiny))
    root = ET.fromstring(drawing._repr_svg_())
    assert root.tag.endswith("svg")
    assert str(drawing).startswith("tiny\n")
    drawing.save(tmp_path / "d.svg")
    assert (tmp_path / "d.svg").read_text(encoding="utf-8") == drawing._repr_svg_()
    with pytest.raises(netwright.RequestError, match=r"not as '.gif'"):
        drawing.save(tmp_path / "d.gif")


def test_a_run_shows_its_last_epochs(tiny: Path, tmp_path: Path) -> None:
    program = netwright.load(tiny).compile(engine="reference", entries=("loss", "train_step"))
    program.train(epochs=15, run=tmp_path / "first")
    run = Run(tmp_path / "first")
    html = run._repr_html_()
    text = Balance(html).text
    assert "first  finished, 15 of 15 epochs, valid_loss" in text
    assert html.count("<tr>") == 1 + 12
    assert f"{run.history[-1]['valid']['accuracy']:.4f}" in text
    (tmp_path / "first/metrics.jsonl").write_text("", encoding="utf-8")
    assert "no epoch is done" in Run(tmp_path / "first")._repr_html_()
    info = json.loads((tmp_path / "first/run.json").read_text(encoding="utf-8"))
    (tmp_path / "first/run.json").write_text(json.dumps({**info, "name": "<i>"}), encoding="utf-8")
    assert "<i>" not in Run(tmp_path / "first")._repr_html_()
