"""The text of loop IR holds everything, and what is not loop IR is refused."""

import math

import pytest
from hypothesis import given

from netwright.compiler.loop import ir
from netwright.compiler.loop.builder import Builder
from netwright.compiler.loop.ir import ValueType
from netwright.compiler.loop.text.parsing import ParseError, parse_function, parse_program
from netwright.compiler.loop.text.printing import function_text, program_text
from netwright.specs.dims import dim

from .drawing import functions

N = dim("N")
SCALE = """kernel scale(N >= 1)
  read x: float32[N, 64]
  read k: int64[]
  readwrite y: float32[N, 64]
  local read t: float32[4, 16]
  parallel for i in 0 .. N:
    index row = k[] in 0 .. N else 1
    for j in 0 .. 64 step 16:
      let v = x[row, j]{16, count N - j}
      prefetch x[row + 1, 2*j]
      let total = 0.0:float32
      total = add(total, reduce<add>(v))
      if N - i - 2 >= 0 & j - 16 >= 0:
        y[i, j]{count N - j, if i - 1 >= 0} = fma(v, broadcast<16>(total), -inf:float32x16)
      else:
        pass
  unrolled for u in 0 .. 4:
    t[u, 0] = cast<float32>(add(ramp:int32x16, index(16*u):int32x16))
  barrier
  call other(x at [2], y, t as [64]; N - 1, 4)
"""


@given(functions())
def test_functions_survive(function: ir.Function) -> None:
    text = function_text(function)
    again = parse_function(text)
    assert function_text(again) == text
    # NaN is the one number that differs from itself.
    if "nan" not in text:
        assert again == function


def test_every_statement_has_a_text() -> None:
    text = SCALE.replace("      else:\n        pass\n", "")
    assert function_text(parse_function(text)) == text
    assert parse_function(SCALE) == parse_function(text)


@pytest.mark.parametrize("value", [0.1, -0.0, math.inf, -math.inf, math.nan, 1e-45, 1.7976931348623157e308])
def test_floats_are_exact(value: float) -> None:
    b = Builder("f", {})
    b.register("x", b.const(value, "float64", 4))
    (statement,) = parse_function(function_text(b.finish())).body
    assert isinstance(statement, ir.Declare)
    assert isinstance(statement.value, ir.Const)
    assert repr(statement.value.value) == repr(value)
    assert statement.value.type == ValueType("float64", 4)


def test_equal_constants_print_alike() -> None:
    texts = set()
    for value in (1, 1.0, True):
        b = Builder("f", {})
        b.register("x", b.const(value, "float32"))
        texts.add(function_text(b.finish()))
    assert len(texts) == 1


def test_programs_survive() -> None:
    scale = parse_function(SCALE)
    table = (ir.Buffer("image", "float32", (N, 64)), ir.Buffer("head.kernel", "float32", (64,), "readwrite"))
    hidden = ir.Buffer("hidden", "float32", (N, 2 * N), "readwrite")
    body = (
        ir.For("t", 0, N, (ir.Call("f", (ir.Slice("image", (dim("t"),)), ir.Slice("hidden")), ()),)),
        ir.Barrier(),
    )
    entry = ir.Entry(
        "predict",
        ir.Function("predict", (("N", 1),), (*table, hidden), body),
        (ir.ArenaBuffer("hidden", 8 * N * N, 0, 3),),
    )
    program = ir.Program("digits", (("N", 1),), table, {"scale": scale}, {"predict": entry})
    assert parse_program(program_text(program)) == program


@pytest.mark.parametrize(
    ("before", "after", "line"),
    [
        ("kernel scale(N >= 1)", "kernel scale(N)", 1),
        ("float32[N, 64]", "float99[N, 64]", 2),
        ("for i in 0 .. N:", "for i in 0 .. N", 6),
        ("in 0 .. N else 1", "in 0 .. N", 7),
        ("{16, count N - j}", "{16, count N - }", 9),
        ("{16, count N - j}", "{sixteen}", 9),
        ("0.0:float32", "0.0:int32", 11),
        ("0.0:float32", "0.0", 11),
        ("prefetch x[", "prefetch [", 10),
        ("prefetch x[", "prefetch w[", 10),
        ("add(total, reduce<add>(v))", "plus(total, total)", 12),
        ("add(total, reduce<add>(v))", "add(total, other)", 12),
        ("add(total, reduce<add>(v))", "add(total, total))", 12),
        (">= 0 & j", "> 0 & j", 13),
        ("      total = ", "       total = ", 12),
        ("cast<float32>", "cast<float32", 18),
        ("at [2]", "at [2", 20),
        ("t[u, 0] = ", "z[u, 0] = ", 18),
        ("  barrier", "  barriers", 19),
    ],
)
def test_errors_name_the_line(before: str, after: str, line: int) -> None:
    assert before in SCALE
    with pytest.raises(ParseError, match=f"line {line}:"):
        parse_function(SCALE.replace(before, after, 1))


@pytest.mark.parametrize(
    "text", ["", "\n", "kernel", "program p()\nkernel f()\n  x[", "program p()\nentry e"]
)
def test_fragments_are_errors(text: str) -> None:
    with pytest.raises(ParseError):
        parse_program(text)
