"""Parses the text of loop IR (see ``text``)."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, TypeVar

from netwright.specs.dims import parse_dim

from .. import ir
from ..ir import ValueType
from .parts import (
    BUFFER,
    NAME,
    WORD,
    ExpressionReader,
    match_whole,
    read_buffer,
    read_conditions,
    read_dims,
    read_sizes,
    read_slice,
    split,
)

T = TypeVar("T")
_HEADER = re.compile(rf"(kernel|program) ({NAME})\((.*)\)")
_FOR = re.compile(rf"(parallel |unrolled )?for ({NAME}) in (.+) \.\. (.+?)(?: step (\d+))?:")
_DIVIDE = re.compile(rf"divide ({NAME}) by (\d+)(?: into (\d+) or more)?:")
_IF = re.compile(r"if (.+):")
_ARENA = re.compile(rf"arena ({NAME}) of (.+) live (-?\d+) \.\. (-?\d+)( staggered)?")
_ENTRY = re.compile(rf"entry ({NAME})")
_CALL = re.compile(rf"call ({NAME})\((.*)\)")
_SET = re.compile(rf"(let |index |)({NAME}) = ")
_RANGE = re.compile(r" in (.+) \.\. (.+) else (-?\d+)")


class ParseError(ValueError):
    """The text is not loop IR; the message names the line."""


def parse_program(text: str) -> ir.Program:
    """The program that ``program_text`` printed. Raises ParseError."""
    return _whole(text, _Reader.program)


def parse_function(text: str) -> ir.Function:
    """The function that ``function_text`` printed. Raises ParseError."""
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


class _Reader:
    """Reads lines by indentation, and records the types of what has been declared."""

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
        kind, name, dims = match_whole(_HEADER, self.line(0) or "", "program").groups()
        if kind != "program":
            raise ValueError("program expected")
        self.at += 1
        program = ir.Program(name, read_dims(dims), self.table())
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
                buffers.append(read_buffer(line))
                self.at += 1
        return tuple(buffers)

    def entry(self) -> ir.Entry:
        name = match_whole(_ENTRY, self.line(0) or "", "entry")[1]
        self.at += 1
        arena: list[ir.ArenaBuffer] = []
        while (line := self.line(1)) is not None and line.startswith("arena "):
            slot, nbytes, first, last, staggered = match_whole(_ARENA, line, "arena buffer").groups()
            size = parse_dim(nbytes)
            arena.append(ir.ArenaBuffer(slot, size, int(first), int(last), staggered is not None))
            self.at += 1
        return ir.Entry(name, self.function(1), tuple(arena))

    def function(self, depth: int) -> ir.Function:
        kind, name, dims = match_whole(_HEADER, self.line(depth) or "", "kernel").groups()
        if kind != "kernel":
            raise ValueError("kernel expected")
        admitted = read_dims(dims)
        self.at += 1
        buffers: list[ir.Buffer] = []
        while (line := self.line(depth + 1)) is not None and BUFFER.fullmatch(line):
            buffers.append(read_buffer(line))
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
            conditions = read_conditions(match[1])
            self.at += 1
            body = self.body(depth + 1)
            orelse: tuple[ir.Stmt, ...] = ()
            if self.line(depth) == "else:":
                self.at += 1
                orelse = self.body(depth + 1)
            return ir.If(conditions, body, orelse)
        if match := _DIVIDE.fullmatch(line):
            self.at += 1
            return ir.Divide(match[1], int(match[2]), self.body(depth + 1), int(match[3] or 1))
        statement = self.simple(line)
        self.at += 1
        return statement

    def simple(self, line: str) -> ir.Stmt:
        if line == "barrier":
            return ir.Barrier()
        if match := _CALL.fullmatch(line):
            buffers, _, dims = match[2].partition(";")
            return ir.Call(match[1], tuple(map(read_slice, split(buffers))), read_sizes(dims))
        if line.startswith("prefetch "):
            word = WORD.match(line, len("prefetch "))
            if word is None:
                raise ValueError("a buffer expected")
            indices, _ = ExpressionReader(line, word.end(), self.buffers, self.registers).access(word[1])
            return ir.Prefetch(word[1], indices)
        if match := _SET.match(line):
            kind, name = match[1].strip(), match[2]
            reader = ExpressionReader(line, match.end(), self.buffers, self.registers)
            value = reader.expression()
            rest = line[reader.at :]
            if kind == "index":
                low, high, error = match_whole(_RANGE, rest, "a range").groups()
                return ir.LetIndex(name, value, parse_dim(low), parse_dim(high), int(error))
            if rest:
                raise ValueError(f"{rest.strip()!r} is too much")
            if kind == "let":
                self.registers[name] = value.type
                return ir.Declare(name, value)
            return ir.Assign(name, value)
        word = WORD.match(line)
        if word is None:
            raise ValueError("a statement expected")
        reader = ExpressionReader(line, word.end(), self.buffers, self.registers)
        indices, options = reader.access(word[1])
        reader.expect(" = ")
        value = reader.expression()
        if reader.at < len(line):
            raise ValueError(f"{line[reader.at :].strip()!r} is too much")
        return ir.Store(word[1], indices, value, options.count, options.guards)
