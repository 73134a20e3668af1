"""Reads the text of loop IR (see ``text``)."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal, TypeVar, cast

from netwright.specs.dims import DimLike, parse_dim

from . import ir
from .ir import ValueType
from .typing import DTYPES, FLOATS

T = TypeVar("T")
_NAME = r"[A-Za-z_][\w.]*"
_HEADER = re.compile(rf"(kernel|program) ({_NAME})\((.*)\)")
_DIM = re.compile(r"\s*(\w+) >= (-?\d+)")
_BUFFER = re.compile(rf"(local )?(read|write|readwrite) ({_NAME}): (\w+)\[(.*)\]")
_FOR = re.compile(rf"(parallel |unrolled )?for ({_NAME}) in (.+) \.\. (.+?)(?: step (\d+))?:")
_IF = re.compile(r"if (.+):")
_ARENA = re.compile(rf"arena ({_NAME}) of (.+) live (-?\d+) \.\. (-?\d+)")
_ENTRY = re.compile(rf"entry ({_NAME})")
_CALL = re.compile(rf"call ({_NAME})\((.*)\)")
_SLICE = re.compile(rf"\s*({_NAME})(?: as \[(.*?)\])?(?: at \[(.*?)\])?\s*")
_SET = re.compile(rf"(let |index |)({_NAME}) = ")
_RANGE = re.compile(r" in (.+) \.\. (.+) else (-?\d+)")
_WORD = re.compile(rf"\s*({_NAME})")
_NUMBER = re.compile(r"\s*([-+]?(?:inf|nan|true|false|\d[\d.]*(?:e[-+]?\d+)?)):(\w+)")


class ParseError(ValueError):
    """Text that is not loop IR; the message names the line."""


def parse_program(text: str) -> ir.Program:
    """Reads what ``program_text`` prints. Raises ParseError."""
    return _whole(text, _Reader.program)


def parse_function(text: str) -> ir.Function:
    """Reads what ``function_text`` prints. Raises ParseError."""
    return _whole(text, lambda reader: reader.function(0))


def _whole(text: str, read: Callable[[_Reader], T]) -> T:
    reader = _Reader(text)
    try:
        result = read(reader)
        if reader.at < len(reader.lines):
            raise ValueError("not expected here")
        return result
    except (ValueError, RecursionError) as error:
        number, line = reader.lines[reader.at] if reader.at < len(reader.lines) else (0, "end of text")
        raise ParseError(f"line {number}: {line.strip()}: {error}") from error


# -- pieces of a line ---------------------------------------------------------------------------------------


def _match(pattern: re.Pattern[str], text: str, what: str) -> re.Match[str]:
    match = pattern.fullmatch(text)
    if match is None:
        raise ValueError(f"{what} expected")
    return match


def _split(text: str, separator: str = ",") -> list[str]:
    """Parts between separators outside of all brackets; none for no text."""
    parts, depth, start = [], 0, 0
    for position, character in enumerate(text):
        depth += (character in "([{") - (character in ")]}")
        if character == separator and depth == 0:
            parts.append(text[start:position])
            start = position + 1
    return [*parts, text[start:]] if text.strip() else []


def _sizes(text: str) -> tuple[DimLike, ...]:
    return tuple(parse_dim(part) for part in _split(text))


def _conditions(text: str) -> tuple[DimLike, ...]:
    parts = text.split(" & ")
    if not all(part.endswith(" >= 0") for part in parts):
        raise ValueError("conditions end in >= 0")
    return tuple(parse_dim(part.removesuffix(" >= 0")) for part in parts)


def _dims(text: str) -> tuple[tuple[str, int], ...]:
    found = [_match(_DIM, part, "a dim with its least value") for part in _split(text)]
    return tuple((match[1], int(match[2])) for match in found)


def _buffer(text: str) -> ir.Buffer:
    match = _match(_BUFFER, text, "a buffer")
    access = cast(Literal["read", "write", "readwrite"], match[2])
    return ir.Buffer(match[3], _dtype(match[4]), _sizes(match[5]), access, bool(match[1]))


def _slice(text: str) -> ir.Slice:
    name, shape, leading = _match(_SLICE, text, "a buffer").groups()
    return ir.Slice(name, _sizes(leading or ""), None if shape is None else _sizes(shape))


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
    """What stands in braces after an access."""

    lanes: int = 1
    count: DimLike | None = None
    stride: DimLike = 1
    guards: tuple[DimLike, ...] = ()
    other: str | None = None

    @classmethod
    def of(cls, text: str) -> _Options:
        options = cls()
        for part in map(str.strip, _split(text)):
            word, _, rest = part.partition(" ")
            match word:
                case "count":
                    options.count = parse_dim(rest)
                case "stride":
                    options.stride = parse_dim(rest)
                case "if":
                    options.guards = _conditions(rest)
                case "else":
                    options.other = rest
                case _:
                    options.lanes = int(part)
        return options


class _Expression:
    """Reads an expression from ``text`` at ``at``."""

    def __init__(self, text: str, at: int, buffers: dict[str, str], registers: dict[str, ValueType]):
        self.text, self.at = text, at
        self.buffers, self.registers = buffers, registers

    def expect(self, symbol: str) -> None:
        if not self.text.startswith(symbol, self.at):
            raise ValueError(f"{symbol!r} expected at column {self.at + 1}")
        self.at += len(symbol)

    def bracketed(self, opening: str, closing: str) -> str | None:
        """What stands in brackets here, if they do."""
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
        word = _WORD.match(self.text, self.at)
        if word is None:
            raise ValueError(f"a type expected at column {self.at + 1}")
        self.at = word.end()
        return _type(word[1])

    def expression(self) -> ir.Expr:
        number = _NUMBER.match(self.text, self.at)
        if number:
            self.at = number.end()
            type = _type(number[2])
            return ir.Const(_number(number[1], type.dtype), type)
        word = _WORD.match(self.text, self.at)
        if word is None:
            raise ValueError(f"a value expected at column {self.at + 1}")
        self.at, name = word.end(), word[1]
        following = self.text[self.at : self.at + 1]
        if following == "[":
            return self.load(name)
        if following == ":" and name == "ramp":
            return ir.Ramp(self.type())
        if following in ("(", "<"):
            return self.operation(name)
        if name not in self.registers:
            raise ValueError(f"register {name} is not declared")
        return ir.Read(name, self.registers[name])

    def access(self, buffer: str) -> tuple[tuple[DimLike, ...], _Options]:
        if buffer not in self.buffers:
            raise ValueError(f"there is no buffer {buffer}")
        indices = _sizes(self.bracketed("[", "]") or "")
        return indices, _Options.of(self.bracketed("{", "}") or "")

    def load(self, buffer: str) -> ir.Expr:
        indices, options = self.access(buffer)
        type = ValueType(self.buffers[buffer], options.lanes)
        default = "false" if type.dtype == "bool" else "0"
        other = _number(default if options.other is None else options.other, type.dtype)
        return ir.Load(buffer, indices, type, options.count, options.guards, other, options.stride)

    def operation(self, name: str) -> ir.Expr:
        if name == "index":
            index = parse_dim(self.bracketed("(", ")") or "")
            return ir.IndexValue(index, self.type())
        parameter = ""
        if self.text.startswith("<", self.at):
            end = self.text.index(">", self.at)
            parameter = self.text[self.at + 1 : end]
            self.at = end + 1
        self.expect("(")
        operands = [self.expression()]
        while self.text.startswith(",", self.at):
            self.at += 1
            operands.append(self.expression())
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
    raise ValueError(f"there is no operation {name} of {len(operands)} operands")


# -- lines --------------------------------------------------------------------------------------------------


class _Reader:
    """Reads lines by indentation, and keeps the types of what has been declared."""

    def __init__(self, text: str):
        numbered = enumerate(text.split("\n"), 1)
        self.lines = [(number, line.rstrip()) for number, line in numbered if line.strip()]
        self.at = 0
        self.buffers: dict[str, str] = {}
        self.registers: dict[str, ValueType] = {}

    def line(self, depth: int) -> str | None:
        """The next line if it is indented by ``depth``, without its indentation."""
        if self.at == len(self.lines):
            return None
        line = self.lines[self.at][1]
        text = line.lstrip(" ")
        return text if len(line) - len(text) == 2 * depth else None

    def program(self) -> ir.Program:
        kind, name, dims = _match(_HEADER, self.line(0) or "", "program").groups()
        if kind != "program":
            raise ValueError("program expected")
        self.at += 1
        program = ir.Program(name, _dims(dims), self.table())
        while (line := self.line(0)) is not None:
            if line.startswith("entry "):
                entry = self.entry()
                program.entries[entry.name] = entry
            else:
                kernel = self.function(0)
                program.kernels[kernel.name] = kernel
        return program

    def table(self) -> tuple[ir.Buffer, ...]:
        buffers: list[ir.Buffer] = []
        if self.line(0) == "table":
            self.at += 1
            while (line := self.line(1)) is not None:
                buffers.append(_buffer(line))
                self.at += 1
        return tuple(buffers)

    def entry(self) -> ir.Entry:
        name = _match(_ENTRY, self.line(0) or "", "entry")[1]
        self.at += 1
        arena: list[ir.ArenaBuffer] = []
        while (line := self.line(1)) is not None and line.startswith("arena "):
            slot, nbytes, first, last = _match(_ARENA, line, "arena buffer").groups()
            arena.append(ir.ArenaBuffer(slot, parse_dim(nbytes), int(first), int(last)))
            self.at += 1
        return ir.Entry(name, self.function(1), tuple(arena))

    def function(self, depth: int) -> ir.Function:
        kind, name, dims = _match(_HEADER, self.line(depth) or "", "kernel").groups()
        if kind != "kernel":
            raise ValueError("kernel expected")
        admitted = _dims(dims)
        self.at += 1
        buffers: list[ir.Buffer] = []
        while (line := self.line(depth + 1)) is not None and _BUFFER.fullmatch(line):
            buffers.append(_buffer(line))
            self.at += 1
        self.buffers = {buffer.name: buffer.dtype for buffer in buffers}
        self.registers = {}
        return ir.Function(name, admitted, tuple(buffers), self.body(depth + 1))

    def body(self, depth: int) -> tuple[ir.Stmt, ...]:
        statements: list[ir.Stmt] = []
        if self.line(depth) == "pass":
            self.at += 1
            return ()
        while (line := self.line(depth)) is not None and line != "else:":
            statements.append(self.statement(line, depth))
        if not statements:
            raise ValueError("a statement expected")
        return tuple(statements)

    def statement(self, line: str, depth: int) -> ir.Stmt:
        if match := _FOR.fullmatch(line):
            kind, var, start, stop, step = match.groups()
            bounds = parse_dim(start), parse_dim(stop)
            self.at += 1
            body = self.body(depth + 1)
            loop: Any = (kind or "serial").strip()
            return ir.For(var, *bounds, body, int(step or 1), loop)
        if match := _IF.fullmatch(line):
            conditions = _conditions(match[1])
            self.at += 1
            body = self.body(depth + 1)
            orelse: tuple[ir.Stmt, ...] = ()
            if self.line(depth) == "else:":
                self.at += 1
                orelse = self.body(depth + 1)
            return ir.If(conditions, body, orelse)
        statement = self.simple(line)
        self.at += 1
        return statement

    def simple(self, line: str) -> ir.Stmt:
        if line == "barrier":
            return ir.Barrier()
        if match := _CALL.fullmatch(line):
            buffers, _, dims = match[2].partition(";")
            return ir.Call(match[1], tuple(map(_slice, _split(buffers))), _sizes(dims))
        if match := _SET.match(line):
            kind, name = match[1].strip(), match[2]
            reader = _Expression(line, match.end(), self.buffers, self.registers)
            value = reader.expression()
            rest = line[reader.at :]
            if kind == "index":
                low, high, error = _match(_RANGE, rest, "a range").groups()
                return ir.LetIndex(name, value, parse_dim(low), parse_dim(high), int(error))
            if rest:
                raise ValueError(f"{rest.strip()!r} is too much")
            if kind == "let":
                self.registers[name] = value.type
                return ir.Declare(name, value)
            return ir.Assign(name, value)
        word = _WORD.match(line)
        if word is None:
            raise ValueError("a statement expected")
        reader = _Expression(line, word.end(), self.buffers, self.registers)
        indices, options = reader.access(word[1])
        reader.expect(" = ")
        value = reader.expression()
        if reader.at < len(line):
            raise ValueError(f"{line[reader.at :].strip()!r} is too much")
        return ir.Store(word[1], indices, value, options.count, options.guards)
