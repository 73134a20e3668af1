"""Puts a broken rule into the running process: functions that exist already get the new code."""

from __future__ import annotations

import ast
import gc
import sys
from collections.abc import Iterable, Iterator
from types import CodeType, FunctionType

from .rules import Broken

#: A function's file, qualified name and line.
Key = tuple[str, str, int]


class CannotBreakError(Exception):
    """The function does not exist yet, or two on one line look the same."""


class Functions:
    """All functions of some files, looked for once: a look at every object would copy them in each forked process."""

    def __init__(self, files: Iterable[str]):
        wanted = set(files)
        self._found: dict[Key, list[FunctionType]] = {}
        gc.unfreeze()  # what the suite has frozen is not listed
        for one in gc.get_objects():
            if isinstance(one, FunctionType) and one.__code__.co_filename in wanted:
                self._found.setdefault(_key(one.__code__), []).append(one)

    def put(self, broken: Broken) -> None:
        """Breaks the rule for the rest of this process. Raises CannotBreakError."""
        if not broken.function:
            _set_constant(broken)
            return
        old = compile(broken.text, str(broken.path), "exec", dont_inherit=True)
        new = _codes(broken.code())
        changed = [key for key, codes in _codes(old).items() if codes != new.get(key)]
        found = [(one, new.get(key, [])) for key in changed for one in self._found.get(key, ())]
        if not found or any(len(codes) != 1 for _, codes in found):
            raise CannotBreakError(broken.function)
        for one, (code,) in found:
            if len(code.co_freevars) != len(one.__code__.co_freevars):
                raise CannotBreakError(broken.function)
            one.__code__ = code


def _set_constant(broken: Broken) -> None:
    """Sets a module's constant there and wherever else it was imported."""
    (node,) = [
        node for node in broken.tree.body if isinstance(node, ast.Assign) and node.lineno == broken.line
    ]
    (target,) = node.targets
    assert isinstance(target, ast.Name)
    value = eval(compile(ast.Expression(node.value), str(broken.path), "eval"))
    modules = list(sys.modules.values())
    homes = [module for module in modules if getattr(module, "__file__", None) == str(broken.path)]
    if not homes:
        raise CannotBreakError(target.id)
    old = getattr(homes[0], target.id)
    for module in modules:
        if vars(module).get(target.id) is old:
            setattr(module, target.id, value)


def _codes(code: CodeType) -> dict[Key, list[CodeType]]:
    """All code of functions in a module's: two lambdas of one line share an entry."""
    found: dict[Key, list[CodeType]] = {}
    for inner in _inside(code):
        found.setdefault(_key(inner), []).append(inner)
    return found


def _inside(code: CodeType) -> Iterator[CodeType]:
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield constant
            yield from _inside(constant)


def _key(code: CodeType) -> Key:
    return code.co_filename, code.co_qualname, code.co_firstlineno
