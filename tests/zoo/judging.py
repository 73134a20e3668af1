"""How far an answer is from ONNX Runtime's, and who is right where that is too far."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx.reference import ReferenceEvaluator

from .arrays import answers, distance, session


class Judge:
    """Compares the answers to one set of inputs. ONNX Runtime's first answer is the one without its own rewrites; a
    network that amplifies rounding has to agree with the one or the other, which differ as much. Where neither will
    do, agreeing with ONNX's reference evaluation in NumPy shows that it is the runtime that is off: its sigmoid is, for
    numbers far below zero."""

    def __init__(self, model: onnx.ModelProto, path: Path, tolerance: float):
        self.model, self.path, self.tolerance = model, path, tolerance
        self.optimized: dict[str, NDArray] = {}
        self.exact: dict[str, NDArray] = {}

    def distance(
        self, name: str, found: NDArray, wanted: NDArray, given: Mapping[str, NDArray], report: dict[str, Any]
    ) -> float:
        """The distance that counts for an output; what is found out about the runtime goes into ``report``."""
        error = distance(found, wanted)
        if error <= self.tolerance or not np.isfinite(error):
            return error
        self.optimized = self.optimized or answers(session(self.path.read_bytes(), optimized=True), given)
        error = min(error, distance(found, self.optimized[name]))
        if error <= self.tolerance:
            return error
        self.exact = self.exact or self._reference(given)
        exact = distance(found, self.exact[name])
        if exact <= self.tolerance:
            report["runtime"] = max(report.get("runtime", 0.0), distance(wanted, self.exact[name]))
        return min(error, exact)

    def _reference(self, given: Mapping[str, NDArray]) -> dict[str, NDArray]:
        evaluator = ReferenceEvaluator(self.model)
        values: Any = evaluator.run(None, dict(given))
        return dict(zip(evaluator.output_names, map(np.asarray, values), strict=True))
