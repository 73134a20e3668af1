"""A few numbers of some entries' outputs, kept as text: what nobody meant to change does not change.

They were ONNX Runtime's answers, too, when they were written: `python -m tests.zoo --update-golden` writes only what
passes.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

GOLDEN = Path(__file__).parent / "golden" / "outputs.json"
#: Entries that have golden outputs: quick ones of every kind, most of them with trained weights.
KEPT = (
    "basic-pitch/nmp",
    "magika/model",
    "openwakeword/embedding_model",
    "openwakeword/hey_jarvis_v0.1",
    "openwakeword/hey_mycroft_v0.1",
    "openwakeword/melspectrogram",
    "openwakeword/timer_v0.1",
    "rapidocr/ch_ppocr_mobile_v2.0_cls_infer",
    "silero-vad/silero_vad@16k",
    "silero-vad/silero_vad@8k",
    "silero-vad/silero_vad_16k_sequence",
    "timm/test_resnet/legacy/open",
    "torch/Autoencoder/legacy/open",
    "torch/LstmWithStates/legacy/open",
)
#: How far numbers may be from those written, beside the root mean square of their output.
TOLERANCE = 1e-3


def changed(name: str, report: Mapping[str, Any]) -> str:
    """What has changed in the outputs of an entry since its golden ones were written; empty where nothing has."""
    known = json.loads(GOLDEN.read_text(encoding="utf-8")).get(name)
    if known is None or "samples" not in report:
        return ""
    found = report["samples"]
    if set(found) != set(known):
        return f"outputs {sorted(found)} where {sorted(known)} were"
    for output, was in known.items():
        now = found[output]
        if now["shape"] != was["shape"]:
            return f"{output} is {now['shape']}, was {was['shape']}"
        for what in ("rms", "values"):
            apart = np.abs(np.subtract(now[what], was[what])).max(initial=0)
            if not apart <= TOLERANCE * max(was["rms"], 1e-30):
                return f"{output}: {what} {now[what]}, was {was[what]}"
    return ""


def write(reports: Mapping[str, Mapping[str, Any]]) -> None:
    """Writes the golden outputs of the entries that were run and pass."""
    known = json.loads(GOLDEN.read_text(encoding="utf-8")) if GOLDEN.exists() else {}
    for name, report in reports.items():
        if name in KEPT and report["verdict"] in ("pass", "changed"):
            known[name] = report["samples"]
    GOLDEN.parent.mkdir(exist_ok=True)
    lines = [f'"{name}": {json.dumps(known[name])}' for name in sorted(known)]
    GOLDEN.write_text("{\n" + ",\n".join(lines) + "\n}\n", encoding="utf-8")
