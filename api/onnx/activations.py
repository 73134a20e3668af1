"""The language's counterparts of the activations in ONNX's recurrences."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from .errors import Refusal
from .numbers import decimal

#: Activations: our name, and the numbers with ONNX's defaults (None: it has none): (key, alpha or beta, default).
_ACTIVATIONS: dict[str, tuple[str, tuple[tuple[str, str, float | None], ...]]] = {
    "tanh": ("tanh", ()),
    "relu": ("relu", ()),
    "sigmoid": ("sigmoid", ()),
    "softsign": ("softsign", ()),
    "softplus": ("softplus", ()),
    "affine": ("affine", (("alpha", "alpha", None), ("beta", "beta", 0.0))),
    "leakyrelu": ("leaky_relu", (("negative_slope", "alpha", 0.01),)),
    "thresholdedrelu": ("thresholded_relu", (("theta", "alpha", None),)),
    "scaledtanh": ("scaled_tanh", (("alpha", "alpha", None), ("beta", "beta", None))),
    "hardsigmoid": ("hard_sigmoid", (("alpha", "alpha", 0.2), ("beta", "beta", 0.5))),
    "elu": ("elu", (("alpha", "alpha", 1.0),)),
}


def numbers_of(attribute: Callable[[str], Any]) -> dict[str, Iterator[float]]:
    """The alphas or betas of all activations of a node, in order."""
    return {
        word: iter([decimal(number) for number in attribute(f"activation_{word}") or ()])
        for word in ("alpha", "beta")
    }


def activation_of(name: str, numbers: Mapping[str, Iterator[float]]) -> Any:
    """An activation as the language writes it. Its numbers are taken off the front of the lists."""
    if name.lower() not in _ACTIVATIONS:
        raise Refusal(f"{name} is not supported", "activations")
    kind, wanted = _ACTIVATIONS[name.lower()]
    parameters = {key: next(numbers.get(word, iter(())), default) for key, word, default in wanted}
    if None in parameters.values():
        raise Refusal(
            f"{name} has numbers without a default: activation_alpha and activation_beta", "activations"
        )
    return {"type": kind, **parameters} if parameters else kind
