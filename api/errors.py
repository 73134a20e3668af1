"""What the front door raises of its own."""

from __future__ import annotations

from netwright.specs.diagnostics.diagnostic import Diagnostics


class SpecError(ValueError):
    """Something was asked of a model whose spec has errors; the message shows them all in the user's text."""

    def __init__(self, diagnostics: Diagnostics):
        super().__init__(diagnostics.to_text())
        self.diagnostics = diagnostics


class RequestError(ValueError):
    """Something was asked that this model can't do; the message says what it can."""
