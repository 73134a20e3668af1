"""Parses texts to expressions.

Python's own parser makes the syntax tree, which is never evaluated but translated node by node from a whitelist. Every
node gets its place in the spec, so that an error can underline the exact sub-expression.
"""

from __future__ import annotations

import ast
import warnings
from collections.abc import Callable, Collection

from ..descent import Descent, descend
from ..diagnostics.fixes import Fix, respelled
from ..diagnostics.suggest import closest, did_you_mean
from ..source.tree import SourceNode, Span, align
from .expressions import (
    CONSTANTS,
    FUNCTIONS,
    Binary,
    Call,
    Compare,
    Expression,
    Name,
    Negate,
    Number,
    Previous,
    Run,
)

LENGTH_LIMIT = 4000
DEPTH_LIMIT = 100
"""How deep brackets, calls and signs may nest. A chain of operators (`a + b + c`) does not count as nesting."""
OPERATION_LIMIT = 1000
"""How many operators one text may have."""

_BINARY: dict[type[ast.operator], str] = {
    ast.Add: "+",
    ast.Sub: "-",
    ast.Mult: "*",
    ast.Div: "/",
    ast.FloorDiv: "//",
    ast.Mod: "%",
    ast.MatMult: "@",
    ast.Pow: "**",
}
_COMPARE: dict[type[ast.cmpop], str] = {
    ast.Lt: "<",
    ast.LtE: "<=",
    ast.Gt: ">",
    ast.GtE: ">=",
    ast.Eq: "==",
    ast.NotEq: "!=",
}
_UNKNOWN_CONSTRUCTS: dict[type[ast.AST], str] = {
    ast.Attribute: "a dot",
    ast.Subscript: "indexing",
    ast.Lambda: "lambda",
    ast.IfExp: "if … else (use where)",
    ast.BoolOp: "and, or (use logical_and, logical_or)",
    ast.List: "a list",
    ast.Tuple: "a tuple",
    ast.Dict: "a mapping",
    ast.Starred: "*",
    ast.NamedExpr: ":=",
}


class ExpressionError(Exception):
    """Why a text is not an expression. Parsing stops at the first error."""

    def __init__(
        self, code: str, message: str, span: Span, help: str | None = None, fixes: tuple[Fix, ...] = ()
    ) -> None:
        super().__init__(message)
        self.code, self.message, self.span, self.help, self.fixes = code, message, span, help, fixes


class Writing:
    """A text in the spec, which maps an offset in it to a place in the file."""

    def __init__(self, text: str, locate: Callable[[int, int], Span]) -> None:
        self.text, self.locate = text, locate

    @classmethod
    def of(cls, node: SourceNode) -> Writing:
        """The text of a string value."""
        offsets = align(node)

        def locate(start: int, end: int) -> Span:
            last = offsets[end - 1] + 1 if end > start else offsets[start]
            return node.text.span(offsets[start], last)

        return cls(node.value, locate)

    @classmethod
    def at(cls, text: str, span: Span) -> Writing:
        """A text that is at one place as a whole (a key)."""
        return cls(text, lambda start, end: span)


def parse_expression(writing: Writing, cells: Collection[str] = ()) -> Expression:
    """Parses an expression; `cells` can be called like functions. Raises `ExpressionError`."""
    return _Reader(writing, cells).expression()


def parse_step(
    writing: Writing, cells: Collection[str] = ()
) -> tuple[tuple[tuple[str, Span], ...], Expression]:
    """Parses a step `a = …` or `a, b = …` into its targets and its tree. Raises `ExpressionError`."""
    return _Reader(writing, cells).step()


def parse_targets(writing: Writing) -> tuple[tuple[str, Span], ...]:
    """Parses `a` or `a, b` into names. Raises `ExpressionError`."""
    reader = _Reader(writing)
    return reader.targets(reader.parsed("eval"))


