"""The errors that the Python API itself raises."""

from __future__ import annotations

from netwright.specs.diagnostics.diagnostic import Diagnostics


class SpecError(ValueError):
    """A model whose spec has errors was used. The message shows all of them in the user's text."""

    def __init__(self, diagnostics: Diagnostics):
        super().__init__(diagnostics.to_text())
        self.diagnostics = diagnostics


class RequestError(ValueError):
    """The model can't do what was asked. The message says what it can do."""
