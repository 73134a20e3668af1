"""Matches the normal forms of a recurrence's states with those of an RNN, LSTM or GRU."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from .elements import Ids
from .forms import Forms, Function, Monomial, Poly, Read, Unlike, Vector
from .gate import Gate, GateReader, activation, other_than, without


@dataclass(frozen=True)
class Match:
    """A layer of the language: its type, its keys, its parameters by name, and the vector that it reads."""

    kind: str
    keys: Mapping[str, Any]
    weights: Mapping[str, Ids]
    source: Vector
    states: Mapping[str, str]
    """The cell's states, by their names in the layer."""


class Matcher:
    """A group of states that depend on each other."""

    def __init__(self, forms: Forms, news: Mapping[str, Poly], sizes: Mapping[str, int]):
        self.forms, self.news = forms, news
        self.units = next(iter(sizes.values()))
        self.old = {name: self.read("old", name) for name in news}
        self.new = {name: self.read("new", name) for name in news}

    def read(self, kind: Any, name: str) -> int:
        """The atom of a whole state."""
        ((number,), _), *_ = self.forms.of(Read(kind, name, 0, self.units))
        return number

    def find(self) -> Match:
        """The layer. Raises Unlike."""
        if len(self.news) == 2:
            return self.lstm()
        (name,) = self.news
        return self.gru(name) if len(self.news[name]) == 3 and self.is_mixed(name) else self.rnn(name)

    def is_mixed(self, name: str) -> bool:
        """Whether the old state, or a part of it, is a summand of the new one."""
        return any(self.old[name] in monomial for monomial, _ in self.news[name])

    # Kinds.

    def rnn(self, name: str) -> Match:
        gate = self.gate(self.news[name], name)
        keys = self.keys([gate], {"activation": (gate, "tanh")})
        weights = self.weights([gate])
        return Match("rnn", keys, weights, self.source([gate]), {"h": name})

    def lstm(self) -> Match:
        first, second = self.news
        for h, c in ((first, second), (second, first)):
            poly = self.news[h]
            if len(poly) == 1 and poly[0][1] == 1 and len(poly[0][0]) == 2:
                for out, seen in (poly[0][0], poly[0][0][::-1]):
                    activation = self.activation_of_new(seen, c)
                    if activation is not None:
                        return self.cell(h, c, out, activation)
        raise Unlike

    def activation_of_new(self, number: int, state: str) -> Any:
        """The function behind an atom in a state's new value."""
        if number == self.new[state]:
            return "linear"
        atom = self.forms.atom(number)
        if isinstance(atom, Function) and atom.operands == (self.alone(self.new[state]),):
            return activation(atom)
        return None

    def alone(self, number: int) -> Poly:
        return (((number,), 1.0),)

    def cell(self, h: str, c: str, out: int, output_activation: Any) -> Match:
        old = self.old[c]
        kept = [(without(monomial, old), factor) for monomial, factor in self.news[c] if old in monomial]
        rest = [row for row in self.news[c] if old not in row[0]]
        stays = dict(kept)
        coupled, forget = True, None
        if len(kept) == 1 and len(rest) == 1 and kept[0][1] == rest[0][1] == 1:  # f·c + i·g
            if len(kept[0][0]) != 1 or len(rest[0][0]) != 2:
                raise Unlike
            coupled, forget = False, self.alone(kept[0][0][0])
            enters, candidate = self.told_apart(rest[0][0], kept[0][0][0], out)
            enter = self.alone(enters)
        elif len(kept) == 2 and stays.get(()) == 1 and len(rest) == 1:  # (1 − i)·c + i·g
            enters = _alone(stays)
            if stays[(enters,)] != -1 or rest[0][1] != 1 or enters not in rest[0][0]:
                raise Unlike
            enter, candidate = self.alone(enters), other_than(rest[0][0], enters)
        elif len(kept) == 1 and len(rest) == 2 and len(kept[0][0]) == 1:  # f·c + (1 − f)·g
            factors, (f,) = dict(rest), kept[0][0]
            candidate = _alone(factors)
            if kept[0][1] != 1 or factors[(candidate,)] != 1 or factors.get(_pair(candidate, f)) != -1:
                raise Unlike
            enter = self.opposite(f)
        else:
            raise Unlike
        i, g = self.gate(enter, h, self.old[c]), self.gate(self.alone(candidate), h)
        f = self.gate(forget, h, self.old[c]) if forget is not None else None
        o = self.gate(self.alone(out), h, self.new[c])
        gates = [i, f or self.nothing(i), g, o]
        keys = self.keys(
            [gate for gate in (i, f, g, o) if gate is not None],
            {"recurrent_activation": (i, "sigmoid"), "activation": (g, "tanh")},
        )
        if any(gate is not None and gate.activation != i.activation for gate in (f, o)):
            raise Unlike
        if output_activation != "tanh":
            keys["output_activation"] = output_activation
        if coupled:
            keys["input_forget"] = True
        weights = self.weights(gates)
        peepholes = [i.peephole, f.peephole if f else None, o.peephole]
        if any(peephole is not None for peephole in peepholes):
            keys["peepholes"] = True
            weights["peephole"] = np.concatenate([self.or_zeros(peephole) for peephole in peepholes])
        return Match("lstm", keys, weights, self.source(gates), {"h": h, "c": c})

    def told_apart(self, pair: Sequence[int], *gates: int) -> tuple[int, int]:
        """Which of two factors is the gate, and which the candidate: all gates have the same activation."""
        own = {self.function_name(gate) for gate in gates}
        first, second = pair
        return (first, second) if self.function_name(first) in own else (second, first)

    def function_name(self, number: int) -> str:
        atom = self.forms.atom(number)
        return atom.name if isinstance(atom, Function) else ""

    def gru(self, name: str) -> Match:
        old, factors = self.old[name], dict(self.news[name])
        pairs = [monomial for monomial in factors if len(monomial) == 2]
        single = [monomial for monomial in factors if len(monomial) == 1]
        if len(pairs) != 2 or len(single) != 1 or factors[single[0]] != 1:
            raise Unlike
        with_old = next((pair for pair in pairs if old in pair), None)
        if with_old is None:
            raise Unlike
        gate = other_than(with_old, old)
        if single[0] != (old,):  # (1 − z)·n + z·h
            (candidate,) = single[0]
            update, signs = self.alone(gate), (1, -1)
        else:  # u·n + (1 − u)·h
            candidate = other_than(next(pair for pair in pairs if pair != with_old), gate)
            update, signs = self.opposite(gate), (-1, 1)
        if (factors[with_old], factors.get(_pair(candidate, gate))) != signs:
            raise Unlike
        n = self.gate(self.alone(candidate), name, reset=True)
        if n.reset is None:
            raise Unlike
        z, r = self.gate(update, name), self.gate(self.alone(n.reset), name)
        if r.activation != z.activation:
            raise Unlike
        keys = self.keys([z, r, n], {"recurrent_activation": (z, "sigmoid"), "activation": (n, "tanh")})
        if n.before:
            keys["reset_after"] = False
            return Match("gru", keys, self.weights([z, r, n]), self.source([z, r, n]), {"h": name})
        inner, divided = self.total(n.inner), self.forms.elements.divided
        rows = [divided(self.total(gate.biases), inner) for gate in (z, r)]
        rows.append((self.total(n.biases), inner))
        weights = self.kernels([z, r, n])
        if any(biases.any() for row in rows for biases in row):
            for key, biases in zip(("bias", "recurrent_bias"), zip(*rows, strict=True), strict=True):
                weights[key] = np.concatenate(biases)
        else:
            keys["use_bias"] = False
        return Match("gru", keys, weights, self.source([z, r, n]), {"h": name})

    # Gates.

    def opposite(self, number: int) -> Poly:
        """1 − a gate, which for a sigmoid is again a gate. Raises Unlike."""
        atom = self.forms.atom(number)
        if not isinstance(atom, Function) or atom.name != "sigmoid":
            raise Unlike
        return self.forms.of(Function("sigmoid", (self.forms.times(atom.operands[0], -1),)))

    def gate(self, poly: Poly, state: str, peeps: int | None = None, *, reset: bool = False) -> Gate:
        """A gate over a state. Raises Unlike."""
        return GateReader(self.forms, self.units, self.old[state], peeps, reset).read(poly)

    def nothing(self, like: Gate) -> Gate:
        """A gate that is missing."""
        assert like.kernel is not None
        assert like.recurrent is not None
        return Gate("linear", np.zeros_like(like.kernel), like.source, np.zeros_like(like.recurrent))

    # Layers.

    def keys(self, gates: Sequence[Gate], names: Mapping[str, tuple[Gate, str]]) -> dict[str, Any]:
        keys: dict[str, Any] = {"units": self.units}
        keys |= {key: gate.activation for key, (gate, usual) in names.items() if gate.activation != usual}
        clips = {gate.clip for gate in gates}
        if len(clips) > 1:
            raise Unlike
        if (clip := clips.pop()) is not None:
            keys["clip"] = clip
        if not any(gate.biases or gate.inner for gate in gates):
            keys["use_bias"] = False
        return keys

    def kernels(self, gates: Sequence[Gate]) -> dict[str, Ids]:
        kernels, own = zip(*((gate.kernel, gate.recurrent) for gate in gates), strict=True)
        return {"kernel": np.concatenate(kernels, 1), "recurrent_kernel": np.concatenate(own, 1)}

    def weights(self, gates: Sequence[Gate]) -> dict[str, Ids]:
        weights = self.kernels(gates)
        if any(gate.biases for gate in gates):
            weights["bias"] = np.concatenate([self.total(gate.biases) for gate in gates])
        return weights

    def source(self, gates: Sequence[Gate]) -> Vector:
        """The value that all gates read. Raises Unlike if they differ."""
        source = gates[0].source
        if source is None or any(gate.source != source for gate in gates):
            raise Unlike
        return source

    def total(self, biases: Sequence[Ids]) -> Ids:
        """The sum of biases."""
        result = self.or_zeros(None)
        for ids in biases:
            result = self.forms.elements.added(result, ids)
        return result

    def or_zeros(self, ids: Ids | None) -> Ids:
        return np.zeros(self.units, np.int32) if ids is None else ids


def _alone(monomials: Iterable[Monomial]) -> int:
    """The only term that is not a product. Raises Unlike."""
    terms = [monomial[0] for monomial in monomials if len(monomial) == 1]
    if len(terms) != 1:
        raise Unlike
    return terms[0]


def _pair(first: int, second: int) -> tuple[int, int]:
    return (first, second) if first <= second else (second, first)
