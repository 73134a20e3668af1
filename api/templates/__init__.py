"""Specs to start from, with comments. `NAME` in them stands for the model's name."""

from __future__ import annotations

import re
from importlib.resources import files

#: The templates, with a description each.
TEMPLATES = {
    "cnn": "images to classes",
    "scanner": "one small network over every window of a signal",
    "rnn": "the next value of a sequence, at every step",
    "seq2seq": "a sequence to another one: encoder and decoder",
}


def template(name: str, model: str) -> str:
    """The text of the spec. Raises KeyError for a name that is not in TEMPLATES."""
    if name not in TEMPLATES:
        raise KeyError(name)
    text = (files("netwright.templates") / f"{name}.yaml").read_text(encoding="utf-8")
    return re.sub(r"\bNAME\b", model, text)
