"""Files at fault, as a user sees it: what `netwright validate --data` prints is golden text."""

import sys
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import pytest
from click.testing import Result

from netwright.specs.reading.documents import SIZE_LIMIT

from .conftest import TINY

Cli = Callable[..., Result]
SPEC = """\
netwright: 1
model: m
dims: {N: batch}
inputs: {x: {shape: [N, 8]}}
include: parts/a.yaml
layers:
  - {name: s, use: stage, with: {units: 10}}
outputs: {y: s}
"""
BLOCK = "blocks: {stage: {args: {units: int}, layers: [{name: a, type: dense, units: $units}]}}\n"

TABLE = TINY.replace(
    "{train: train.npz, valid: valid.npz}",
    "{train: {type: csv, path: train.csv, columns: {x: [a, 'b*'], t: kind}}}",
)
LABELLED = TABLE.replace("{y: head}", "{y: {from: head, labels: [ant, cat, dog]}}")
ROWS = "a,b1,b2,b3,kind\n1,2,3,4,cat\n1.5,-2,3e0,4,dog\n"
PHOTOS = (
    TINY.replace("[N, 4]", "[N, 4, 4, 1]")
    .replace("layers:", "layers:\n  - {name: flat, type: flatten}")
    .replace("train.npz, valid: valid.npz", "{type: images, path: photos}")
)
SOUNDS = TINY.replace("train.npz, valid: valid.npz", "{type: audio, path: words, rate: 8000}")

#: For each code the files, spec.yaml among them; a size instead of a text is a file of so many bytes.
CASES: Mapping[str, Mapping[str, str | int]] = {
    "NW0105": {"spec.yaml": f"netwright: 1\nmodel: {'[' * 200}\n"},
    "NW0105.json": {"spec.json": '{"netwright": 1, "model": ' + "[" * 200 + "}\n"},
    "NW0109": {},
    "NW0109.folder": {"spec.yaml/a.txt": "a folder of this name\n"},
    "NW0110": {"spec.yaml": SIZE_LIMIT + 1},
    "NW0115": {"spec.yaml": SPEC.replace("parts/a", "../a")},
    "NW0115.absolute": {"spec.yaml": SPEC.replace("parts/a.yaml", "/etc/passwd")},
    "NW0115.missing": {"spec.yaml": SPEC},
    "NW0116": {
        "spec.yaml": SPEC,
        "parts/a.yaml": f"include: b.yaml\n{BLOCK}",
        "parts/b.yaml": "include: a.yaml\n",
    },
    "NW0116.deep": {
        "spec.yaml": SPEC,
        "parts/a.yaml": f"include: c0.yaml\n{BLOCK}",
        **{f"parts/c{i}.yaml": f"include: c{i + 1}.yaml\n" for i in range(40)},
    },
    "NW0201.part": {
        "spec.yaml": SPEC,
        "parts/a.yaml": BLOCK.replace("type: dense, units", "type: dense, unit"),
    },
    "NW0703.cell": {"spec.yaml": TABLE, "train.csv": f"{ROWS}0.5,1,2,oops,cat\n{ROWS}"},
    "NW0703.cells": {"spec.yaml": TABLE, "train.csv": f"{ROWS}0.5,1,2,cat\n"},
    "NW0703.class": {"spec.yaml": LABELLED, "train.csv": f"{ROWS}0.5,1,2,3,bird\n"},
    "NW0703.column": {"spec.yaml": TABLE.replace("kind}", "Kind}"), "train.csv": ROWS},
    "NW0703.empty": {"spec.yaml": TABLE, "train.csv": f"{ROWS}0.5,,2,3,cat\n"},
    "NW0703.separator": {"spec.yaml": TABLE, "train.csv": ROWS.replace(",", ";")},
    "NW0703.image": {"spec.yaml": PHOTOS, "photos/cat/1.png": "no image\n", "photos/dog/.hidden": "\n"},
    "NW0703.other": {"spec.yaml": PHOTOS, "photos/cat/1.txt": "no image\n"},
    "NW0703.sound": {"spec.yaml": SOUNDS, "words/cat/1.wav": "no recording\n"},
    "NW0703.folder": {"spec.yaml": SOUNDS, "words/1.wav": "no recording\n"},
    "NW0703": {"spec.yaml": TINY, "valid.npz": "no archive\n"},
    "NW0704.classes": {
        "spec.yaml": TABLE.replace("units: 3", "units: 2"),
        "train.csv": f"{ROWS}0.5,1,2,3,bird\n",
    },
    "NW0705": {"spec.yaml": PHOTOS, "photos/cat/1.png": "no image\n"},
    "NW0704": {"spec.yaml": TINY.replace("shape: [N, 4]", "shape: [N, 5]").replace(", valid: valid.npz", "")},
}


