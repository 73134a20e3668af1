"""Recognizes one gate: a function of a linear combination of an input and a state."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, get_args

import numpy as np

from netwright.specs.models.activations import AnyPointwise

from ..numbers import decimal
from .elements import Ids
from .forms import Atom, Forms, Function, Monomial, Poly, Product, Unlike, Vector, Weights, matrix

_ACTIVATIONS = {model.model_fields["type"].default: model for model in get_args(AnyPointwise)}
#: Functions in equations whose activations have another name.
_SPELLED: dict[str, dict[str, Any]] = {"gelu_tanh": {"type": "gelu", "approximate": "tanh"}}


@dataclass
class Gate:
    """act(x·kernel + h·recurrent + bias)."""

    activation: Any
    kernel: Ids | None = None
    source: Vector | None = None
    recurrent: Ids | None = None
    biases: list[Ids] = field(default_factory=list)
    peephole: Ids | None = None
    clip: float | None = None
    reset: int | None = None
    """The factor of the recurrent part, and whether it applies before the product."""
    before: bool = False
    inner: list[Ids] = field(default_factory=list)
    """The biases that are multiplied as well."""


class GateReader:
    """Reads a gate over the state ``old``.

    ``peeps`` is a state that it reads element by element. With ``reset`` the state may be multiplied with another gate,
    before or after its product.
    """

    def __init__(self, forms: Forms, units: int, old: int, peeps: int | None, reset: bool):
        self.forms, self.units, self.old, self.peeps, self.reset = forms, units, old, peeps, reset
        self.gate = Gate("linear")

    def read(self, poly: Poly) -> Gate:
        """The gate. Raises Unlike."""
        gate, atom = self.gate, self.forms.alone(poly)
        if isinstance(atom, Function) and atom.name != "clip" and len(atom.operands) == 1:
            gate.activation, poly = activation(atom), atom.operands[0]
            atom = self.forms.alone(poly)
        if isinstance(atom, Function) and atom.name == "clip":
            low, gate.clip = atom.numbers
            if low != -gate.clip:
                raise Unlike
            poly = atom.operands[0]
        for monomial, factor in poly:
            if not monomial:
                gate.biases.append(self.forms.elements.of_number(factor, self.units))
                continue
            atoms = [self.forms.atom(number) for number in monomial]
            if abs(factor) != 1 or len(atoms) > 2:
                raise Unlike
            if len(atoms) == 1:
                self.summand(atoms[0], np.int32(factor))
            else:
                self.product(monomial, atoms, np.int32(factor))
        if gate.recurrent is None or gate.kernel is None:
            raise Unlike
        return gate

    def summand(self, atom: Atom, sign: np.int32) -> None:
        """A bias, or a product with a kernel."""
        gate = self.gate
        if isinstance(atom, Weights):
            gate.biases.append(np.frombuffer(atom.ids, np.int32) * sign)
            return
        if not isinstance(atom, Product):
            raise Unlike
        ids = matrix(atom.ids, atom.columns) * sign
        multiplier = self.of_state(atom.vector)
        if multiplier is None and gate.source is None:
            gate.kernel, gate.source = ids, atom.vector
        elif multiplier is not None and gate.recurrent is None:
            gate.recurrent = ids
            if multiplier:
                gate.reset, gate.before = multiplier[0], True
        else:
            raise Unlike

    def of_state(self, vector: Vector) -> Monomial | None:
        """What the state is multiplied by, if the vector is the state: nothing or, with ``reset``, one gate.

        None for any other vector.
        """
        ((size, poly), *rest) = vector
        if rest or size != self.units or len(poly) != 1 or poly[0][1] != 1 or self.old not in poly[0][0]:
            return None
        others = without(poly[0][0], self.old)
        return others if len(others) == self.reset else None

    def product(self, monomial: Monomial, atoms: Sequence[Atom], sign: np.int32) -> None:
        """A peephole, or a product that a reset gate multiplies."""
        gate = self.gate
        for atom, other in zip(atoms, monomial[::-1], strict=True):
            if isinstance(atom, Weights) and other == self.peeps and gate.peephole is None:
                gate.peephole = np.frombuffer(atom.ids, np.int32) * sign
                return
            if not self.reset or gate.before or gate.reset not in (None, other):
                continue
            if isinstance(atom, Weights):
                gate.reset = other
                gate.inner.append(np.frombuffer(atom.ids, np.int32) * sign)
                return
            whole = ((self.units, (((self.old,), 1.0),)),)
            if isinstance(atom, Product) and atom.vector == whole and gate.recurrent is None:
                gate.reset, gate.recurrent = other, matrix(atom.ids, atom.columns) * sign
                return
        raise Unlike


def without(monomial: Sequence[int], number: int) -> tuple[int, ...]:
    """A product without one of its factors. Raises Unlike if it occurs another number of times."""
    if number not in monomial:
        raise Unlike
    place = list(monomial).index(number)
    return (*monomial[:place], *monomial[place + 1 :])


def other_than(monomial: Sequence[int], number: int) -> int:
    """The other of two factors. Raises Unlike."""
    others = without(monomial, number)
    if len(others) != 1:
        raise Unlike
    return others[0]


def activation(function: Function) -> Any:
    """A function by its name in layers. Raises Unlike if it is not an activation."""
    if function.name in _SPELLED:
        return _SPELLED[function.name]
    model = _ACTIVATIONS.get(function.name)
    if model is None or len(function.operands) != 1:
        raise Unlike
    names = [name for name in model.model_fields if name not in ("type", "approximate")]
    if len(names) != len(function.numbers):
        raise Unlike
    given = dict(zip(names, function.numbers, strict=True))
    usual = model()
    other = {
        name: decimal(number) if np.float32(number) == number else number
        for name, number in given.items()
        if np.float32(getattr(usual, name)) != np.float32(number)
    }
    return {"type": function.name, **other} if other else function.name
