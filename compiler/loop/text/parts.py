"""Parses parts of a line of loop IR: sizes, buffers, expressions (see ``text``)."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from typing import Literal, cast

from netwright.specs.descent import Descent, descend
from netwright.specs.dims import DimLike, parse_dim

from .. import ir
from ..ir import ValueType
from ..typing import DTYPES, FLOATS

NAME = r"[A-Za-z_][\w.]*"
_DIM = re.compile(r"\s*(\w+) >= (-?\d+)")
BUFFER = re.compile(rf"(local )?(read|write|readwrite) ({NAME}): (\w+)\[(.*)\]")
_SLICE = re.compile(rf"\s*({NAME})(?: as \[(.*?)\])?(?: at \[(.*?)\])?\s*")
WORD = re.compile(rf"\s*({NAME})")
_NUMBER = re.compile(r"\s*([-+]?(?:inf|nan|true|false|\d[\d.]*(?:e[-+]?\d+)?)):(\w+)")


def match_whole(pattern: re.Pattern[str], text: str, what: str) -> re.Match[str]:
    match = pattern.fullmatch(text)
    if match is None:
        raise ValueError(f"{what} expected")
    return match


def split(text: str, separator: str = ",") -> list[str]:
    """The parts of ``text`` between separators outside all brackets; none for an empty text."""
    parts, depth, start = [], 0, 0
    for position, character in enumerate(text):
        depth += (character in "([{") - (character in ")]}")
        if character == separator and depth == 0:
            parts.append(text[start:position])
            start = position + 1
    return [*parts, text[start:]] if text.strip() else []


def read_sizes(text: str) -> tuple[DimLike, ...]:
    return tuple(parse_dim(part) for part in split(text))


def read_conditions(text: str) -> tuple[DimLike, ...]:
    parts = text.split(" & ")
    if not all(part.endswith(" >= 0") for part in parts):
        raise ValueError("conditions end in >= 0")
    return tuple(parse_dim(part.removesuffix(" >= 0")) for part in parts)


def read_dims(text: str) -> tuple[tuple[str, int], ...]:
    matches = [match_whole(_DIM, part, "a dim with its least value") for part in split(text)]
    return tuple((match[1], int(match[2])) for match in matches)


def read_buffer(text: str) -> ir.Buffer:
    match = match_whole(BUFFER, text, "a buffer")
    access = cast(Literal["read", "write", "readwrite"], match[2])
    return ir.Buffer(match[3], _dtype(match[4]), read_sizes(match[5]), access, bool(match[1]))


def read_slice(text: str) -> ir.Slice:
    name, shape, leading = match_whole(_SLICE, text, "a buffer").groups()
    return ir.Slice(name, read_sizes(leading or ""), None if shape is None else read_sizes(shape))


def _dtype(text: str) -> str:
    if text not in DTYPES:
        raise ValueError(f"there is no dtype {text}")
    return text


def _type(text: str) -> ValueType:
    dtype, _, lanes = text.partition("x")
    if not lanes.isdecimal() and lanes:
        raise ValueError(f"there is no type {text}")
    return ValueType(_dtype(dtype), int(lanes or 1))


def _number(text: str, dtype: str) -> float | int | bool:
    if dtype in FLOATS:
        return math.nan if text == "nan" else float(text)
    if dtype == "bool":
        if text not in ("true", "false"):
            raise ValueError(f"{text} is not a bool")
        return text == "true"
    return int(text)


@dataclass
class _Options:
    """The options in braces after an access."""

    lanes: int = 1
    count: DimLike | None = None
    stride: DimLike = 1
    guards: tuple[DimLike, ...] = ()
    other: str | None = None

    @classmethod
    def of(cls, text: str) -> _Options:
        options = cls()
        for part in map(str.strip, split(text)):
            word, _, rest = part.partition(" ")
            match word:
                case "count":
                    options.count = parse_dim(rest)
                case "stride":
                    options.stride = parse_dim(rest)
                case "if":
                    options.guards = read_conditions(rest)
                case "else":
                    options.other = rest
                case _:
                    options.lanes = int(part)
        return options


class ExpressionReader:
    """Parses an expression from ``text`` at ``at``."""

    def __init__(self, text: str, at: int, buffers: dict[str, str], registers: dict[str, ValueType]):
        self.text, self.at = text, at
        self.buffers, self.registers = buffers, registers

    def expect(self, symbol: str) -> None:
        if not self.text.startswith(symbol, self.at):
            raise ValueError(f"{symbol!r} expected at column {self.at + 1}")
        self.at += len(symbol)

    def bracketed(self, opening: str, closing: str) -> str | None:
        """The text in brackets at this position, if there is any."""
        if not self.text.startswith(opening, self.at):
            return None
        depth, start = 0, self.at + 1
        for position in range(self.at, len(self.text)):
            depth += (self.text[position] in "([{") - (self.text[position] in ")]}")
            if depth == 0:
                self.at = position
                self.expect(closing)
                return self.text[start:position]
        raise ValueError(f"{closing!r} is missing")

    def type(self) -> ValueType:
        self.expect(":")
        word = WORD.match(self.text, self.at)
        if word is None:
            raise ValueError(f"a type expected at column {self.at + 1}")
        self.at = word.end()
        return _type(word[1])

    def expression(self) -> ir.Expr:
        return descend(self._expression())

    def _expression(self) -> Descent[ir.Expr]:
        number = _NUMBER.match(self.text, self.at)
        if number:
            self.at = number.end()
            type = _type(number[2])
            return ir.Const(_number(number[1], type.dtype), type)
        word = WORD.match(self.text, self.at)
        if word is None:
            raise ValueError(f"a value expected at column {self.at + 1}")
        self.at, name = word.end(), word[1]
        following = self.text[self.at : self.at + 1]
        if following == "[":
            return self.load(name)
        if following == ":" and name == "ramp":
            return ir.Ramp(self.type())
        if following in ("(", "<"):
            return (yield self._operation(name))
        if name not in self.registers:
            raise ValueError(f"register {name} is not declared")
        return ir.Read(name, self.registers[name])

    def access(self, buffer: str) -> tuple[tuple[DimLike, ...], _Options]:
        if buffer not in self.buffers:
            raise ValueError(f"there is no buffer {buffer}")
        indices = read_sizes(self.bracketed("[", "]") or "")
        return indices, _Options.of(self.bracketed("{", "}") or "")

    def load(self, buffer: str) -> ir.Expr:
        indices, options = self.access(buffer)
        type = ValueType(self.buffers[buffer], options.lanes)
        default = "false" if type.dtype == "bool" else "0"
        other = _number(default if options.other is None else options.other, type.dtype)
        return ir.Load(buffer, indices, type, options.count, options.guards, other, options.stride)

    def _operation(self, name: str) -> Descent[ir.Expr]:
        if name == "index":
            index = parse_dim(self.bracketed("(", ")") or "")
            return ir.IndexValue(index, self.type())
        parameter = ""
        if self.text.startswith("<", self.at):
            end = self.text.index(">", self.at)
            parameter = self.text[self.at + 1 : end]
            self.at = end + 1
        self.expect("(")
        operands: list[ir.Expr] = [(yield self._expression())]
        while self.text.startswith(",", self.at):
            self.at += 1
            operands.append((yield self._expression()))
        self.expect(")")
        return _operation(name, parameter, operands)


def _operation(name: str, parameter: str, operands: list[ir.Expr]) -> ir.Expr:
    type = operands[0].type
    match name, operands:
        case _, (x,) if name in ir.UNARY:
            return ir.Unary(name, x, type)
        case _, (a, b) if name in ir.BINARY:
            return ir.Binary(name, a, b, type)
        case _, (a, b) if name in ir.COMPARE:
            return ir.Compare(name, a, b, ValueType("bool", type.lanes))
        case "fma", (a, b, c):
            return ir.Fma(a, b, c, type)
        case "dot4", (a, b, c):
            return ir.Dot4(a, b, c, c.type)
        case "select", (condition, a, b):
            return ir.Select(condition, a, b, a.type)
        case "cast", (x,):
            return ir.Cast(x, ValueType(_dtype(parameter), type.lanes))
        case "bitcast", (x,):
            return ir.Bitcast(x, ValueType(_dtype(parameter), type.lanes))
        case "broadcast", (x,):
            return ir.Broadcast(x, ValueType(type.dtype, int(parameter)))
        case "reduce", (x,):
            return ir.ReduceLanes(parameter, x, ValueType(type.dtype))
        case "shuffle", (a, b):
            lanes = tuple(map(int, parameter.split()))
            return ir.Shuffle(lanes, a, b, ValueType(type.dtype, len(lanes)))
    raise ValueError(f"there is no operation {name} of {len(operands)} operands")
