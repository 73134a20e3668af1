"""Data sets that are folders of files by class: images and recordings."""

import os
import wave
from pathlib import Path

import numpy as np
import pytest

from netwright.runtime.data.kept import NO_STAMP, KeptSamples
from netwright.runtime.data.samples import Header, Samples
from netwright.runtime.data.sources.registry import open_source
from netwright.runtime.data.splits import split
from netwright.runtime.data.wanted import Wanted
from netwright.runtime.errors import DataError
from netwright.specs.models.data import AnySource, AudioData, ImagesData, SplitData

from .numpy_engine import buffer

TARGETS = (buffer("t", "input", "N", "int64"),)


def opened(spec: AnySource, folder: Path, wanted: Wanted) -> Samples:
    return open_source(spec, folder, wanted)


def photos(folder: Path, mode: str = "RGB") -> None:
    image = pytest.importorskip("PIL.Image")
    for number, name in enumerate(("10", "9", "2")):
        (folder / name).mkdir(parents=True)
        for i in range(2):
            colour = number * 100 + i if mode == "L" else (number * 100, i, 7)
            image.new(mode, (6, 4), colour).save(folder / name / f"{i}.png")


@pytest.mark.parametrize(("channels", "shape"), [("3", (4, 6, 3)), ("1", (4, 6, 1)), ("", (4, 6))])
def test_images_by_class(tmp_path: Path, channels: str, shape: tuple[int, ...]) -> None:
    photos(tmp_path / "p", "L" if channels != "3" else "RGB")
    (tmp_path / "p" / "9" / ".hidden").write_text("ignored")
    wanted = Wanted((buffer("x", "input", f"N H W {channels}"),), TARGETS, {"t": None})
    data = opened(ImagesData(path="p"), tmp_path, wanted)
    assert data.classes == {"t": ("2", "9", "10")}  # numbers are sorted as numbers
    assert data.headers["x"].shape == (6, *shape)
    assert data.headers["x"].dtype == np.uint8
    assert [data.place(row) for row in (0, 5)] == ["10/0.png", "9/1.png"]
    found = data.read(np.array([5, 0]), ["x", "t"])
    assert found["t"].tolist() == [1, 2]
    first = found["x"].reshape(2, 24, -1)[:, 0].tolist()
    assert first == ([[100, 1, 7], [0, 0, 7]] if channels == "3" else [[101], [0]])
    small = opened(ImagesData(path="p", resize=(2, 3)), tmp_path, wanted)
    assert small.read(slice(0, 2), ["x"])["x"].shape == (2, 2, 3, *shape[2:])
    np.testing.assert_array_equal(small.read(slice(0, 1), ["x"])["x"][0, 0, 0], found["x"][1, 0, 0])


def test_decoded_files_are_kept_until_they_change(tmp_path: Path) -> None:
    photos(tmp_path / "p")
    image = pytest.importorskip("PIL.Image")
    wanted = Wanted((buffer("x", "input", "N 4 6 3"),), TARGETS, {"t": None})
    data = opened(ImagesData(path="p"), tmp_path, wanted)
    before = data.read(slice(None), ["x"])["x"]
    os.utime(tmp_path / "p" / "9" / "0.png", (0, 0))  # it is decoded again
    damaged = tmp_path / "p" / "10" / "1.png"
    status = damaged.stat()
    damaged.write_bytes(bytes(status.st_size))
    os.utime(damaged, ns=(status.st_atime_ns, status.st_mtime_ns))  # nothing tells that it has changed
    np.testing.assert_array_equal(data.read(np.array([5, 1, 4, 1]), ["x"])["x"], before[[5, 1, 4, 1]])
    image.new("RGB", (6, 4), (1, 2, 3)).save(tmp_path / "p" / "9" / "1.png")
    assert (data.read(np.array([5, 0]), ["x"])["x"][0] == (1, 2, 3)).all()
    damaged.unlink()
    with pytest.raises(DataError, match=r"10/1\.png: No such file"):
        data.read(np.array([0, 1]), ["x"])


