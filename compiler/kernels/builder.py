"""The builder that operations emit to: loop IR plus elementary functions and random bits."""

from __future__ import annotations

from collections.abc import Sequence

from ..loop.builder import Builder
from ..loop.ir import Expr
from . import math, random


class KernelBuilder(Builder):
    """``Builder`` with the functions of ``kernels.math`` and ``kernels.random`` as methods."""

    def exp(self, x: Expr) -> Expr:
        return math.exp(self, x)

    def log(self, x: Expr) -> Expr:
        return math.log(self, x)

    def tanh(self, x: Expr) -> Expr:
        return math.tanh(self, x)

    def sigmoid(self, x: Expr) -> Expr:
        return math.sigmoid(self, x)

    def erf(self, x: Expr) -> Expr:
        return math.erf(self, x)

    def sin(self, x: Expr) -> Expr:
        return math.sin(self, x)

    def cos(self, x: Expr) -> Expr:
        return math.cos(self, x)

    def philox(self, key: Sequence[int | Expr], counter: Sequence[Expr]) -> tuple[Expr, Expr, Expr, Expr]:
        """Four random uint32 words a lane; see ``kernels.random.philox``."""
        return random.philox(self, key, counter)
