"""Words of other frameworks: each is answered with what says it here."""

from pathlib import Path
from typing import get_args

import pytest

from netwright.compiler.frontend.build import build_network
from netwright.specs.diagnostics.foreign_notes import TYPE_NOTES
from netwright.specs.diagnostics.foreign_types import LOSSES as OUR_LOSSES
from netwright.specs.diagnostics.foreign_types import TYPES
from netwright.specs.diagnostics.suggest import type_meant, type_note
from netwright.specs.load import load_spec_text
from netwright.specs.models.activations import ActivationSpec
from netwright.specs.models.initializers import InitializerSpec
from netwright.specs.models.layers import LAYERS
from netwright.specs.models.losses import AnyLoss
from netwright.specs.models.metrics import AnyMetric

#: The names of layers as the frameworks' documentation lists them.
FRAMEWORKS = {
    title.strip(): words.split()
    for title, _, words in (
        part.partition("\n")
        for part in (Path(__file__).parent / "frameworks.txt").read_text(encoding="utf-8").split("=== ")[1:]
    )
}
LOSSES = {cls.model_fields["type"].default for cls in get_args(AnyLoss)}
OTHERS = {
    cls.model_fields["type"].default
    for base in (ActivationSpec, InitializerSpec)
    for cls in base.__subclasses__()
    if "type" in cls.model_fields
} | {cls.model_fields["type"].default for cls in get_args(AnyMetric)}


@pytest.mark.parametrize(
    ("framework", "word"), [(name, word) for name, words in FRAMEWORKS.items() for word in words]
)
def test_every_layer_of_other_frameworks_is_known(framework: str, word: str) -> None:
    meant = type_meant(word, [*LAYERS, *LOSSES, *OTHERS])
    plain = "".join(character for character in word.lower() if character.isalnum())
    assert meant or type_note(word)
    if meant:  # by the table or by its name, not because it is spelled like something
        assert TYPES.get(plain) == meant or meant.replace("_", "") == plain


def test_the_table_names_what_there_is() -> None:
    assert OUR_LOSSES == LOSSES
    assert set(TYPES.values()) <= {*LAYERS, *LOSSES, *OTHERS}
    assert not TYPES.keys() & TYPE_NOTES.keys()
    assert all(word == "".join(c for c in word.lower() if c.isalnum()) for word in [*TYPES, *TYPE_NOTES])


@pytest.mark.parametrize(
    ("word", "help"),
    [
        ("route", "did you mean concat?"),
        ("connected", "did you mean dense?"),
        ("shortcut", "did you mean add?"),
        ("GlobalAveragePooling1D", "did you mean global_mean_pool?"),
        ("Bidirectional", "both directions are a setting of a recurrence"),
        ("Masking", "an input says how long its sequences are"),
        ("ReLU6", "write it as a formula: {type: expression, value: clip(x, 0, 6)}"),
        ("MSELoss", "losses stand in the training section: train: {loss: {type: mse, output: y, target: t}}"),
    ],
)
def test_what_is_said(word: str, help: str) -> None:
    text = (
        "netwright: 1\nmodel: m\ndims: {N: batch}\ninputs: {x: {shape: [N, 4]}}\n"
        f"layers: [{{name: a, type: {word}}}]\noutputs: {{y: a}}\n"
    )
    _, diagnostics = build_network(load_spec_text(text, "spec.yaml"))
    error = next(one for one in diagnostics.errors if one.code == "NW0206")
    assert error.help is not None
    assert help in error.help
