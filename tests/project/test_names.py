"""A local variable says what it holds: `found` could be anything, `one` is only the number."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

PROJECT = Path(__file__).parents[2]
SHIPPED = ("api", "compiler", "runtime", "specs")


def _riddles(tree: ast.Module) -> Iterator[tuple[int, str]]:
    """The line and name of each variable or parameter called `found`, or called `one` without being the number."""
    nodes = list(ast.walk(tree))
    numbers = {
        target
        for node in nodes
        if isinstance(node, ast.Assign)
        for target in node.targets
        if isinstance(target, ast.Name)
        and target.id == "one"
        and any(isinstance(part, ast.Constant) and part.value == 1 for part in ast.walk(node.value))
    }
    for node in nodes:
        match node:
            case ast.Name(id="found" | "one" as name, ctx=ast.Store()) if (
                name == "found" or node not in numbers
            ):
                yield node.lineno, name
            case ast.arg(arg="found" | "one" as name) | ast.MatchAs(name="found" | "one" as name):
                yield node.lineno, name


@pytest.mark.parametrize("folder", SHIPPED)
def test_local_names_say_what_they_hold(folder: str) -> None:
    riddles = [
        f"{path.relative_to(PROJECT)}:{line}: {name}"
        for path in sorted((PROJECT / folder).rglob("*.py"))
        for line, name in _riddles(ast.parse(path.read_text(encoding="utf-8")))
    ]
    assert not riddles


def test_riddles_are_told_from_the_number() -> None:
    text = "one = 1 << 8\nfor one in rows:\n    found = one\nlambda one: 1\n"
    assert list(_riddles(ast.parse(text))) == [(2, "one"), (3, "found"), (4, "one")]
