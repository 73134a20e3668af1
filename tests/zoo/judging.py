"""How far an answer is from ONNX Runtime's, and who is right where that is too far."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray

from .arrays import answers, distance, session
from .stages import in_stages, is_quantized, moves
from .widening import exact_answers


class Judge:
    """Compares the answers to one set of inputs.

    ONNX Runtime's first answer is the one without its own rewrites; a network that amplifies rounding has to agree
    with the one or the other, which differ as much: a logarithm of what is nearly nothing makes much of the order in
    which a convolution sums up. Where neither will do, both are measured against ONNX's reference evaluation in
    float64: an answer is right that agrees with it, or that is no farther from it than the runtime's own where these
    are farther than is allowed. A network that quantizes what it computes is judged stage by stage where the runtime's
    own answer moves more than is allowed when the last bits of the input change.
    """

    def __init__(self, model: onnx.ModelProto, path: Path, tolerance: float):
        self.model, self.path, self.tolerance = model, path, tolerance
        self.optimized: dict[str, NDArray] = {}
        self.exact: dict[str, NDArray] = {}

    def distance(
        self, name: str, found: NDArray, wanted: NDArray, given: Mapping[str, NDArray], report: dict[str, Any]
    ) -> tuple[float, float]:
        """The distance that counts for an output, and how large it may be; what is found out about the runtime goes
        into ``report``."""
        error = distance(found, wanted)
        if error <= self.tolerance or not np.isfinite(error):
            return error, self.tolerance
        self.optimized = self.optimized or answers(session(self.path.read_bytes(), optimized=True), given)
        error = min(error, distance(found, self.optimized[name]))
        if error <= self.tolerance:
            _note(report, "rewrites", distance(wanted, self.optimized[name]))
            return error, self.tolerance
        if is_quantized(self.model):
            return min(error, self._in_stages(name, wanted, given, report)), self.tolerance
        self.exact = self.exact or exact_answers(self.model, given)
        truth = self.exact[name]
        own, runtime = (
            distance(found, truth),
            [distance(one, truth) for one in (wanted, self.optimized[name])],
        )
        if max(runtime) > self.tolerance:
            _note(report, "runtime", max(runtime))
        return own, max(self.tolerance, *runtime)

    def _in_stages(
        self, name: str, wanted: NDArray, given: Mapping[str, NDArray], report: dict[str, Any]
    ) -> float:
        """The largest distance of a stage."""
        moved = moves(self.path, given, {name: wanted})[name]
        if moved <= self.tolerance:
            return np.inf
        report["moves"] = max(report.get("moves", 0.0), moved)
        return max(in_stages(self.model, given).values())


def _note(report: dict[str, Any], key: str, number: float) -> None:
    report[key] = max(report.get(key, 0.0), number)
