"""The values of a loop's body, by name: terms of the cell being written, and values known at import time."""

from __future__ import annotations

import keyword
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from netwright.specs.dims import DimLike
from netwright.specs.equations.expressions import CONSTANTS, FUNCTIONS

from ..errors import Refusal
from ..formulas import inlined
from ..names import Names, identifier, short
from ..operands import Held, Known
from ..reading import Body
from .terms import LONG, Term

#: Names that nothing in a cell may have.
RESERVED = (*FUNCTIONS, *CONSTANTS, *keyword.kwlist, "prev", "output")


@dataclass
class Written:
    """What has been written so far."""

    names: Names = field(default_factory=lambda: Names(RESERVED))
    steps: list[str] = field(default_factory=list)
    params: dict[str, dict[str, Any]] = field(default_factory=dict)
    weights: dict[str, NDArray] = field(default_factory=dict)
    computed: dict[str, Held] = field(default_factory=dict)
    """Parameters that the graph around computes."""
    known: dict[str, Term] = field(default_factory=dict)


class BodyValues:
    """The values of a body as terms, and the steps of the cell that compute them."""

    def __init__(
        self,
        body: Body,
        captured: Mapping[str, Any],
        opset: int,
        prefix: str,
        samples: DimLike | None,
        dtype: str,
    ):
        self.prefix = prefix
        self.body, self.opset, self.samples, self.dtype = body, opset, samples, dtype
        self.out = Written()
        self.captured = captured
        self.values: dict[str, Term | Known] = {}
        for name, value in captured.items():
            if isinstance(value, Known):
                self.values[name] = value
        self.values |= {name: Known.of(array, name) for name, array in body.constants.items()}
        self.alias: dict[str, str] = {}
        for node in body.nodes:
            if node.op == "Identity" and not node.domain and len(node.inputs) == 1:
                self.alias[node.outputs[0]] = self.source(node.inputs[0])
        self.uses: dict[str, int] = {}
        for name in (
            *(name for node in body.nodes if node.op != "Identity" for name in node.inputs),
            *body.outputs,
        ):
            self.uses[self.source(name)] = self.uses.get(self.source(name), 0) + 1
        self.becomes: dict[str, list[str]] = {}
        self.split: dict[str, list[str]] = {}
        """The names of the parts that are sliced from a value."""

    def source(self, name: str) -> str:
        """Follows a name through Identity nodes."""
        return self.alias.get(name, name)

    # Values.

    def term(self, name: str) -> Term:
        """A value as an expression. Constants become numbers or parameters. Raises Refusal."""
        name = self.source(name)
        value = self.values[name] if name in self.values else self.parameter(name)
        if isinstance(value, Term):
            return value
        if name not in self.out.known:
            self.out.known[name] = self.constant(name, value)
        return self.out.known[name]

    def parameter(self, name: str) -> Term:
        """A value of the graph around, which it computes before the loop: a parameter that another layer gives.
        Raises Refusal for one that is open, or that would have to be turned around with an image."""
        value = self.captured.get(name)
        shape = value.shape if isinstance(value, Held) and value.dtype == self.dtype else ()
        sizes = tuple(size for size in shape if isinstance(size, int))
        if not isinstance(value, Held) or not sizes or len(sizes) < len(shape) or self.has_images:
            raise Refusal(f"{name!r} of the graph around is computed at run time")
        param = self.out.names.fresh([short(name)], "weights")
        self.out.params[param] = {"shape": list(sizes)}
        self.out.computed[param] = value
        self.values[name] = term = Term(param, sizes, sizes, value.dtype, False)
        return term

    @property
    def has_images(self) -> bool:
        """Whether something is convolved, in which case moving axes does not change the text."""
        return any(node.op == "Conv" for node in self.body.nodes)

    def laid(self, name: str, sample: Term | None) -> Term:
        """A value used next to that of a sample. A constant loses an axis of the samples, and its axes are in the order
        of an image's."""
        name = self.source(name)
        value = self.values.get(name)
        if sample is None or not isinstance(value, Known) or value.is_open or not value.array.ndim:
            return self.term(name)
        array, rank, order = value.array, len(sample.view), sample.order
        is_of_all = array.ndim == rank + 1 and array.shape[0] == 1
        if not order and not is_of_all:
            return self.term(name)
        array = array[0] if is_of_all else array
        if not order:
            key = f"{name}\nof each sample"
            if key not in self.out.known:
                self.out.known[key] = self.constant(name, Known(np.ascontiguousarray(array), value.dtype))
            return self.out.known[key]
        view = (1,) * (rank - array.ndim) + array.shape
        rest = tuple(axis for axis in range(rank) if axis not in order)
        if array.ndim > rank or any(view[axis] != 1 for axis in rest):
            raise Refusal(f"the constant {name!r} does not fit the image that it meets")
        held = array.reshape(view).transpose(*rest, *order)[(0,) * len(rest)]
        kept = next((i for i, size in enumerate(held.shape) if size != 1), held.ndim - 1)
        term = self.constant(name, Known(np.ascontiguousarray(held.reshape(held.shape[kept:])), value.dtype))
        return replace(term, view=view, order=order)

    def constant(self, name: str, value: Known) -> Term:
        if value.is_open:
            raise Refusal("an open size is used as a number that is computed with")
        if value.array.ndim == 0 and (number := inlined(value.array)) is not None:
            return Term(number, (), (), value.dtype, False)
        if value.array.ndim == 0 and value.dtype == "bool":  # the language has no function for it
            return Term("0 < 1" if value.array else "1 < 0", (), (), "bool", False)
        if value.dtype != self.dtype or not value.array.size:
            raise Refusal(
                f"the constant {name!r} is {value.dtype}, the parameters of a cell are {self.dtype}"
            )
        param = self.out.names.fresh([short(name)], "weights")
        shape = tuple(int(size) for size in value.array.shape)
        self.out.params[param] = {"shape": list(shape)}
        self.out.weights[param] = value.array
        return Term(param, shape, shape, value.dtype, False)

    def kernel(self, name: str, axes: Sequence[int]) -> str:
        """A constant [filters, c_in / groups, *window] as the kernel of a convolution along some axes; the other axes
        of the window have size 1. Returns the name of a parameter.
        """
        key = f"{name}\nkernel"
        value = self.known(name)
        assert value is not None
        if key not in self.out.known:
            array = value.array
            array = array.reshape(*array.shape[:2], *(array.shape[2 + axis] for axis in axes))
            array = np.ascontiguousarray(np.moveaxis(array, (0, 1), (-1, -2)))
            self.out.known[key] = self.constant(self.source(name), Known(array, value.dtype))
        return self.out.known[key].text

    def known(self, name: str) -> Known | None:
        """A value that is known at import time."""
        value = self.values.get(self.source(name))
        return value if isinstance(value, Known) else None

    def named(self, value: str, term: Term) -> Term:
        """A term under its own name if it is a state's new value, is read more than once, or is long."""
        states = self.becomes.get(value, ())
        for state in states:
            self.out.steps.append(f"{state} = {term.text}")
            term = replace(term, text=state, untransposed="", opposite="")
        if term.is_name or (self.uses.get(value, 0) < 2 and len(term.text) <= LONG):
            return term
        return self.step(value, term)

    def step(self, value: str, term: Term) -> Term:
        """A term as a separate step."""
        name = self.out.names.fresh([self.spoken(value)], "v")
        self.out.steps.append(f"{name} = {term.text}")
        return replace(term, text=name, untransposed="", opposite="")

    def spoken(self, value: str) -> str | None:
        """The file's name of the value, if it is meaningful."""
        name = identifier(value.removeprefix(self.prefix))
        return name if name and len(name) <= 20 and not re.search(r"[\d_]$", name) else None

    def parts(self, term: Term, count: int, axis: int) -> list[str]:
        """The names of equal parts of a term."""
        stem = term.text if term.text.isidentifier() else "part"
        names = [self.out.names.fresh([f"{stem}{i}"], f"{stem}{i}_") for i in range(1, count + 1)]
        option = "" if axis == len(term.shape) - 1 else f", axis={axis}"
        self.out.steps.append(f"{', '.join(names)} = split({term.text}, {count}{option})")
        return names
