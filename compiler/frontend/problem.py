"""An error in a layer or the training section: one diagnostic, raised where it is found."""

from __future__ import annotations

from collections.abc import Iterable

from netwright.specs.diagnostics.diagnostic import Diagnostic
from netwright.specs.diagnostics.fixes import Fix
from netwright.specs.dims import Shape
from netwright.specs.source.tree import Span

from ..ops.views.layout import show

Label = tuple[Span, str]


class Problem(Exception):
    """Ends the expansion of a layer; its results stay unknown."""

    def __init__(
        self,
        code: str,
        message: str,
        span: Span,
        *,
        label: str = "",
        labels: Iterable[Label] = (),
        notes: Iterable[str] = (),
        help: str | None = None,
        fixes: Iterable[Fix] = (),
    ):
        super().__init__(message)
        more = tuple(labels), tuple(notes), help, tuple(fixes)
        self.diagnostic = Diagnostic(code, "error", message, span, label, *more)


def show_type(dtype: str, shape: Shape) -> str:
    """A type as messages write it: ``float32 [N, 3]``."""
    return f"{dtype} {show(shape)}"


def count(number: int, noun: str) -> str:
    """``1 unit``, ``3 units``."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
