"""SARIF: the structure that the standard asks for, with every place, label and fix in it."""

import json

import pytest

from netwright.model import Model
from netwright.specs.diagnostics.sarif import to_sarif
from netwright.specs.load import load_spec_text

SPEC = """\
netwright: 1
model: m
dims: {N: batch}
inputs: {x: {shape: [N, 8, 8, 1]}}
layers:
  - {name: a, type: max_pool2d, pool_size: 3}
  - {name: b, type: conv2d, out_channels: 4, kernel_size: 3}
outputs: {y: b}
"""


def log() -> dict:
    return json.loads(json.dumps(to_sarif(Model(load_spec_text(SPEC, "a b.yaml")).diagnostics, "1.2.3")))


def test_structure() -> None:
    found = log()
    assert found["version"] == "2.1.0"
    (run,) = found["runs"]
    driver = run["tool"]["driver"]
    assert (driver["name"], driver["version"]) == ("netwright", "1.2.3")
    for result in run["results"]:
        assert driver["rules"][result["ruleIndex"]]["id"] == result["ruleId"]
        assert result["level"] in ("error", "warning")
        assert result["message"]["text"]
        for location in [*result["locations"], *result.get("relatedLocations", [])]:
            place = location["physicalLocation"]
            assert place["artifactLocation"]["uri"] == "a%20b.yaml"
            region = place["region"]
            assert 1 <= region["startLine"] <= region["endLine"] <= 8
            assert min(region["startColumn"], region["endColumn"]) >= 1


def test_fixes() -> None:
    results = log()["runs"][0]["results"]
    assert [result["ruleId"] for result in results] == ["NW0605", "NW0201"]
    (fix,) = results[1]["fixes"]
    (change,) = fix["artifactChanges"]
    (replacement,) = change["replacements"]
    assert replacement["insertedContent"] == {"text": "filters"}
    assert replacement["deletedRegion"] == {"startLine": 7, "startColumn": 29, "endLine": 7, "endColumn": 41}


def test_the_references_inside_are_those_of_the_standard() -> None:
    """Only properties that SARIF 2.1.0 defines for each object, and those it requires."""
    allowed = {
        "log": {"$schema", "version", "runs"},
        "run": {"tool", "columnKind", "results"},
        "result": {
            *("ruleId", "ruleIndex", "level", "message"),
            *("locations", "relatedLocations", "fixes"),
        },
        "location": {"id", "physicalLocation", "message"},
    }
    found = log()
    assert found.keys() <= allowed["log"]
    assert found["runs"][0].keys() <= allowed["run"]
    for result in found["runs"][0]["results"]:
        assert result.keys() <= allowed["result"]
        assert all(location.keys() <= allowed["location"] for location in result["locations"])


@pytest.mark.parametrize("text", ["", "a: [", "netwright: 1"])
def test_any_spec(text: str) -> None:
    results = to_sarif(Model(load_spec_text(text, "m.yaml")).diagnostics, "1")["runs"][0]["results"]
    assert results
