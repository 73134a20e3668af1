"""Specs that are Python values: the same model as the file's, and errors that name keys."""

from __future__ import annotations

import json
from collections import OrderedDict
from enum import IntEnum
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

import netwright
from netwright.values import plain, spec_text

from .conftest import TINY


class Width(IntEnum):
    WIDE = 8


def values() -> dict[str, Any]:
    """The small network, as PyYAML reads it (which takes 3e-2 for text)."""
    spec = yaml.safe_load(TINY)
    spec["train"]["optimizer"]["learning_rate"] = 3e-2
    return spec


def test_a_dict_is_the_model_of_its_file(tiny: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tiny.parent)
    of_file, of_dict = netwright.load("tiny.yaml"), netwright.load(values())
    assert of_dict.is_valid
    assert of_dict.spec == of_file.spec
    assert of_dict.files == []
    assert len(of_dict.data()["train"]) == 512  # of the current folder
    trained = [model.compile(engine="reference") for model in (of_file, of_dict)]
    for program in trained:
        program.train(epochs=1)
    for name, array in trained[0].weights.items():
        np.testing.assert_array_equal(trained[1].weights[name], array)


def test_settings_dims_and_changes_apply_to_a_dict() -> None:
    model = netwright.load(values(), {"layers.hidden.units": np.int64(16)}, dims={"N": 2})
    assert model.summary().parameters == 4 * 16 + 16 + 16 * 3 + 3
    assert "N" not in model.spec.dims
    changed = model.changed(["layers.hidden.units=2"])
    assert changed.summary().parameters == 4 * 2 + 2 + 2 * 3 + 3


def test_what_loses_nothing_is_converted() -> None:
    spec: dict[str, Any] = OrderedDict(values())
    spec["inputs"] = {"x": {"shape": ("N", np.int32(4))}}
    spec["layers"][0]["units"] = Width.WIDE
    spec["layers"][0]["use_bias"] = np.bool_(True)
    spec["train"]["data"] = {"train": Path("train.npz"), "valid": np.str_("valid.npz")}
    spec["train"]["loss"]["class_weights"] = np.array([1, 0.5, 0.25], np.float32)
    expected = values()
    expected["train"]["loss"]["class_weights"] = [1.0, 0.5, 0.25]
    expected["layers"][0]["use_bias"] = True
    assert netwright.load(spec).spec == netwright.load(expected).spec
    assert plain(np.zeros((2, 1), np.uint8)) == [[0], [0]]
    assert plain(np.array(7)) == 7


def _inside_itself() -> list[Any]:
    value: list[Any] = []
    value.append(value)
    return value


@pytest.mark.parametrize(
    ("value", "words"),
    [
        ({1, 2}, "layers[0].units is of the type set"),
        (b"8", "layers[0].units is of the type bytes"),
        (1j, "layers[0].units is of the type complex"),
        (float("nan"), "layers[0].units is nan"),
        (np.float32("inf"), "layers[0].units is inf"),
        ([1, [object()]], "layers[0].units[1][0] is of the type object"),
        ({"a": {3: 4}}, "layers[0].units.a has the key 3"),
        (_inside_itself(), "contains itself"),
    ],
)
def test_other_values_are_errors_that_name_the_path(value: object, words: str) -> None:
    spec = values()
    spec["layers"][0]["units"] = value
    with pytest.raises(netwright.RequestError) as error:
        netwright.load(spec)
    assert words in str(error.value)


def test_long_floats_are_not_rounded() -> None:
    if np.finfo(np.longdouble).nmant == np.finfo(np.float64).nmant:
        pytest.skip("long double is a double here")
    assert plain(np.longdouble(0.5)) == 0.5
    with pytest.raises(netwright.RequestError, match="no 64-bit float"):
        plain(np.longdouble(1) / 3)


def test_settings_that_a_spec_cannot_hold_are_named() -> None:
    with pytest.raises(netwright.RequestError, match=r"layers\.hidden\.units is of the type set"):
        netwright.load(values(), {"layers.hidden.units": {3}})


def test_diagnostics_underline_the_key_in_the_dict_as_json() -> None:
    spec = values()
    spec["layers"][1]["unist"] = spec["layers"][1].pop("units")
    model = netwright.load(spec)
    assert not model.is_valid
    shown = model.diagnostics.to_text()
    assert "--> <dict>.json:8:39" in shown
    assert '    {"name": "head", "type": "dense", "unist": 3}\n' in shown
    with pytest.raises(netwright.SpecError, match="did you mean units"):
        model.compile()


@pytest.mark.parametrize("text", ["\0", "\ud800"])
def test_characters_that_no_text_has_are_diagnosed(text: str) -> None:
    spec = values()
    spec["model"] = f"tiny{text}"
    model = netwright.load(spec)
    assert [item.code for item in model.diagnostics.errors] in (["NW0111"], ["NW0207"])


TEXTS = st.text(max_size=6)
TREES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | TEXTS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXTS, inner, max_size=4),
    max_leaves=12,
)


@given(st.dictionaries(TEXTS, TREES, max_size=4))
def test_the_text_holds_the_values(tree: dict[str, Any]) -> None:
    assert json.loads(spec_text(tree)) == tree
