"""docs/language.md is what the code says, and shows every key of the language at work."""

import inspect
import re
from functools import lru_cache
from pathlib import Path

import pytest
from pydantic import BaseModel

from netwright.build import build, entry_graphs
from netwright.compiler.codegen.targets.target import host_target
from netwright.compiler.frontend.build import build_network
from netwright.specs.diagnostics.diagnostic import Diagnostics
from netwright.specs.load import load_spec_text
from netwright.specs.models.layers import LAYERS
from netwright.specs.models.layers.base import LayerSpec
from netwright.specs.reading.documents import read_text
from netwright.specs.reference import Example, examples, layer_sections
from netwright.specs.reference.document import KINDS, MODELS, document
from netwright.specs.reference.index import anchor
from netwright.specs.schema.generate import field_docs

PAGE = Path(__file__).parents[2] / "docs" / "language.md"
SPECS = [one for one in examples() if one.file is None]
PARTS = {one.file: one.text for one in examples() if one.file}


def test_the_page_is_up_to_date(request: pytest.FixtureRequest) -> None:
    if request.config.getoption("--update-golden"):
        PAGE.write_text(document(), encoding="utf-8")
    assert PAGE.read_text(encoding="utf-8") == document(), "run: make golden"


def test_contents_and_index_lead_to_sections() -> None:
    page = document()
    anchors = {anchor(line.lstrip("# ")) for line in page.splitlines() if re.match(r"##+ ", line)}
    links = set(re.findall(r"\]\(#([^)]+)\)", page))
    assert links <= anchors
    assert anchors - {"the-language"} <= links
    listed = page.partition("## Index")[2]
    for word in ("chrono_init", "momentum", "gru", "window", "same_upper", "split", "gamma", "top_k"):
        assert f"- `{word}`: [" in listed
    for kind in LAYERS:
        assert f"- `{kind}`: [" in listed


@pytest.mark.parametrize("example", SPECS, ids=[f"{one.title}{i}" for i, one in enumerate(SPECS)])
def test_examples_are_valid_and_compile(example: Example, tmp_path: Path) -> None:
    for name, text in PARTS.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text, encoding="utf-8")
    load = load_spec_text(example.spec, "spec.yaml", folder=str(tmp_path))
    network, diagnostics = build_network(load)
    assert network is not None, diagnostics.to_text()
    assert diagnostics.items == [], diagnostics.to_text()
    trained = load.model is not None and load.model.train is not None
    # The entry `loss` is a part of `train_step`.
    build(network, entry_graphs(network, ["predict", "train_step"] if trained else None), host_target())


@lru_cache(maxsize=1)
def mappings() -> list[dict]:
    """Every mapping in the examples."""
    found = []
    for one in examples():
        tree = read_text(one.spec, "spec.yaml", Diagnostics())
        assert tree is not None
        found += [node.value for _, node in tree.root.walk() if isinstance(node.value, dict)]
    return found


def definer(model: type, key: str) -> type:
    """The class that a model has a key from."""
    return next(cls for cls in model.__mro__ if key in inspect.get_annotations(cls))


def shown_keys() -> set[tuple[type, str]]:
    found = set()
    for one in mappings():
        kind = LAYERS.get(one.get("type", "")) if isinstance(one.get("type"), str) else None
        for name, info in kind.model_fields.items() if kind else ():
            if (info.alias or name) in one:
                found.add((definer(kind, name), name))
    return found


def test_every_layer_type_has_an_example_of_every_key() -> None:
    assert layer_sections().keys() == LAYERS.keys()
    shown = shown_keys()
    missing = [
        f"{kind}.{name}"
        for kind, model in LAYERS.items()
        for name in model.model_fields
        if (definer(model, name), name) not in shown and definer(model, name) is not LayerSpec
    ]
    assert missing == []
    for kind, body in layer_sections().items():
        assert f"type: {kind}" in body, kind


@pytest.mark.parametrize("name", MODELS)
def test_every_key_is_documented_and_shown(name: str) -> None:
    model = MODELS[name]
    keys = {field: info.alias or field for field, info in model.model_fields.items()}
    assert keys.keys() - {"type"} <= field_docs(model).keys()
    written = {key for one in mappings() for key in one}
    assert set(keys.values()) - written == set()


@pytest.mark.parametrize("name", KINDS)
def test_every_kind_has_documented_keys(name: str) -> None:
    page = document()
    for model in KINDS[name].__args__:
        assert issubclass(model, BaseModel)
        assert f"| `{model.model_fields['type'].default}` |" in page
        assert model.model_fields.keys() - {"type"} <= field_docs(model).keys()
