"""Recursion without Python's stack, for trees and graphs that may be thousands of levels deep.

A function that would call itself is written as a generator which yields the calls instead and is sent their results;
``descend`` runs it on a stack of its own. A result may be yielded in place of a call:

    def depth(tree: Tree) -> Descent[int]:
        below = []
        for child in tree.children:
            below.append((yield depth(child)))
        return 1 + max(below, default=0)

    descend(depth(tree))

"""

from __future__ import annotations

from collections.abc import Generator
from types import GeneratorType
from typing import Any, TypeAlias, TypeVar

T = TypeVar("T")

#: A generator that yields the calls it waits for (or their results), and returns a T.
Descent: TypeAlias = Generator[Any, Any, T]


def descend(first: Descent[T] | T) -> T:
    """Runs ``first`` and returns its result. Exceptions are raised at the ``yield``, as from an ordinary call. A
    ``first`` that is not a generator is returned as it is.
    """
    if type(first) is not GeneratorType:
        return first  # pyright: ignore[reportReturnType]
    stack: list[Descent[Any]] = [first]
    result: Any = None
    error: BaseException | None = None
    while stack:
        try:
            if error is None:
                following = stack[-1].send(result)
            else:
                raised, error = error, None
                following = stack[-1].throw(raised)
        except StopIteration as end:
            stack.pop()
            result = end.value
        except BaseException as raised:
            stack.pop()
            error = raised
        else:
            if type(following) is GeneratorType:
                stack.append(following)
                result = None
            else:
                result = following
    if error is None:
        return result
    try:
        raise error
    finally:
        del error  # whose traceback has this frame: else both, and all that its frames hold, would be garbage
