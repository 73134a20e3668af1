"""The JSON Schema: draft-07, up to date in the package, and of one mind with the loader."""

from pathlib import Path

import pytest
from click.testing import CliRunner

from netwright.specs.diagnostics.diagnostic import Diagnostics
from netwright.specs.diagnostics.pages import pages
from netwright.specs.load import load_spec_text
from netwright.specs.models.documentation import field_docs
from netwright.specs.models.layers import LAYERS
from netwright.specs.reading.documents import read_text
from netwright.specs.reference import examples
from netwright.specs.schema.generate import json_schema, schema_text

from ..mutations.__main__ import draw
from .specs import LENET, PENDULUM

PROJECT = Path(__file__).parents[2]
SHIPPED = PROJECT / "api" / "netwright.schema.json"
EXAMPLES = sorted((PROJECT / "examples").rglob("*.yaml")) + sorted((PROJECT / "api").rglob("*.yaml"))

#: What an editor can say by itself; shapes and names are the loader's.
STRUCTURE = ["NW0201", "NW0203", "NW0204", "NW0205", "NW0206", "NW0207", "NW0208", "NW0209"]


def value(text: str, file: str = "spec.yaml") -> object:
    tree = read_text(text, file, Diagnostics())
    assert tree is not None
    return tree.value


@pytest.fixture(scope="module")
def validator():
    jsonschema = pytest.importorskip("jsonschema", reason="jsonschema is not installed (extra: test)")
    schema = json_schema()
    jsonschema.Draft7Validator.check_schema(schema)
    return jsonschema.Draft7Validator(schema)


def test_the_shipped_schema_is_up_to_date(request: pytest.FixtureRequest) -> None:
    if request.config.getoption("--update-golden"):
        SHIPPED.write_text(schema_text(), encoding="utf-8")
    assert SHIPPED.read_text(encoding="utf-8") == schema_text(), "run: make golden"


def test_check_jsonschema_takes_the_shipped_schema_and_all_examples(tmp_path: Path, deep: bool) -> None:
    """By default some examples; below, all are checked by what it is made of."""
    module = pytest.importorskip("check_jsonschema", reason="check-jsonschema is not installed (extra: test)")

    def checked(*arguments: object) -> int:
        return CliRunner().invoke(module.main, [str(argument) for argument in arguments]).exit_code

    assert checked("--check-metaschema", SHIPPED) == 0
    assert checked("--schemafile", SHIPPED, *EXAMPLES[:: 1 if deep else 8]) == 0
    wrong = tmp_path / "wrong.yaml"
    wrong.write_text(LENET.replace("filters:", "filtres:", 1), encoding="utf-8")
    assert checked("--schemafile", SHIPPED, wrong) == 1


def test_documentation() -> None:
    schema = json_schema()
    assert schema["$schema"] == "http://json-schema.org/draft-07/schema#"
    layers = schema["definitions"]["any_dense"]
    kinds = {
        one["const"]: one.get("description")
        for one in layers["properties"]["type"]["anyOf"]
        if "const" in one
    }
    assert kinds.keys() == LAYERS.keys()
    assert all(kinds.values())
    assert [one["if"]["properties"]["type"]["const"] for one in layers["allOf"]] == list(kinds)
    for kind in LAYERS.values():
        for key, described in schema["definitions"][kind.__name__]["properties"].items():
            assert described.get("description"), (kind, key)


def test_every_part_of_the_language_is_documented() -> None:
    schema = json_schema()
    bare = [
        f"{name}.{key}"
        for name, one in {**schema["definitions"], "": schema}.items()
        for key, described in one.get("properties", {}).items()
        if not described.get("description") and key != "type"
    ]
    assert bare == []


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.name)
def test_examples_are_valid(path: Path, validator) -> None:
    assert list(validator.iter_errors(value(path.read_text(encoding="utf-8")))) == []


@pytest.mark.parametrize("text", [LENET, PENDULUM], ids=["lenet", "pendulum"])
def test_specs_are_valid(text: str, validator) -> None:
    assert list(validator.iter_errors(value(text))) == []


def test_the_reference_is_valid(validator) -> None:
    for example in examples():
        if example.file is None:
            assert list(validator.iter_errors(value(example.spec))) == [], example.text


def test_what_the_loader_takes_is_valid(validator, deep: bool) -> None:
    taken, drawn = 0, 500 if deep else 250
    for number in range(drawn):
        subject, mutation, _ = draw(number, 0)
        if not subject.parts and not load_spec_text(mutation.text, subject.file).diagnostics.has_errors:
            taken += 1
            assert list(validator.iter_errors(value(mutation.text, subject.file))) == [], mutation.text
    assert taken > drawn // 10


@pytest.mark.parametrize("code", [code for code, page in pages().items() if page.example])
def test_pages(code: str, validator) -> None:
    page = pages()[code]
    assert page.right is not None
    assert page.wrong is not None
    assert list(validator.iter_errors(value(page.right, page.file))) == []
    if code in STRUCTURE:
        assert list(validator.iter_errors(value(page.wrong, page.file))) != []


def test_values_may_be_computed(validator) -> None:
    text = LENET.replace("filters: 16", "filters: $n * 2").replace("dims:", "vars: {n: 8}\ndims:")
    assert list(validator.iter_errors(value(text))) == []
    assert list(validator.iter_errors(value(text.replace("$n * 2", "many")))) != []
    text = LENET.replace("type: conv2d", "type: $kind").replace("dims:", "vars: {kind: conv2d}\ndims:")
    assert not load_spec_text(text, "lenet.yaml").diagnostics.has_errors
    assert list(validator.iter_errors(value(text))) == []
    assert list(validator.iter_errors(value(text.replace("$kind", "kind")))) != []


@pytest.mark.parametrize("kind", LAYERS)
def test_every_key_has_a_docstring(kind: str) -> None:
    assert set(LAYERS[kind].model_fields) - set(field_docs(LAYERS[kind])) == set()
