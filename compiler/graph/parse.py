"""Parses the text form of a graph (see ``text``) and infers every type again."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any, NoReturn

from netwright.specs.dims import parse_dim

from .graph import Graph
from .node import Value
from .rules import rules_of
from .types import TensorType

_DEPTH = 50
_OPEN, _CLOSE = "([{", ")]}"
_STRING = re.compile(r'"(?:[^"\\]|\\.)*"')
_FLOAT = re.compile(r"-?\d+(\.\d+)?(e[+-]?\d+)?")


class ParseError(ValueError):
    """The text is not a graph; the message begins with the line."""


def parse_graph(text: str) -> Graph:
    """The graph that ``print_graph`` printed as ``text``. Raises ParseError."""
    reader = _Reader(text)
    graph = reader.graph(0)
    reader.space()
    if reader.position != len(text):
        reader.fail("there is text after the graph")
    return graph


class _Reader:
    def __init__(self, text: str):
        self.text = text
        self.position = 0

    def fail(self, message: str) -> NoReturn:
        line = self.text.count("\n", 0, self.position) + 1
        raise ParseError(f"line {line}: {message}")

    def space(self) -> None:
        while self.position < len(self.text) and self.text[self.position].isspace():
            self.position += 1

    def accept(self, token: str) -> bool:
        self.space()
        if not self.text.startswith(token, self.position):
            return False
        self.position += len(token)
        return True

    def expect(self, token: str) -> None:
        if not self.accept(token):
            self.fail(f"expected {token!r}")

    def match(self, pattern: str | re.Pattern[str], what: str) -> str:
        self.space()
        match = re.compile(pattern).match(self.text, self.position)
        if match is None:
            self.fail(f"expected {what}")
        self.position = match.end()
        return match.group()

    def string(self) -> str:
        return self.decoded(self.match(_STRING, "a string"))

    def decoded(self, text: str) -> str:
        try:
            return json.loads(text)
        except ValueError:
            self.fail("a malformed string")

    def items(self, close: str) -> Iterator[None]:
        """Yields once before each item of a list; the caller reads the item."""
        while not self.accept(close):
            yield
            if not self.accept(","):
                self.expect(close)
                return

    def graph(self, depth: int) -> Graph:
        if depth > _DEPTH:
            self.fail("bodies are nested too deeply")
        self.expect("graph")
        graph = Graph(self.string())
        values: dict[str, tuple[Value, ...]] = {}
        self.expect("{")
        while not self.accept("return"):
            self.node(graph, values, depth)
        for _ in self.items("}"):
            name = self.string()
            self.expect("=")
            graph.set_output(name, self.value(values))
        return graph

    def value(self, values: dict[str, tuple[Value, ...]]) -> Value:
        node, _, port = self.match(r"%\d+(\.\d+)?", "a value").partition(".")
        if node not in values or int(port or 0) >= len(values[node]):
            self.fail(f"there is no value {node}{'.' + port if port else ''} here")
        return values[node][int(port or 0)]

    def node(self, graph: Graph, values: dict[str, tuple[Value, ...]], depth: int) -> None:
        id = self.match(r"%\d+", "a node or return")
        start = self.position
        if id in values:
            self.fail(f"a second {id}")
        self.expect("=")
        op = self.match(r"[a-z_]\w*", "an operation")
        self.expect("(")
        operands = [self.value(values) for _ in self.items(")")]
        fields = self.fields(depth) if self.accept("{") else {}
        self.expect(":")
        types = [self.type()]
        while self.accept(","):
            types.append(self.type())
        layer = self.string() if self.accept("@") else ""
        end, self.position = self.position, start  # report errors from here on at the start of the node
        values[id] = self.build(graph, op, operands, fields, tuple(types), layer)
        self.position = end

    def build(
        self,
        graph: Graph,
        op: str,
        operands: list[Value],
        fields: dict[str, Any],
        types: tuple[TensorType, ...],
        layer: str,
    ) -> tuple[Value, ...]:
        # Attributes of the wrong kind can raise anything in an operation's rules.
        try:
            if op == "input":
                return (graph.input(fields["name"], types[0], fields["role"]),)
            attrs = rules_of(op).attributes.from_fields(fields)
            node = graph.add(op, operands, attrs, layer=layer)
        except KeyError as error:
            self.fail(f"unknown or missing: {error.args[0]}")
        except (TypeError, ValueError, AttributeError, IndexError, AssertionError, OverflowError) as error:
            self.fail(f"{op}: {error}")
        if node.types != types:
            self.fail(f"{op} gives {', '.join(map(str, node.types))}")
        return node.values

    def fields(self, depth: int) -> dict[str, Any]:
        fields: dict[str, Any] = {}
        for _ in self.items("}"):
            name = self.match(r"[a-z_]\w*", "an attribute")
            self.expect("=")
            self.space()
            is_graph = self.text.startswith('graph "', self.position)
            fields[name] = self.graph(depth + 1) if is_graph else self.attribute(self.item())
        return fields

    def item(self) -> str:
        """The text up to a comma or a closing bracket of the surrounding list."""
        self.space()
        start, level = self.position, 0
        while self.position < len(self.text):
            character = self.text[self.position]
            if character == '"':
                self.match(_STRING, "a closed string")
                continue
            if level == 0 and (character == "," or character in _CLOSE):
                return self.text[start : self.position].strip()
            level += (character in _OPEN) - (character in _CLOSE)
            self.position += 1
        self.fail("the text ends inside a list")

    def attribute(self, text: str) -> Any:
        if text in ("True", "False", "None"):
            return {"True": True, "False": False, "None": None}[text]
        if text.startswith('"'):
            return self.decoded(text)
        try:
            if text.startswith('x"'):
                return bytes.fromhex(text[2:-1])
            if text.startswith("float:"):
                return float(text[6:])
            if _FLOAT.fullmatch(text) and any(c in text for c in ".e"):
                return float(text)
            if (inner := self.tuple_items(text)) is not None:
                return tuple(self.attribute(item) for item in inner)
            return parse_dim(text)
        except ValueError as error:
            self.fail(str(error))

    def tuple_items(self, text: str) -> list[str] | None:
        """The items of a parenthesized list; None if the parentheses are part of a size."""
        if not text.startswith("("):
            return None
        items: list[str] = []
        reader = _Reader(text)
        reader.position = 1
        while not reader.accept(")"):
            items.append(reader.item())
            if not reader.accept(","):
                if len(items) == 1:
                    return None
                reader.expect(")")
                break
        return items if reader.position == len(text) else None

    def type(self) -> TensorType:
        dtype = self.match(r"[a-z]+\d*", "a dtype")
        self.expect("[")
        sizes = [self.item() for _ in self.items("]")]
        try:
            return TensorType(dtype, tuple(parse_dim(size) for size in sizes))
        except ValueError as error:
            self.fail(str(error))
