"""Finds the rules of a module, and what breaking each of them makes of its code."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from copy import deepcopy
from dataclasses import dataclass
from functools import cached_property
from itertools import islice
from pathlib import Path
from types import CodeType

_SOFTER = {ast.Lt: ast.LtE, ast.LtE: ast.Lt, ast.Gt: ast.GtE, ast.GtE: ast.Gt}
_OTHER = {"all": "any", "any": "all", "min": "max", "max": "min"}
#: What says no more than how something is shown, or holds anyway.
_NOT_RULES = (ast.Assert, ast.JoinedStr, ast.Raise, ast.Import, ast.ImportFrom)
_SHOWN = ("__str__", "__repr__")
_LONGEST = 120


@dataclass(frozen=True, eq=False)
class Place:
    """A node's position in its parent, and what is to stand there: all of it without one operand, or something else.

    ``function`` is the qualified name of what it stands in; "" for a module's constants.
    """

    function: str
    parent: ast.AST
    field: str
    index: int | None
    node: ast.AST
    new: ast.AST
    left_out: ast.AST | None = None

    def put(self) -> None:
        new = ast.copy_location(self.new, self.node)
        if self.index is None:
            setattr(self.parent, self.field, new)
        else:
            getattr(self.parent, self.field)[self.index] = new


@dataclass(frozen=True, eq=False)
class Broken:
    """One rule, broken in one way: ``number`` counts those of the module."""

    path: Path
    text: str
    number: int
    place: Place

    @property
    def function(self) -> str:
        return self.place.function

    @cached_property
    def lines(self) -> frozenset[int]:
        """Where the rule stands; of a constant, where the module reads it."""
        node = self.place.node
        if self.function:
            return frozenset(range(node.lineno, node.end_lineno + 1))  # type: ignore[attr-defined]
        name = ast.unparse(node).split()[0]
        return frozenset(
            one.lineno
            for one in ast.walk(ast.parse(self.text))
            if isinstance(one, ast.Name) and one.id == name and isinstance(one.ctx, ast.Load)
        )

    @property
    def line(self) -> int:
        return self.place.node.lineno  # type: ignore[attr-defined]

    @cached_property
    def key(self) -> str:
        """Its name in ``equivalent.txt``, which no line that is added elsewhere changes."""
        left_out = self.place.left_out
        change = f"without {_text(left_out)}" if left_out is not None else _text(self.place.new)
        return f"{self.function}: {_text(self.place.node)} -> {change}"

    @cached_property
    def tree(self) -> ast.Module:
        """The whole module with the rule broken; every line keeps its number."""
        tree = ast.parse(self.text)
        next(islice(_walk(tree, ""), self.number, None)).put()
        return ast.fix_missing_locations(tree)

    def code(self) -> CodeType:
        return compile(self.tree, str(self.path), "exec", dont_inherit=True)


def rules_of(path: Path) -> list[Broken]:
    """Every way to break a rule of a module, in the order of its text."""
    return rules_in(path.read_text(encoding="utf-8"), path)


def rules_in(text: str, path: Path) -> list[Broken]:
    """The rules of ``text``, which may be another version of the module at ``path``."""
    return [Broken(path, text, number, place) for number, place in enumerate(_walk(ast.parse(text), ""))]


def _text(node: ast.AST) -> str:
    text = " ".join(ast.unparse(node).split())
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 1]}…"


def _walk(parent: ast.AST, function: str) -> Iterator[Place]:
    for field, value in ast.iter_fields(parent):
        if field in ("annotation", "returns", "decorator_list", "format_spec"):
            continue
        for index, node in enumerate(value if isinstance(value, list) else [value]):
            if not isinstance(node, ast.AST) or isinstance(node, _NOT_RULES):
                continue
            name = function
            if isinstance(node, ast.FunctionDef | ast.ClassDef):
                if node.name in _SHOWN:
                    continue
                name = f"{function}.{node.name}".lstrip(".")
            at = index if isinstance(value, list) else None
            if isinstance(node, ast.BoolOp):
                for operand in node.values:
                    yield Place(name, parent, field, at, node, _without(node, operand), operand)
            for new in _changed(node, parent, field):
                yield Place(name, parent, field, at, node, new)
            yield from _walk(node, name)


def _without(node: ast.BoolOp, operand: ast.expr) -> ast.expr:
    rest = [deepcopy(value) for value in node.values if value is not operand]
    return rest[0] if len(rest) == 1 else ast.BoolOp(node.op, rest)


def _changed(node: ast.AST, parent: ast.AST, field: str) -> Iterator[ast.AST]:
    """What may stand in place of a node."""
    inner = isinstance(parent, ast.BoolOp | ast.UnaryOp)
    tests = field in ("test", "ifs", "guard")
    negation = isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not)
    if (
        isinstance(node, ast.expr)
        and not inner
        and (tests or negation or isinstance(node, ast.BoolOp | ast.Compare))
    ):
        # Of "a and b", True says no more than both of its operands left out; nothing would end a loop on True.
        if not isinstance(parent, ast.While) and not _is(node, ast.And):
            yield ast.Constant(True)
        if not _is(node, ast.Or):
            yield ast.Constant(False)
    if negation and inner:
        yield deepcopy(node.operand)
    if isinstance(node, ast.Compare) and len(node.ops) == 1 and type(node.ops[0]) in _SOFTER:
        softer = _SOFTER[type(node.ops[0])]()
        yield ast.Compare(deepcopy(node.left), [softer], deepcopy(node.comparators))
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in _OTHER:
        yield ast.Call(
            ast.Name(_OTHER[node.func.id], ast.Load()), deepcopy(node.args), deepcopy(node.keywords)
        )
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add | ast.Sub) and _is_one(node.right):
        yield deepcopy(node.left)
    if isinstance(node, ast.Expr) and isinstance(node.value, ast.Call):
        yield ast.Pass()
    if isinstance(node, ast.AugAssign | ast.Continue | ast.Break):
        yield ast.Pass()
    if isinstance(parent, ast.Module) and _is_threshold(node):
        assert isinstance(node, ast.Assign)
        for times in (ast.Mult(), ast.FloorDiv()):
            twice = ast.BinOp(deepcopy(node.value), times, ast.Constant(2))
            yield ast.Assign(node.targets, twice, lineno=node.lineno)


def _is(node: ast.AST, kind: type[ast.boolop]) -> bool:
    return isinstance(node, ast.BoolOp) and isinstance(node.op, kind)


def _is_one(node: ast.AST) -> bool:
    return isinstance(node, ast.Constant) and node.value == 1 and node.value is not True


def _is_threshold(node: ast.AST) -> bool:
    """A module's constant that is a number."""
    if not isinstance(node, ast.Assign) or not isinstance(node.targets[0], ast.Name):
        return False
    allowed = (ast.Constant, ast.BinOp, ast.operator)
    numbers = [part for part in ast.walk(node.value) if isinstance(part, ast.Constant)]
    return all(isinstance(part, allowed) for part in ast.walk(node.value)) and all(
        isinstance(part.value, int | float) and not isinstance(part.value, bool) for part in numbers
    )
