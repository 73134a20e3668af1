"""A watched entry passes a mark at its beginning, after every call, and after every outermost loop."""

from __future__ import annotations

from netwright.compiler.loop import ir
from netwright.compiler.loop.builder import Builder
from netwright.compiler.loop.marks import MARK, watched


def entry() -> ir.Entry:
    b = Builder("predict", {"N": 1})
    b.call("first", [], [])
    with b.loop("t", 0, 4):
        b.call("inner", [], [])
        with b.loop("u", 0, 2):
            b.call("innermost", [], [])
    b.call("last", [], [])
    return ir.Entry("predict", b.finish())


def shown(body: tuple[ir.Stmt, ...]) -> list[object]:
    """Names of calls, numbers of marks, and lists for loops."""
    made: list[object] = []
    for statement in body:
        if isinstance(statement, ir.For):
            made.append(shown(statement.body))
        elif isinstance(statement, ir.Call):
            made.append(statement.dims[0] if statement.function == MARK else statement.function)
    return made


def test_marks_are_numbered_in_the_order_of_the_text() -> None:
    made = watched(entry())
    assert shown(made.body) == [0, "first", 1, ["inner", 2, ["innermost", 3]], 4, "last", 5]
    names = [None if call is None else call.function for call in made.moments]
    assert names == [None, "first", "inner", "innermost", None, "last"]


def test_what_calls_are_for_does_not_make_them_different() -> None:
    plain, told = ir.Call("k", (), ()), ir.Call("k", (), (), ir.CallInfo(("conv1",)))
    assert plain == told
    assert hash(plain) == hash(told)