@pytest.mark.parametrize("name", CASES)
def test_broken_files(name: str, cli: Cli, tiny: Path, golden, monkeypatch: pytest.MonkeyPatch) -> None:
    if name == "NW0705":  # what an import finds where Pillow is not installed
        monkeypatch.setitem(sys.modules, "PIL.Image", None)
    elif "type: images" in str(CASES[name].get("spec.yaml")):
        pytest.importorskip("PIL")
    folder = tiny.parent
    for file, content in CASES[name].items():
        path = folder / file
        path.parent.mkdir(parents=True, exist_ok=True)
        if isinstance(content, int):
            np.zeros(content, np.uint8).tofile(path)
        else:
            path.write_text(content, encoding="utf-8")
    done = cli("validate", "--data", "spec.json" if name.endswith(".json") else "spec.yaml")
    assert done.exit_code == 1
    assert done.output.count("error[") == 1
    assert f"error[{name[:6]}]" in done.output
    golden.check(f"broken/{name}.txt", done.output)


def test_what_can_not_be_computed_step_by_step(cli: Cli, tiny: Path, golden) -> None:
    spec = (
        "netwright: 1\nmodel: m\ndims: {N: batch, T: {role: time, min: 2}}\ninputs: {x: {shape: [N, T, 8]}}\n"
        "layers:\n  - {name: r, type: gru, units: 4, bidirectional: true}\n  - {name: p, type: global_max_pool}\n"
        "outputs: {y: p}\n"
    )
    (tiny.parent / "spec.yaml").write_text(spec, encoding="utf-8")
    done = cli("validate", "--stream", "spec.yaml")
    assert done.exit_code == 1
    assert done.output.count("error[NW0322]") == 2
    golden.check("broken/NW0322.txt", done.output)


def test_what_an_executable_can_not_train(cli: Cli, tiny: Path, golden) -> None:
    spec = TINY.replace("layers:", "layers:\n  - {name: scaled, type: standardize}")
    spec = spec.replace(
        "train.npz, valid: valid.npz",
        "{type: csv, path: train.csv, columns: {x: 'x*', t: t}, window: 4}, valid: {from: train, fraction: 0.2}",
    )
    spec += "  balance: t\n  parts: 2\n  augment: {x: [{type: noise, deviation: 0.1}]}\n"
    (tiny.parent / "spec.yaml").write_text(spec, encoding="utf-8")
    done = cli("compile", "spec.yaml", "--entry", "train", "-o", "trainer")
    assert done.exit_code == 1
    assert done.output.count("error[NW0413]") == 2
    assert not (tiny.parent / "trainer").exists()
    golden.check("broken/NW0413.txt", done.output)


def test_rounded_data_are_a_warning(cli: Cli, tiny: Path, golden) -> None:
    np.savez(tiny.parent / "train.npz", x=np.zeros((6, 4)), t=np.zeros(6, np.int64))
    done = cli("validate", "--data", tiny.name)
    assert done.exit_code == 0
    golden.check("broken/NW0706.txt", done.output)
