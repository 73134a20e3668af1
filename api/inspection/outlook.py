"""The parts of a summary that take computing: memory, by the compiled program's own planner, and gradients through
recurrences.
"""

from __future__ import annotations

from typing import Any

from ..analysis.resources import Resources
from ..describe import bytes_text
from ..errors import RequestError
from ..model import Model
from .gradients import GradientFlow, gradient_flow

_PURPOSES = {"predict": "to predict", "train_step": "to train"}


class Outlook:
    """Memory and gradients of a model.

    ``memory`` is exact; ``gradients`` are measured with the initial weights. Raises SpecError for a model with errors.
    """

    def __init__(self, model: Model):
        self.memory = Resources(model.load, model.network)
        self.gradients: GradientFlow = gradient_flow(model)

    def lines(self) -> list[str]:
        """One line about memory, and one for each recurrence."""
        needs = [self._needs(entry) for entry in self.memory.entries]
        lines = [f"memory: {', '.join(needs)}"]
        for flow in self.gradients.flows:
            lines.append(
                f"gradients: {flow.layer} {flow.verdict}, × {flow.gain:.3g} a step back in time, "
                f"{flow.left:.1e} after {len(flow.norms) - 1}"
            )
        return lines

    def to_json(self) -> dict[str, Any]:
        """The JSON of `resources` and `gradients`, under these names."""
        return {"resources": self.memory.to_json()["entries"], "gradients": self.gradients.to_json()["flows"]}

    def _needs(self, entry: str) -> str:
        purpose = _PURPOSES[entry]
        try:
            memory = self.memory.memory(entry)
        except RequestError:
            return f"more than can be addressed {purpose}"
        sizes = ", ".join(f"{name} = {size}" for name, size in memory.dims.items())
        return f"{bytes_text(memory.total)} {purpose}" + (f" ({sizes})" if sizes else "")
