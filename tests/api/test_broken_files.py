"""Files at fault, as a user sees it: what `netwright validate --data` prints is golden text."""

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
    "NW0703": {"spec.yaml": TINY, "valid.npz": "no archive\n"},
    "NW0704": {"spec.yaml": TINY.replace("shape: [N, 4]", "shape: [N, 5]").replace(", valid: valid.npz", "")},
}


@pytest.mark.parametrize("name", CASES)
def test_broken_files(name: str, cli: Cli, tiny: Path, golden) -> None:
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
