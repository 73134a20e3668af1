"""The ONNX bridge: import and export of models, and a backend for ONNX's own conformance tests. It needs the extra
`onnx`.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .errors import Finding, OnnxError
    from .files import ExportedModel, ImportedModel, export_model, import_model

__all__ = ["ExportedModel", "Finding", "ImportedModel", "OnnxError", "export_model", "import_model"]

_HOMES = {
    "ExportedModel": ".files",
    "Finding": ".errors",
    "ImportedModel": ".files",
    "OnnxError": ".errors",
    "export_model": ".files",
    "import_model": ".files",
}


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(import_module(_HOMES[name], __name__), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