class _Reader:
    def __init__(self, writing: Writing, cells: Collection[str] = ()) -> None:
        self.writing, self.cells = writing, cells
        # To Python a line break would end the expression; a blank in its place keeps every offset.
        text = "".join(" " if character.isspace() else character for character in writing.text)
        self.shift = len(text) - len(text.lstrip())
        self.text = text.strip()
        self.operations = 0

    def whole(self) -> Span:
        return self.writing.locate(self.shift, self.shift + len(self.text))

    def parsed(self, mode: str) -> ast.AST:
        if not self.text:
            raise ExpressionError(
                "NW0501", "an expression is missing", self.writing.locate(0, len(self.writing.text))
            )
        if len(self.text) > LENGTH_LIMIT:
            raise ExpressionError("NW0501", f"longer than {LENGTH_LIMIT} characters", self.whole())
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # Python warns of style, such as "1if x"
                return ast.parse(self.text, mode=mode)
        except SyntaxError as error:
            start = max(0, min((error.offset or 1) - 1, len(self.text) - 1)) + self.shift
            span = self.writing.locate(start, start + 1)
            raise ExpressionError("NW0501", f"not a valid expression: {error.msg}", span) from None
        except (ValueError, RecursionError, MemoryError):
            raise ExpressionError("NW0501", "not a valid expression", self.whole()) from None

    def expression(self) -> Expression:
        tree = self.parsed("eval")
        assert isinstance(tree, ast.Expression)
        return descend(self.convert(tree.body, 0))

    def step(self) -> tuple[tuple[tuple[str, Span], ...], Expression]:
        tree = self.parsed("exec")
        assert isinstance(tree, ast.Module)
        body = tree.body
        if len(body) != 1 or not isinstance(body[0], ast.Assign) or len(body[0].targets) != 1:
            help = "write h = …, or i, f, g, o = split(…, 4)"
            raise ExpressionError("NW0512", "a step is one name = expression", self.whole(), help)
        return self.targets(body[0].targets[0]), descend(self.convert(body[0].value, 0))

    def targets(self, tree: ast.AST) -> tuple[tuple[str, Span], ...]:
        tree = tree.body if isinstance(tree, ast.Expression) else tree
        elements = tree.elts if isinstance(tree, ast.Tuple) else [tree]
        names: list[tuple[str, Span]] = []
        for element in elements:
            if not isinstance(element, ast.Name):
                raise ExpressionError("NW0512", "a step can only define names", self.span(element))
            names.append((element.id, self.span(element)))
        return tuple(names)

    def span(self, tree: ast.AST) -> Span:
        start, end = getattr(tree, "col_offset", 0), getattr(tree, "end_col_offset", None) or len(self.text)
        if not self.text.isascii():  # ast counts UTF-8 bytes
            encoded = self.text.encode()
            start, end = len(encoded[:start].decode()), len(encoded[:end].decode())
        return self.writing.locate(start + self.shift, end + self.shift)

    def convert(self, tree: ast.expr, depth: int) -> Descent[Expression]:
        span = self.span(tree)
        if depth > DEPTH_LIMIT:
            raise ExpressionError("NW0501", f"nested more than {DEPTH_LIMIT} deep", span)
        match tree:
            case ast.Constant(value=bool() | str() | bytes() | complex() | None):
                raise ExpressionError("NW0502", "only numbers can be constants", span)
            case ast.Constant(value=int() | float() as value) if abs(value) < 1e308:
                return Number(value, span)
            case ast.Constant():
                raise ExpressionError("NW0502", "the number is too large", span)
            case ast.Name(id=name) if name in CONSTANTS:
                return Number(CONSTANTS[name], span)
            case ast.Name(id=name):
                return Name(name, span)
            case ast.UnaryOp(op=ast.UAdd(), operand=operand):
                return (yield self.convert(operand, depth + 1))
            case ast.UnaryOp(op=ast.USub(), operand=operand):
                inner = yield self.convert(operand, depth + 1)
                return Number(-inner.value, span) if isinstance(inner, Number) else Negate(inner, span)
            case ast.BinOp(left=left, op=operator, right=right) if type(operator) in _BINARY:
                self.operations += 1
                if self.operations > OPERATION_LIMIT:
                    raise ExpressionError("NW0501", f"more than {OPERATION_LIMIT} operators", self.whole())
                first = yield self.convert(left, depth if isinstance(left, ast.BinOp) else depth + 1)
                second = yield self.convert(right, depth + 1)
                return Binary(_BINARY[type(operator)], first, second, span)
            case ast.Compare(left=left, ops=[operator], comparators=[right]) if type(operator) in _COMPARE:
                first = yield self.convert(left, depth + 1)
                second = yield self.convert(right, depth + 1)
                return Compare(_COMPARE[type(operator)], first, second, span)
            case ast.Compare():
                raise ExpressionError("NW0502", "compare two values at a time, with < <= > >= == !=", span)
            case ast.Call(func=ast.Name()):
                return (yield self.call(tree, depth))
            case ast.Call(func=ast.Attribute(attr=name)):
                help = f"write {name}" if name in FUNCTIONS else None
                raise ExpressionError(
                    "NW0504", "functions have plain names, without a dot", self.span(tree.func), help
                )
        what = _UNKNOWN_CONSTRUCTS.get(type(tree), "this")
        raise ExpressionError("NW0502", f"{what} is not part of the language of expressions", span)

    def call(self, tree: ast.Call, depth: int) -> Descent[Expression]:
        assert isinstance(tree.func, ast.Name)
        name, span = tree.func.id, self.span(tree)
        if name == "prev":
            if len(tree.args) != 1 or tree.keywords or not isinstance(tree.args[0], ast.Name):
                help = "prev(h) is the value of state h in the step before"
                raise ExpressionError("NW0505", "prev takes the name of a state", span, help)
            return Previous(tree.args[0].id, self.span(tree.args[0]))
        if name in self.cells:
            if tree.keywords:
                raise ExpressionError("NW0505", f"{name} has no options", self.span(tree.keywords[0]))
            inputs: list[Expression] = []
            for argument in tree.args:
                inputs.append((yield self.convert(argument, depth + 1)))
            return Run(name, tuple(inputs), span)
        function = FUNCTIONS.get(name)
        if function is None:
            known = [*self.cells, "prev", *FUNCTIONS]
            meant, place = closest(name, known), self.span(tree.func)
            help = did_you_mean(meant) or f"there are {', '.join(known)}"
            fixes = respelled(name, meant, place, safe=False)
            raise ExpressionError("NW0504", f"unknown function {name}", place, help, fixes)
        count = len(tree.args)
        if count < function.fewest or (function.most is not None and count > function.most):
            wanted = f"{function.fewest}" if function.most else f"at least {function.fewest}"
            plural = "argument" if function.fewest == 1 else "arguments"
            raise ExpressionError(
                "NW0505", f"{name} takes {wanted} {plural}, not {count}", span, function.summary
            )
        written = tree.args[:-1] if function.words else tree.args
        word = self.word(name, tree.args[-1], function.words) if function.words else None
        arguments: list[Expression] = []
        for argument in written:
            arguments.append((yield self.convert(argument, depth + 1)))
        for argument in arguments[count - function.constants :] if function.constants else ():
            if not isinstance(argument, Number):
                raise ExpressionError(
                    "NW0505", f"{name} takes a number here", argument.span, function.summary
                )
        options = dict(function.options)
        for keyword in tree.keywords:
            if keyword.arg not in options:
                known = ", ".join(options)
                help = f"its options are {known}" if known else "it has none"
                message = f"{name} has no option {keyword.arg or '**'}"
                raise ExpressionError("NW0505", message, self.span(keyword), help)
            value = yield self.convert(keyword.value, depth + 1)
            if not isinstance(value, Number) or not isinstance(value.value, int):
                raise ExpressionError("NW0505", f"{keyword.arg} has to be a whole number", value.span)
            options[keyword.arg] = value.value
        return Call(name, tuple(arguments), tuple(options.items()), span, word)

    def word(self, function: str, tree: ast.expr, words: tuple[str, ...]) -> str:
        if isinstance(tree, ast.Name) and tree.id in words:
            return tree.id
        message = f"{function} ends with one of {', '.join(words)}"
        raise ExpressionError("NW0505", message, self.span(tree), FUNCTIONS[function].summary)
