"""Errors of the ONNX bridge: one finding for each unsupported node, and the exceptions made from them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


class Mismatch:
    """Sizes that do not agree (``agreement.Sizes``)."""

    __slots__ = ()


@dataclass(frozen=True, slots=True)
class Finding:
    """Why something can't be converted. ``node`` and ``op`` are empty if the finding is about the whole model."""

    reason: str
    node: str = ""
    op: str = ""
    attribute: str = ""
    mismatches: tuple[Mismatch, ...] = ()
    """The sizes behind it."""

    def __str__(self) -> str:
        place = f"{self.node} ({self.op}): " if self.op else ""
        attribute = f"attribute {self.attribute}: " if self.attribute else ""
        return f"{place}{attribute}{self.reason}"


class OnnxError(ValueError):
    """A model can't be converted. ``findings`` has all reasons, ``help`` possibly advice."""

    def __init__(self, findings: Sequence[Finding] | str, help: str = ""):
        if isinstance(findings, str):
            findings = [Finding(findings)]
        self.findings, self.help = tuple(findings), help
        super().__init__("\n".join(map(str, self.findings)))


class Refusal(Exception):
    """Raised by a converter when the node is not supported, with the reason."""

    def __init__(self, reason: str, attribute: str = "", mismatches: Sequence[Mismatch] = ()):
        super().__init__(reason)
        self.reason, self.attribute, self.mismatches = reason, attribute, tuple(mismatches)


class NeedsValue(Exception):
    """Raised when a value must be known at import time but is an input of the model (``name``), or is computed."""

    def __init__(self, name: str, what: str, inputs: frozenset[str] = frozenset()):
        super().__init__(f"{what} has to be constant, {name} is computed at run time")
        self.name, self.inputs = name, inputs
        self.findings: Sequence[Finding] = ()
        """This finding and all others, once the whole model has been read."""