def test_the_first_samples_are_kept_while_there_is_room() -> None:
    headers = {"x": Header((5, 3), np.dtype(np.int16)), "n": Header((5,), np.dtype(np.int64))}
    kept = KeptSamples(headers, 2 * (3 * 2 + 8) + 1)
    numbers = np.array([4, 0, 3])
    for number in numbers.tolist():
        kept.keep(number, (7, number), {"x": np.full(3, number)})  # one array is missing
        kept.keep(number, NO_STAMP, {"x": np.full(3, number), "n": np.array(number)})
        assert not kept.present(numbers, [(7, 4), (7, 0), (7, 3)])[numbers == number].any()
        kept.keep(number, (7, number), {"x": np.full(3, number), "n": np.array(number)})
    assert kept.present(numbers, [(7, 4), (7, 0), (7, 3)]).tolist() == [True, True, False]
    assert kept.present(numbers, [(7, 4), (8, 0), NO_STAMP]).tolist() == [True, False, False]
    read = kept.read(np.array([0, 4, 0]), ["n", "x"])
    assert read["n"].tolist() == [0, 4, 0]
    assert read["x"].tolist() == [[0] * 3, [4] * 3, [0] * 3]


def test_bad_images_are_named(tmp_path: Path) -> None:
    photos(tmp_path / "p")
    image = pytest.importorskip("PIL.Image")
    wanted = Wanted((buffer("x", "input", "N 4 6 3"),), TARGETS, {"t": None})
    data = opened(ImagesData(path="p"), tmp_path, wanted)
    noise = np.random.default_rng(0).integers(0, 256, (4, 6, 3), np.uint8)
    image.fromarray(noise).save(tmp_path / "p" / "9" / "1.png")
    good = (tmp_path / "p" / "9" / "1.png").read_bytes()
    (tmp_path / "p" / "9" / "1.png").write_bytes(good[: len(good) // 2])
    with pytest.raises(DataError, match=r"p/9/1\.png: not a readable image"):
        data.read(slice(None), ["x"])
    image.new("RGB", (5, 5)).save(tmp_path / "p" / "9" / "1.png")
    with pytest.raises(DataError, match=r"9/1\.png is 5×5, 0\.png is 4×6; resize makes them equal"):
        data.read(slice(None), ["x"])
    image.fromarray(np.zeros((4, 6), np.uint16)).save(tmp_path / "p" / "9" / "1.png")
    with pytest.raises(DataError, match=r"9/1\.png has 16 or 32 bits"):
        data.read(slice(None), ["x"])
    other = Wanted((buffer("x", "input", "N 8 8 3"),), TARGETS, {"t": None})
    with pytest.raises(DataError, match=r"is 4×6, x takes 8×8; resize: \[8, 8\] makes them fit"):
        opened(ImagesData(path="p"), tmp_path, other)
    with pytest.raises(DataError, match="'2' is none of the classes 'a'"):
        opened(ImagesData(path="p"), tmp_path, Wanted(wanted.inputs, wanted.targets, {"t": ("a",)}))


def sound(path: Path, width: int, values: list[int], rate: int = 8000, channels: int = 1) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with wave.open(str(path), "wb") as file:
        file.setparams((channels, width, rate, 0, "NONE", ""))
        file.writeframes(b"".join(v.to_bytes(width, "little", signed=width > 1) for v in values))


@pytest.mark.parametrize("width", [1, 2, 3, 4])
def test_recordings_are_fractions_of_full_scale(tmp_path: Path, width: int) -> None:
    top = 2 ** (8 * width - 1)
    values = [0, top // 2, -top, -1]
    sound(tmp_path / "w" / "a" / "1.wav", width, [v + top if width == 1 else v for v in values])
    wanted = Wanted((buffer("x", "input", "N T", "float64"),), TARGETS, {"t": None})
    data = opened(AudioData(path="w", rate=8000), tmp_path, wanted)
    np.testing.assert_array_equal(data.read(slice(None), ["x"])["x"], [[0, 0.5, -1, -1 / top]])


def test_recordings_get_one_length_and_tell_their_own(tmp_path: Path) -> None:
    sound(tmp_path / "w" / "a" / "1.wav", 2, [1, 2, 3, 4, 5, 6], channels=2)
    sound(tmp_path / "w" / "b" / "1.wav", 2, list(range(10)), channels=2)
    wanted = Wanted(
        (buffer("x", "input", "N T 2"), buffer("n", "input", "N", "int64")),
        TARGETS,
        {"t": None},
        lengths={"x": "n"},
    )
    data = opened(AudioData(path="w", rate=8000, length=4), tmp_path, wanted)
    found = data.read(slice(None), ["x", "n", "t"])
    assert (found["x"] * 32768).astype(int).tolist() == [
        [[1, 2], [3, 4], [5, 6], [0, 0]],
        [[0, 1], [2, 3], [4, 5], [6, 7]],
    ]
    assert found["n"].tolist() == data.read(slice(None), ["n"])["n"].tolist() == [3, 4]
    assert found["t"].tolist() == [0, 1]
    for spec, message in (
        (AudioData(path="w", rate=8000), "has 5 samples, 1.wav has 3; length makes them equal"),
        (AudioData(path="w", rate=16000, length=4), "has 8,000 samples per second, rate says 16,000"),
    ):
        with pytest.raises(DataError, match=message):
            opened(spec, tmp_path, wanted).load()
    whole = (tmp_path / "w" / "b" / "1.wav").read_bytes()
    piped = whole[:40] + (0x7FFFF000).to_bytes(4, "little") + whole[44:] + b"x"
    (tmp_path / "w" / "b" / "1.wav").write_bytes(piped)  # as espeak-ng writes to standard output
    assert data.read(slice(None), ["n"])["n"].tolist() == [3, 4]
    np.testing.assert_array_equal(data.read(slice(None), ["x"])["x"], found["x"])
    (tmp_path / "w" / "b" / "1.wav").write_bytes(whole[:-1])
    for name in ("x", "n"):
        with pytest.raises(DataError, match=r"b/1\.wav: not a readable WAV file: the file is cut short"):
            data.read(slice(None), [name])


@pytest.mark.parametrize("shape", ["N", "N 1"])
def test_two_folders_are_no_and_yes_for_a_single_score(tmp_path: Path, shape: str) -> None:
    for name in ("no/1.wav", "no/2.wav", "yes/1.wav"):
        sound(tmp_path / "w" / name, 2, [1, 2])
    target = buffer("t", "input", shape, "float32")
    wanted = Wanted((buffer("x", "input", "N T"),), (target,), {"t": None}, {"t": 2})
    data = opened(AudioData(path="w", rate=8000), tmp_path, wanted)
    found = data.read(slice(None), ["t"])["t"]
    assert found.dtype == data.headers["t"].dtype == np.float32
    assert found.shape == data.headers["t"].shape == (3, *[1] * (len(target.shape) - 1))
    assert found.ravel().tolist() == [0, 0, 1]
    assert data.classes == {"t": ("no", "yes")}
    halves = split(
        data, {"valid": SplitData.model_validate({"from": "train", "fraction": 0.5, "stratify": "t"})}
    )
    assert halves[1]["valid"].read(slice(None), ["t"])["t"].ravel().tolist() == [0, 1]
    # A set without one of the classes numbers them like the training data.
    sound(tmp_path / "v" / "yes" / "1.wav", 2, [1, 2])
    only = opened(AudioData(path="v", rate=8000), tmp_path, wanted.like(data))
    assert only.read(slice(None), ["t"])["t"].ravel().tolist() == [1]
    sound(tmp_path / "w" / "maybe" / "1.wav", 2, [1, 2])
    with pytest.raises(DataError, match=r"t is 0 or 1, there are 3 classes: 'maybe', 'no'"):
        opened(AudioData(path="w", rate=8000), tmp_path, wanted)
