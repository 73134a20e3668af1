"""Netwright: a declarative graph compiler for convolutional and recurrent networks.

    import netwright


    model = netwright.load("digits.yaml")
    print(model.diagnostics.to_text(), model.summary())
    program = model.compile("digits.safetensors")
    answer = program.predict(image=images)["digit"]
    program.save("digits")

Importing this package loads nothing else: names resolve on first use.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .analysis.summary import Summary
    from .batch_prediction import BatchPredictor
    from .errors import RequestError, SpecError
    from .model import Model, load
    from .pictures import Drawing, draw
    from .program import Program
    from .trainings.reading import Run, runs
    from .version import VERSION as __version__

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
    "load",
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
    "load": (".model", "load"),
    "runs": (".trainings.reading", "runs"),
}


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        module, attribute = _HOMES[name]
        return getattr(import_module(module, __name__), attribute)
    if name == "sklearn":  # `netwright.sklearn.Classifier`, without an import of its own
        return import_module(".sklearn", __name__)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
