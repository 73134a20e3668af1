"""The page that runs a network in the browser: drawn on, clicked and read in headless Chromium."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner

import netwright
from netwright.cli import main
from netwright.compiler.frontend.network import initial_values
from netwright.errors import RequestError
from netwright.runtime.sessions.weights import save_weights
from netwright.web.site import write_site
from netwright.web.subject import subject_of

from .browser import BROWSER, answered
from .runners import lacking

PICTURES = """\
netwright: 1
model: shapes
dims: {N: batch}
inputs: {image: {shape: [N, 12, 12, 1], dtype: uint8}}
layers:
  - {name: pixels, type: rescale, scale: 0.0625}
  - {name: conv, type: conv2d, filters: 5, kernel_size: 3, activation: relu}
  - {name: pool, type: max_pool2d, pool_size: 2}
  - {name: flat, type: flatten}
  - {name: scores, type: dense, units: 3}
  - {name: shape, type: argmax}
outputs:
  scores: scores
  shape: {from: shape, labels: ["<b>round</b>", square, none]}
"""
STEPS = """\
netwright: 1
model: follow
dims: {N: batch, T: time}
inputs: {x: {shape: [N, T, 2]}}
layers: [{name: memory, type: lstm, units: 6}, {name: y, type: dense, units: 1}]
outputs: {y: y}
"""
SOUNDS = """\
netwright: 1
model: words
dims: {N: batch, T: {role: time, min: 1024}, L: size}
inputs: {sound: {shape: [N, T], lengths: samples}, samples: {shape: [N], dtype: int64}}
layers:
  - {name: bands, type: log_mel, inputs: [sound], frame_length: 256, hop_length: 128, sample_rate: 8000, mels: 12}
  - {name: scores, type: dense, units: 3}
  - {name: words, type: ctc_decode, blank: last}
outputs: {scores: scores, words: {from: words, labels: [yes, "no"]}}
"""
#: Waits until the page has loaded its network, then does something and posts what the page shows.
ACT = """<script>
const act = async () => {
  if (!document.getElementById("about").textContent.includes("nothing is sent")) { setTimeout(act, 50); return; }
  ACTION
  fetch("done", { method: "POST", body: JSON.stringify(told) });
};
setTimeout(act, 50);
</script></body>"""
DRAW = """
  const pad = document.getElementById("pad"), press = (key) => pad.dispatchEvent(new KeyboardEvent("keydown", { key }));
  press(" ");
  for (const key of ["ArrowUp", "ArrowUp", "ArrowLeft", "ArrowLeft", "ArrowLeft", "ArrowDown"]) press(key);
  const seen = document.getElementById("seen"), pixels = seen.getContext("2d").getImageData(0, 0, 12, 12).data;
  const told = {
    pixels: [...pixels].filter((_, i) => i % 4 === 0), text: document.getElementById("results").innerText,
    maps: [...document.querySelectorAll("#maps figcaption")].map((one) => one.textContent),
    wide: document.documentElement.scrollWidth > innerWidth, problem: document.getElementById("problem").textContent,
  };
"""
FOLLOW = """
  document.querySelectorAll("#sliders input").forEach((slider, i) => { slider.value = 0.5 - i; });
  for (let i = 0; i < 4; i++) document.getElementById("step").click();
  const [text, inside] = ["results", "maps"].map((id) => document.getElementById(id).innerText);
  const told = { text, inside };
"""
SPEAK = """
  const [button, heard] = ["record", "heard"].map((id) => document.getElementById(id));
  const until = async (text) => {
    for (let i = 0; i < 400 && !heard.textContent.includes(text); i++) await new Promise((go) => setTimeout(go, 50));
  };
  button.click();
  await until("Recording");
  const pressed = button.textContent;
  await new Promise((go) => setTimeout(go, 1000));
  button.click();
  await until("samples per second");
  const wave = document.getElementById("wave"), drawn = wave.getContext("2d").getImageData(0, 0, 600, 120).data;
  const told = {
    pressed, button: button.textContent, heard: heard.textContent,
    pixels: drawn.filter((_, i) => i % 4 === 3 && drawn[i]).length,
    captions: [...document.querySelectorAll("#results figcaption")].map((one) => one.textContent),
    problem: document.getElementById("problem").textContent,
  };
