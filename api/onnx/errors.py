"""What the ONNX bridge has to say: one finding for each node that is not supported, and the errors made of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


class Mismatch:
    """Sizes that do not fit (``agreement.Sizes``)."""

    __slots__ = ()


@dataclass(frozen=True, slots=True)
class Finding:
    """Why something is not brought over. ``node`` and ``op`` are empty where the model as a whole is meant."""

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
    """A model that is not brought over, with all findings in ``findings``, and perhaps what would ``help``."""

    def __init__(self, findings: Sequence[Finding] | str, help: str = ""):
        if isinstance(findings, str):
            findings = [Finding(findings)]
        self.findings, self.help = tuple(findings), help
        super().__init__("\n".join(map(str, self.findings)))


class Refusal(Exception):
    """Raised by a converter: the node at hand is not supported, and why."""

    def __init__(self, reason: str, attribute: str = "", mismatches: Sequence[Mismatch] = ()):
        super().__init__(reason)
        self.reason, self.attribute, self.mismatches = reason, attribute, tuple(mismatches)


class NeedsValue(Exception):
    """Raised where a value has to be known while importing, and is an input of the model (``name``), or computed."""

    def __init__(self, name: str, what: str, inputs: frozenset[str] = frozenset()):
        super().__init__(f"{what} has to be constant, {name} is computed at run time")
        self.name, self.inputs = name, inputs
        self.findings: Sequence[Finding] = ()
        """All that is not supported, this among it, once the whole model is read."""
