"""Makes the values of layers visible: adds outputs to the spec before it is checked."""

from __future__ import annotations

from collections.abc import Sequence
from difflib import get_close_matches

from .errors import RequestError
from .model import Model

_PREFIX = "tap_"


def tap_settings(model: Model, taps: Sequence[str]) -> dict[str, str]:
    """The settings that make each of ``taps`` (`conv1`, `memory.state`) an output, by the tap's name.

    Reload the model with them, and rename the outputs with ``tap_names``. Raises RequestError for a layer or port that
    the model does not have, or whose name an output of another layer has.
    """
    known = {
        f"{layer.name}.{port}" if port else layer.name
        for layer in model.network.layers
        for port in layer.outputs
    }
    settings = {}
    for position, tap in enumerate(dict.fromkeys(taps)):
        if tap not in known:
            near = get_close_matches(tap, known, 1)
            hint = f"; did you mean {near[0]}?" if near else ""
            raise RequestError(f"{model.name} has no layer {tap} to tap{hint}")
        taken = model.load.wiring.outputs.get(tap)
        if taken is not None and str(taken) != tap:
            raise RequestError(f"the layer {tap} can't be tapped: an output of another layer has its name")
        settings[tap] = f"outputs.{_name(position)}={tap}"
    return settings


def _name(position: int) -> str:
    return f"{_PREFIX}{position}_"


def tap_names(taps: Sequence[str]) -> dict[str, str]:
    """For each output that ``tap_settings`` adds, the name to show it under."""
    return {_name(position): tap for position, tap in enumerate(dict.fromkeys(taps))}