"""

needs = pytest.mark.skipif(
    BROWSER is None or lacking("wasm32-web") is not None, reason="it takes Chromium and ziglang"
)


def model_of(text: str, folder: Path) -> tuple[netwright.Model, dict[str, np.ndarray]]:
    spec = folder / "spec.yaml"
    spec.write_text(text)
    model = netwright.load(spec)
    return model, initial_values(model.network)


def acted(folder: Path, action: str) -> dict[str, Any]:
    """What an action on the page tells."""
    page = (folder / "index.html").read_text().replace("</body>", ACT.replace("ACTION", action))
    files = {
        "/": ("text/html", page.encode()),
        "/network.wasm": ("application/wasm", (folder / "network.wasm").read_bytes()),
    }
    return json.loads(answered(files))


@needs
def test_a_drawing_is_classified_and_its_maps_are_shown(tmp_path: Path) -> None:
    model, weights = model_of(PICTURES, tmp_path)
    save_weights(tmp_path / "w.safetensors", model.compile(weights=weights).manifest, weights)
    command = ["compile", str(tmp_path / "spec.yaml"), "--weights", str(tmp_path / "w.safetensors")]
    done = CliRunner().invoke(main, [*command, "--emit", "web", "-o", str(tmp_path / "site")])
    assert done.exit_code == 0, done.output
    told = acted(tmp_path / "site", DRAW)
    assert told["problem"] == ""
    assert told["wide"] is False
    assert max(told["pixels"]) == 255
    image = np.rint(np.array(told["pixels"]) / 255 * 16).astype(np.uint8).reshape(1, 12, 12, 1)
    scores = model.compile(weights=weights).predict(image=image)["scores"][0]
    shares = 100 * np.exp(scores - scores.max()) / np.exp(scores - scores.max()).sum()
    shown = [float(number) for number in re.findall(r"([\d.]+) %", told["text"])]
    np.testing.assert_allclose(shown, shares, atol=1.0)  # the page rounds pixels that it does not show
    assert told["maps"] == ["conv: 5 × 10×10", "pool: 5 × 5×5"]
    assert ["<b>round</b>", "square", "none"][int(scores.argmax())] in told["text"]


@needs
def test_a_stream_shows_its_states(tmp_path: Path) -> None:
    model, weights = model_of(STEPS, tmp_path)
    write_site(model, (), weights, tmp_path / "site", steps=True)
    told = acted(tmp_path / "site", FOLLOW)
    x = np.zeros((1, 5, 2), np.float32)
    x[0, 1:] = 0.5, -0.5  # the page takes a first step by itself, with its sliders in the middle
    wanted = float(np.ravel(model.compile(weights=weights).stream().push(x=x)["y"])[-1])
    said = re.search(r"y: (\S+)", told["text"])
    assert said is not None
    assert wanted != 0
    assert float(said[1]) == pytest.approx(wanted, rel=1e-2)
    assert "memory.h: 6 numbers" in told["inside"]


@needs
def test_what_is_spoken_is_heard_and_answered(tmp_path: Path) -> None:
    model, weights = model_of(SOUNDS, tmp_path)
    paths = write_site(model, (), weights, tmp_path / "site")
    stored = sum(array.nbytes for array in weights.values())
    assert sum(path.stat().st_size for path in paths) - stored < 150_000
    told = acted(tmp_path / "site", SPEAK)
    assert told["problem"] == ""
    assert (told["pressed"], told["button"]) == ("Stop", "Record")
    said = re.fullmatch(r"the recording: (\d+\.\d\d) s at 8000 samples per second", told["heard"])
    assert said is not None
    assert 0.5 < float(said[1]) < 20
    assert told["pixels"] > 600  # a beep is drawn, not silence
    assert told["captions"] == ["words", "scores over time, from the top: yes, no, blank"]


@needs
def test_a_page_is_small_and_takes_nothing_from_elsewhere(tmp_path: Path) -> None:
    model, weights = model_of(PICTURES, tmp_path)
    paths = write_site(model, (), weights, tmp_path / "site")
    assert [path.name for path in paths] == ["index.html", "network.wasm"]
    stored = sum(array.nbytes for array in weights.values())
    assert sum(path.stat().st_size for path in paths) - stored < 150_000
    page = paths[0].read_text()
    assert not re.findall(r"(?:src|href)=\"(?!#|data:)|@import|https?://", page)
    assert "<b>round" not in page


def test_what_no_page_can_ask_for(tmp_path: Path) -> None:
    model, _ = model_of(STEPS, tmp_path)
    with pytest.raises(RequestError, match=r"takes images .* x is \[N, T, 2\]"):
        subject_of(model, steps=False)
    model, _ = model_of(STEPS.replace("[N, T, 2]", "[N, T, 40]"), tmp_path)
    with pytest.raises(RequestError, match="steps of up to 12 numbers"):
        subject_of(model, steps=True)
    (tmp_path / "site").write_text("")
    with pytest.raises(RequestError, match="is a file"):
        write_site(model, (), {}, tmp_path / "site")


def test_white_is_what_the_first_layer_divides_by(tmp_path: Path) -> None:
    model, _ = model_of(PICTURES, tmp_path)
    subject = subject_of(model, steps=False)
    assert (subject.kind, subject.most, subject.maps) == ("image", 16.0, ("conv", "pool"))
