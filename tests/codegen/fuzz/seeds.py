"""Writes the first files of the corpus: `python -m tests.codegen.fuzz.seeds`. The fuzzer finds the others."""

from __future__ import annotations

import io
import json
import wave

import numpy as np
from safetensors.numpy import save

from .building import pack


def npy(array: np.ndarray) -> bytes:
    file = io.BytesIO()
    np.save(file, array)
    return file.getvalue()


def npz(packed: bool = False, names: bytes | None = None) -> bytes:
    file = io.BytesIO()
    arrays = {"x": np.ones((2, 3, 2), np.float32), "steps": np.array([1, 3]), "t": np.array([0, 2])}
    if names is not None:
        arrays["netwright.metadata"] = np.frombuffer(names, np.uint8)
    (np.savez_compressed if packed else np.savez)(file, **arrays)
    return file.getvalue()


def checkpoint() -> bytes:
    record = {"epoch": 1, "steps": 2, "train": {"loss": 0.5}, "valid": None, "seconds": 0.1, "samples": 6}
    place = {
        "identity": {"samples": 6, "monitor": None, "seed": 0, "shuffle": True},
        "epoch": 1,
        "batch": 1,
        "step": 3,
        "samples": 4,
        "seconds": 0.25,
        "totals": {"loss": [1.5, 4.0]},
        "history": [{**record, "learning_rate": 0.1}],
        "best_epoch": 1,
        "batch_size": 4,
        "recorded": [],
        "origin": {"weights": "w", "settings": [], "data": {"é": "\udc80"}},
    }
    weights = np.ones((2, 3), np.float32)
    tensors = {"weights.w": weights, "best.w": weights, "state.optimizer.step": np.array(3)}
    metadata = {"format": "netwright-checkpoint-2", "model": "fuzzed", "training": json.dumps(place)}
    return save(tensors, metadata)


def recording() -> bytes:
    file = io.BytesIO()
    with wave.open(file, "wb") as out:
        out.setnchannels(2)
        out.setsampwidth(2)
        out.setframerate(16000)
        out.writeframes(bytes(range(16)))
    return file.getvalue()


def words(*given: str) -> bytes:
    return b"".join(word.encode() + b"\0" for word in given)


def remembered() -> bytes:
    numbers = np.array([0x0123456789ABCDEF, 7, 5], np.uint64).tobytes()
    return npy(np.frombuffer(numbers + bytes(32 + 8), np.uint8))


SEEDS: dict[str, list[bytes]] = {
    "npy": [npy(np.ones((2, 3), np.float32)), npy(np.arange(5)), npy(np.array(True))],
    "npz": [npz(), npz(packed=True)],
    "tensors": [save({"a": np.ones((2, 3)), "b": np.array(1, np.uint8)}, {"format": "np"}), checkpoint()],
    "checkpoint": [checkpoint()],
    "dataset": [
        npz(),
        npz(packed=True),
        npz(names=b'{"classes": "{\\"t\\": [\\"a\\", \\"\\\\u00e9\\"]}", "vocabularies": "{}"}'),
        npz(names=b'["classes"]'),
    ],
    "train_words": [
        words("-d", "train=a.npz", "-d", "valid=b.npz", "--weights", "/dev/null", "--epochs", "3", "-q"),
        words(
            "--data", "train=a", "--weights", "w", "--resume", "c", "--threads", "auto", "--force", "--pin"
        ),
        words("--help"),
        words("--data", "train=a", "--weights", "w", "--init", "c", "--checkpoint", "d"),
    ],
    "predict_words": [
        words("-i", "x=a.npy", "-i", "t=b.npy", "-o", "out.npz", "--threads", "2"),
        words("--info"),
    ],
    "stream_words": [words("--raw", "--state", "s.npy", "--save", "t.npy", "--threads", "1", "--pin")],
    "remembered": [remembered()],
    "records": [npy(np.ones((1, 3, 2), np.float32)) + npy(np.ones((4, 2), np.float32))],
    "wav": [recording()],
}


def main() -> None:
    for target, files in SEEDS.items():
        pack(target, {f"seed-{number}": data for number, data in enumerate(files)})


if __name__ == "__main__":
    main()
