"""The page about data sets: every kind of sample, counts, problems; nothing from outside, and no script."""

import base64
import io
import re
import struct
import wave
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from click.testing import Result

from netwright.report.png import png

from .conftest import samples

Cli = Callable[..., Result]
TRAIN = """\
train:
  data: {train: %s}
  targets: {t: {shape: [N], dtype: int64}}
  loss: {type: softmax_cross_entropy, output: y, target: t}
"""


def spec(folder: Path, inputs: str, layers: str, data: str, more: str = "") -> Path:
    path = folder / "s.yaml"
    text = f"netwright: 1\nmodel: s\ndims: {{N: batch, T: time}}\ninputs: {inputs}\nlayers:\n{layers}"
    text += (
        "  - {name: head, type: dense, units: 3}\noutputs: {y: {from: head, labels: [red, green, blue]}}\n"
    )
    path.write_text(text + TRAIN % data + more, encoding="utf-8")
    return path


def page(cli: Cli, path: Path, code: int = 0) -> str:
    done = cli("data", path, "--report", "data.html")
    assert done.exit_code == code, done.output
    assert "wrote data.html: " in done.output
    text = (path.parent / "data.html").read_text(encoding="utf-8")
    assert not re.search(r"<script|https?://|@@", text)
    assert "default-src 'none'" in text
    return text


def pixels(address: str) -> np.ndarray:
    """The pixels of an image without filters, read by hand."""
    data = base64.b64decode(address.removeprefix("data:image/png;base64,"))
    assert data[:8] == b"\x89PNG\r\n\x1a\n"
    stream, chunks = io.BytesIO(data[8:]), {}
    while head := stream.read(8):
        size, kind = struct.unpack(">I4s", head)
        chunks[kind] = stream.read(size)
        assert struct.unpack(">I", stream.read(4))[0] == zlib.crc32(kind + chunks[kind])
    columns, rows, depth, colour = struct.unpack(">IIBB", chunks[b"IHDR"][:10])
    assert depth == 8
    lines = np.frombuffer(zlib.decompress(chunks[b"IDAT"]), np.uint8).reshape(rows, -1)
    assert not lines[:, 0].any()
    return lines[:, 1:].reshape(rows, columns, {0: 1, 2: 3, 6: 4}[colour])


def images(text: str) -> list[np.ndarray]:
    return [pixels(address) for address in re.findall(r'src="(data:image/png[^"]*)"', text)]


@pytest.mark.parametrize("channels", [1, 3, 4])
def test_png_holds_the_pixels(channels: int) -> None:
    image = np.random.default_rng(0).integers(0, 256, (5, 7, channels)).astype(np.uint8)
    np.testing.assert_array_equal(
        pixels("data:image/png;base64," + base64.b64encode(png(image)).decode()), image
    )


def test_images_and_what_augmentation_makes_of_them(cli: Cli, tmp_path: Path) -> None:
    x = np.random.default_rng(0).integers(0, 256, (40, 6, 9, 3)).astype(np.uint8)
    np.savez(tmp_path / "a.npz", x=x, t=np.arange(40) % 3)
    layers = "  - {name: flat, type: flatten, inputs: [x]}\n"
    more = "  augment: {x: [{type: flip, chance: 1.0}]}\n"
    text = page(cli, spec(tmp_path, "{x: {shape: [N, 6, 9, 3]}}", layers, "a.npz", more))
    shown = images(text)
    assert len(shown) == 48
    rows = [int(row) for row in re.findall(r"<figcaption>sample (\d+)", text)]
    assert sorted(row % 3 for row in rows) == [0] * 8 + [1] * 8 + [2] * 8
    for row, plain, varied in zip(rows, shown[::2], shown[1::2], strict=True):
        np.testing.assert_array_equal(plain, x[row])
        np.testing.assert_array_equal(varied, x[row, :, ::-1])
    assert re.findall(r"<dt>(\w+)</dt><dd><b[^>]*></b>(\d+)", text) == [("0", "14"), ("1", "13"), ("2", "13")]


def test_waveforms_end_with_their_sound(cli: Cli, tmp_path: Path) -> None:
    for name in ("red", "green"):
        (tmp_path / "w" / name).mkdir(parents=True)
        with wave.open(str(tmp_path / "w" / name / "a.wav"), "wb") as file:
            file.setparams((1, 2, 8000, 0, "NONE", ""))
            file.writeframes(
                (np.sin(np.arange(900 if name == "red" else 50) / 9) * 9000).astype("<i2").tobytes()
            )
    inputs = "{x: {shape: [N, T], lengths: n}, n: {shape: [N], dtype: int64}}"
    layers = "  - {name: wide, type: reshape, shape: [N, T, 1], inputs: [x]}\n  - {name: max, type: global_max_pool}\n"
    text = page(cli, spec(tmp_path, inputs, layers, "{type: audio, path: w, rate: 8000, length: 1000}"))
    assert re.findall(r'polyline class="(\w+)"', text) == ["area", "line"]
    assert re.findall(r'aria-label="(\d+) steps"', text) == ["900", "50"]
    assert "red/a.wav · <b>n 900, red</b>" in text


def test_features_over_time_are_maps_and_text_is_tokens(cli: Cli, tmp_path: Path) -> None:
    x = np.arange(2 * 5 * 4, dtype=np.float32).reshape(2, 5, 4)
    np.savez(tmp_path / "a.npz", x=x, t=np.array([0, 1]))
    layers = "  - {name: read, type: gru, units: 2, return_sequences: false, inputs: [x]}\n"
    text = page(cli, spec(tmp_path, "{x: {shape: [N, T, 4]}}", layers, "a.npz"))
    wanted = np.round(x[0].T[::-1] / 39 * 255)
    np.testing.assert_allclose(images(text)[0][:, :, 0], wanted, atol=1)
    (tmp_path / "r.txt").write_text("red\t<script>alert(1)</script> \u202eab\nblue\ta b\n", encoding="utf-8")
    inputs = "{x: {shape: [N, T], dtype: int64, lengths: n}, n: {shape: [N], dtype: int64}}"
    layers = "  - {name: e, type: embedding, input_dim: 20, output_dim: 2, inputs: [x]}\n" + layers.replace(
        ", inputs: [x]", ""
    )
    data = "{type: text, path: r.txt, label: first, vocabulary: {of: spaces, size: 4}}"
    text = page(cli, spec(tmp_path, inputs, layers, data))
    assert '<span class="special">&lt;unk&gt;<i>1</i></span>' in text
    assert "&lt;script&gt;alert(1)&lt;/script&gt;<i>2</i>" in text
    assert "5 tokens" not in text
    assert "4 tokens, 50.0% of them unknown; the vocabulary has 4 entries" in text


def test_what_does_not_fit_is_on_the_page(cli: Cli, tiny: Path, tmp_path: Path) -> None:
    arrays = samples(20, 1)
    arrays["x"][3, 1], arrays["x"][4, 1] = np.nan, np.inf
    np.savez(tmp_path / "train.npz", x=arrays["x"], t=arrays["t"].astype(np.float32))
    text = page(cli, tiny, code=1)
    assert '<li class="problem">t is float32' in text
    assert "nan, " in text
    assert "inf, " in text


def test_the_page_never_replaces_an_input(cli: Cli, tiny: Path) -> None:
    done = cli("data", tiny, "--report", "train.npz")
    assert done.exit_code == 2
    assert "train.npz is the input" in done.output
