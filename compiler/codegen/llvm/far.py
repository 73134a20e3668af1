"""Sines and cosines of numbers too large for the elementary functions. These are rare, so a function computes them
for single lanes, behind a branch."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from string import Template

from ...loop import ir
from ...loop.interpreter.far import COSINE, SINE, WORDS, two_over_pi
from ..text.types import constant, literal, suffix, value_type, vector
from ..text.writer import Writer

_DECLARATION = "declare i64 @llvm.fshl.i64(i64, i64, i64)"


def write_far(writer: Writer, op: str, x: str, type: ir.ValueType) -> str:
    """The operand for ``sin_far`` or ``cos_far`` of ``x``: lanes within ``ir.FAR`` are 0, and cost one test."""
    write, text = writer.value, value_type(type)
    magnitude = writer.call(text, f"llvm.fabs.{suffix(type)}", (text, x))
    # NaN counts as far. The elementary functions write the same comparison, so it is computed once.
    is_near = write(f"fcmp ole {text} {magnitude}, {constant(ir.FAR[type.dtype], type)}")
    if type.lanes > 1:
        mask = write(f"bitcast {vector('i1', type.lanes)} {is_near} to i{type.lanes}")
        is_near = write(f"icmp eq i{type.lanes} {mask}, -1")
    place = writer.slot(text, align=64)
    far, near, before = writer.label("far"), writer.label("near"), writer.block
    writer.branch_if(is_near, near, far)
    writer.start(far)
    name, quadrants = f"{type.dtype}x{type.lanes}", {"sin_far": 0, "cos_far": 1}[op]
    writer.line(f"store {text} {x}, ptr {place}")
    writer.line(f"call void @netwright.far.{name}(ptr {place}, i64 {quadrants})")
    total = writer.result(f"load {text}, ptr {place}")
    writer.branch(near)
    writer.start(near)
    scalar = ir.ValueType(type.dtype)
    writer.definitions.update(_definitions(type))
    writer.declarations.add(_DECLARATION)
    writer.declarations.add(f"declare {value_type(scalar)} @llvm.fabs.{suffix(scalar)}({value_type(scalar)})")
    return writer.result(f"phi {text} [ {constant(0, type)}, %{before} ], [ {total}, %{far} ]")


@cache
def _definitions(type: ir.ValueType) -> tuple[str, str]:
    """The function for one number, which all types share, and the function for the lanes of a vector."""
    scalar = ir.ValueType(type.dtype)
    element, is_wide = value_type(scalar), type.dtype == "float64"
    lanes = _template("far_lanes").substitute(
        lanes=type.lanes,
        name=f"{type.dtype}x{type.lanes}",
        type=element,
        suffix=suffix(scalar),
        limit=constant(ir.FAR[type.dtype], scalar),
        widened="fadd double %given, 0.0" if is_wide else f"fpext {element} %given to double",
        narrowed="fadd double %sine, 0.0" if is_wide else f"fptrunc double %sine to {element}",
    )
    return _number(), lanes


@cache
def _number() -> str:
    table = two_over_pi()
    words = [table >> 64 * (WORDS - 1 - number) & (2**64 - 1) for number in range(WORDS)]
    return _template("far").substitute(
        count=WORDS,
        words=", ".join(f"i64 {word}" for word in words),
        sine=_series("sine", SINE),
        cosine=_series("cosine", COSINE),
    )


def _template(name: str) -> Template:
    return Template((Path(__file__).parent / "ll" / f"{name}.ll").read_text(encoding="utf-8"))


def _series(name: str, coefficients: tuple[float, ...]) -> str:
    """Horner's rule in %u; ``name`` is the name of the result."""
    total, lines = literal(coefficients[0], "float64"), []
    for number, coefficient in enumerate(coefficients[1:], 2):
        lines.append(f"  %{name}.m{number} = fmul double {total}, %u")
        total = f"%{name}.a{number}" if number < len(coefficients) else f"%{name}"
        lines.append(f"  {total} = fadd double %{name}.m{number}, {literal(coefficient, 'float64')}")
    return "\n".join(lines)
