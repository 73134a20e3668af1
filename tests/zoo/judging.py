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
from .stages import in_stages, is_quantized, moves


class Judge:
    """Compares the answers to one set of inputs. ONNX Runtime's first answer is the one without its own rewrites; a
    network that amplifies rounding has to agree with the one or the other, which differ as much. Where neither will
    do, agreeing with ONNX's reference evaluation in NumPy shows that it is the runtime that is off: its sigmoid is, for
    numbers far below zero. A network that quantizes what it computes is judged stage by stage where the runtime's own
    answer moves more than is allowed when the last bits of the input change."""

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
        if is_quantized(self.model):
            return min(error, self._in_stages(name, wanted, given, report))
        self.exact = self.exact or self._reference(given)
        exact = distance(found, self.exact[name])
        if exact <= self.tolerance:
            report["runtime"] = max(report.get("runtime", 0.0), distance(wanted, self.exact[name]))
        return min(error, exact)

    def _in_stages(
        self, name: str, wanted: NDArray, given: Mapping[str, NDArray], report: dict[str, Any]
    ) -> float:
        """The largest distance of a stage."""
        moved = moves(self.path, given, {name: wanted})[name]
        if moved <= self.tolerance:
            return np.inf
        report["moves"] = max(report.get("moves", 0.0), moved)
        return max(in_stages(self.model, given).values())

    def _reference(self, given: Mapping[str, NDArray]) -> dict[str, NDArray]:
        evaluator = ReferenceEvaluator(self.model)
        values: Any = evaluator.run(None, dict(given))
        return dict(zip(evaluator.output_names, map(np.asarray, values), strict=True))
