"""Values of a loop's body as expressions of the language.

ONNX computes with whole tensors, an equation with those of one sample. So a term knows both: the `shape` of its text in
the language, and the `view`, the shape in ONNX. They differ in axes of size 1 and in what is broadcast later.
"""

from __future__ import annotations

import ast
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from ..errors import Refusal

Sizes = tuple[int, ...]


class OtherOrder(Refusal):
    """Raised when images are held in an order of axes that a rule can't handle."""


#: A longer expression gets a name.
LONG = 72


@dataclass(frozen=True, slots=True)
class Term:
    """An expression. ``batched`` says whether ONNX's tensor has the samples as first axis, which ``view`` leaves
    out.
    """

    text: str
    shape: Sizes
    view: Sizes
    dtype: str
    batched: bool
    untransposed: str = ""
    """The term that it is the transpose of."""
    opposite: str = ""
    """The value where the comparison is false."""
    order: Sizes = ()
    """If images are held channels last, for each axis of the text its axis in ``view``, whose other axes have size 1.
    Otherwise None: both have the same order.
    """

    @property
    def is_name(self) -> bool:
        """Whether the text is short enough to be repeated."""
        return self.text.isidentifier() or (self.text.startswith("prev(") and self.text.count("(") == 1)

    def viewed(self, view: Sequence[int]) -> Term:
        """The same numbers under another view."""
        return replace(self, view=tuple(view), untransposed="", opposite="")

    def seen(self, text: str, shape: Sequence[int]) -> Term:
        """Another text with axes that correspond to ONNX's as this one's do."""
        view = [1] * len(self.view) if self.order else list(shape)
        for own, axis in zip(shape, self.order, strict=False):
            view[axis] = own
        shape = tuple(shape)
        return replace(self, text=text, shape=shape, view=tuple(view), untransposed="", opposite="")

    def exact(self) -> Term:
        """The term, if the text's shape is the one in ONNX except for leading axes of size 1. Raises Refusal
        otherwise.
        """
        if self.order:
            raise OtherOrder("an image that is held channels last is read as if its channels were first")
        if any(a != b for a, b in _from_the_end(self.shape, self.view)):
            raise Refusal(f"a value of shape {list(self.shape)} is seen as {list(self.view)}")
        return self


def ordered(order: Sequence[int], rank: int) -> Sizes:
    """A permutation of ``count`` axes, or None if it is the identity."""
    return () if list(order) == list(range(rank)) else tuple(order)


def channels_last(rank: int) -> Sizes:
    """The order in which the language holds the axes of an image, whose first axis in ONNX is the channels."""
    return (*range(1, rank), 0)


def of_sample(text: str, shape: Sizes, dtype: str, batched: bool, last: bool) -> Term:
    """A value that a step reads, in the shape in which it is held; with ``last``, images are held channels last."""
    plain = Term(text, shape, shape, dtype, batched)
    if not last or len(shape) < 2:
        return plain
    return replace(plain, order=channels_last(len(shape))).seen(text, shape)


def _from_the_end(shape: Sizes, view: Sizes) -> list[tuple[int, int]]:
    rank = max(len(shape), len(view))
    return list(zip((1,) * (rank - len(shape)) + shape, (1,) * (rank - len(view)) + view, strict=True))


def written(template: str, operands: Mapping[str, str]) -> str:
    """A template with its names replaced by expressions, with only the parentheses that are needed."""
    trees = {name: ast.parse(text, mode="eval").body for name, text in operands.items()}

    class _Places(ast.NodeTransformer):
        def visit_Name(self, node: ast.Name) -> ast.expr:
            return trees.get(node.id, node)

    return ast.unparse(_Places().visit(ast.parse(template, mode="eval")))


def joint(template: str, operands: Mapping[str, Term], dtype: str | None = None) -> Term:
    """A function of terms that broadcast. Raises Refusal if ONNX and the language align them differently."""
    terms = list(operands.values())
    batched = any(term.batched for term in terms)
    # A single number is the same in any order of axes.
    orders = {term.order for term in terms if len(term.view) > 1 and set(term.shape) - {1}}
    if len(orders) > 1:
        raise OtherOrder("images meet that are held in different orders")
    order = next(iter(orders), ())
    ranks = {len(term.view) for term in terms if term.batched}
    if len(ranks) > 1:
        raise Refusal("samples meet what is not the first axis")
    rank = next(iter(ranks), max(len(term.view) for term in terms))
    views = []
    for term in terms:
        view = term.view
        if batched and not term.batched and len(view) == rank + 1 and view[0] == 1:
            view = view[1:]
        if len(view) > rank:
            raise Refusal("samples meet what is not the first axis")
        if order and len(view) not in (0, rank):
            raise OtherOrder("an image meets what has fewer axes")
        own = tuple(view[axis] for axis in order) if order and view else view
        if any(a not in (1, b) for a, b in _from_the_end(term.shape, own)):
            raise Refusal(f"a value of shape {list(term.shape)} is seen as {list(view)}")
        views.append(view)
    try:
        view, shape = np.broadcast_shapes(*views), np.broadcast_shapes(*(term.shape for term in terms))
    except ValueError:
        raise Refusal(f"the shapes {', '.join(str(list(view)) for view in views)} do not broadcast") from None
    text = written(template, {name: term.text for name, term in operands.items()})
    return Term(text, shape, view, dtype or terms[-1].dtype, batched, order=order)


def product(a: Term, b: Term) -> Term:
    """The matrix product of vectors and matrices of a sample. Raises Refusal."""
    if (a.batched and not a.view) or (b.batched and len(b.view) != 2) or not a.view or not b.view:
        raise Refusal("the samples are multiplied with each other")
    if b.batched and a.batched and len(a.view) != 2:
        raise Refusal("the samples are multiplied with each other")
    if max(len(a.view), len(b.view)) > 2:
        raise Refusal("a factor has more than two axes")
    a, b = (factor if len(factor.shape) == 1 else factor.exact() for factor in (a, b))
    row = len(a.shape) == 1 and a.view in (a.shape, (1, *a.shape))
    column = len(b.shape) == 1 and b.view in (b.shape, (*b.shape, 1))
    if not (row or len(a.shape) == len(a.view)) or not (column or len(b.shape) == len(b.view)):
        raise Refusal(f"a product of {list(a.shape)} and {list(b.shape)}")
    if a.shape[-1] != b.shape[0] or a.view[-1] != b.view[0]:
        raise Refusal(f"{list(a.view)} times {list(b.view)}")
    shape = (*(() if row else a.shape[:-1]), *(() if column else b.shape[1:]))
    view = (*a.view[:-1], *b.view[1:])
    if row and b.untransposed:  # as it was written: a matrix times a vector
        text = written("a @ b", {"a": b.untransposed, "b": a.text})
    else:
        text = written("a @ b", {"a": a.text, "b": b.text})
    return Term(text, shape, view, a.dtype, a.batched or b.batched)
