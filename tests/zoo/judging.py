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

#: How far an answer may be from ONNX Runtime's, in root mean squares of that.
TOLERANCE = 1e-4
#: Up to this distance it may be the runtime that is off: its sigmoid is, for numbers far below zero.
_JUDGED = 0.2


class Judge:
    """Compares the answers to one set of inputs. ONNX Runtime's first answer is the one without its own rewrites; a
    network that amplifies rounding has to agree with the one or the other, which differ as much. Where neither will
    do, ONNX's reference evaluation in NumPy says whether it is the runtime that is off."""

    def __init__(self, model: onnx.ModelProto, path: Path):
        self.model, self.path = model, path
        self.optimized: dict[str, NDArray] = {}
        self.exact: dict[str, NDArray] = {}

    def distance(
        self, name: str, found: NDArray, wanted: NDArray, given: Mapping[str, NDArray], report: dict[str, Any]
    ) -> float:
        """The distance that counts for an output; what is found out about the runtime goes into ``report``."""
        error = distance(found, wanted)
        if not TOLERANCE < error < _JUDGED:
            return error
        self.optimized = self.optimized or answers(session(self.path.read_bytes(), optimized=True), given)
        error = min(error, distance(found, self.optimized[name]))
        if error <= TOLERANCE:
            return error
        self.exact = self.exact or self._reference(given)
        off = distance(wanted, self.exact[name])
        if off > TOLERANCE:
            report["runtime"] = max(report.get("runtime", 0.0), off)
            error = distance(found, self.exact[name])
        return error

    def _reference(self, given: Mapping[str, NDArray]) -> dict[str, NDArray]:
        evaluator = ReferenceEvaluator(self.model)
        values: Any = evaluator.run(None, dict(given))
        return dict(zip(evaluator.output_names, map(np.asarray, values), strict=True))
