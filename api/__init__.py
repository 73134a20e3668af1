"""Netwright: a declarative graph compiler for convolutional and recurrent networks.

    import netwright


    model = netwright.load("digits.yaml")
    print(model.diagnostics.to_text(), model.summary())
    program = model.compile("digits.safetensors")
    answer = program.predict(image=images)["digit"]
    program.save("digits")

Importing this package loads hardly anything else: names resolve on first use.
"""

import sys
from contextlib import nullcontext
from importlib import import_module
from types import ModuleType
from typing import TYPE_CHECKING, Any

from .collection import collected_seldom

if TYPE_CHECKING:
    from .analysis.summary import Summary
    from .batch_prediction import BatchPredictor
    from .errors import RequestError, SpecError
    from .inspection.rates import find_rates
    from .model import Model, load
    from .pictures import Drawing, draw
    from .program import Program
    from .quantization import quantize
    from .trainings.reading import Run, runs
    from .version import VERSION as __version__
    from .weights.network import read_weights

__all__ = [
    "BatchPredictor",
    "Drawing",
    "Model",
    "Program",
    "RequestError",
    "Run",
    "SpecError",
    "Summary",
    "__version__",
    "draw",
    "find_rates",
    "load",
    "quantize",
    "read_weights",
    "runs",
]

_HOMES = {
    "BatchPredictor": (".batch_prediction", "BatchPredictor"),
    "Drawing": (".pictures", "Drawing"),
    "Model": (".model", "Model"),
    "Program": (".program", "Program"),
    "RequestError": (".errors", "RequestError"),
    "Run": (".trainings.reading", "Run"),
    "SpecError": (".errors", "SpecError"),
    "Summary": (".analysis.summary", "Summary"),
    "__version__": (".version", "VERSION"),
    "draw": (".pictures", "draw"),
    "find_rates": (".inspection.rates", "find_rates"),
    "load": (".model", "load"),
    "quantize": (".quantization", "quantize"),
    "read_weights": (".weights.network", "read_weights"),
    "runs": (".trainings.reading", "runs"),
}


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        module, attribute = _HOMES[name]
        return getattr(_module(module), attribute)
    if name == "sklearn":  # `netwright.sklearn.Classifier`, without an import of its own
        return _module(".sklearn")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def _module(name: str) -> ModuleType:
    """One of the package's modules. What a first import makes stays, so that garbage is not looked for meanwhile, which
    takes a fifth of the time."""
    with nullcontext() if f"{__name__}{name}" in sys.modules else collected_seldom():
        return import_module(name, __name__)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
