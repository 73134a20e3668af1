"""Prints loop IR. The text is stable and complete (``parse`` reads it back): it identifies a kernel.

    kernel scale(N >= 1)
      read x: float32[N, 64]
      write y: float32[N, 64]
      parallel for i in 0 .. N:
        for j in 0 .. 64 step 16:
          let v = x[i, j]{16, count N - j}
          y[i, j]{count N - j} = mul(v, 0.5:float32x16)

Braces after an access hold lanes, ``count``, ``stride``, guards (``if i - 1 >= 0``) and ``else``, the value of lanes
that are not read. Types are printed where they do not follow from the operands.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from netwright.specs.dims import DimLike

from .. import ir
from ..expressions import operands_of

INDENT = "  "


def program_text(program: ir.Program) -> str:
    """The text of a program, kernels and entries in their order."""
    lines = [f"program {program.model}{_dims(program.dims)}"]
    if program.table:
        lines += ["table", *(INDENT + _buffer(buffer) for buffer in program.table)]
    for kernel in program.kernels.values():
        lines += ["", *_function(kernel)]
    for entry in program.entries.values():
        lines += ["", f"entry {entry.name}"]
        lines += [INDENT + _arena(slot) for slot in entry.arena]
        lines += [INDENT + line for line in _function(entry.function)]
    return "\n".join(lines) + "\n"


def function_text(function: ir.Function) -> str:
    """The text of a function."""
    return "\n".join(_function(function)) + "\n"


def _arena(slot: ir.ArenaBuffer) -> str:
    staggered = " staggered" if slot.staggered else ""
    return f"arena {slot.name} of {slot.nbytes} live {slot.first} .. {slot.last}{staggered}"


def _function(function: ir.Function) -> list[str]:
    lines = [f"kernel {function.name}{_dims(function.dims)}"]
    lines += [INDENT + _buffer(buffer) for buffer in function.buffers]
    _add_body(lines, function.body, INDENT)
    return lines


def _dims(dims: Iterable[tuple[str, int]]) -> str:
    return f"({', '.join(f'{name} >= {least}' for name, least in dims)})"


def _buffer(buffer: ir.Buffer) -> str:
    local = "local " if buffer.local else ""
    return f"{local}{buffer.access} {buffer.name}: {buffer.dtype}{_indices(buffer.shape)}"


def _indices(values: Iterable[DimLike]) -> str:
    return f"[{_list(values)}]"


def _list(values: Iterable[object]) -> str:
    return ", ".join(map(str, values))


def _conditions(values: Iterable[DimLike]) -> str:
    return " & ".join(f"{value} >= 0" for value in values)


def _add_body(lines: list[str], body: Sequence[ir.Stmt], indent: str) -> None:
    if not body:
        lines.append(f"{indent}pass")
    for statement in body:
        match statement:
            case ir.For(var, start, stop, inside, step, kind):
                prefix = "" if kind == "serial" else f"{kind} "
                suffix = "" if step == 1 else f" step {step}"
                lines.append(f"{indent}{prefix}for {var} in {start} .. {stop}{suffix}:")
                _add_body(lines, inside, indent + INDENT)
            case ir.If(conditions, inside, orelse):
                lines.append(f"{indent}if {_conditions(conditions)}:")
                _add_body(lines, inside, indent + INDENT)
                if orelse:
                    lines.append(f"{indent}else:")
                    _add_body(lines, orelse, indent + INDENT)
            case ir.Divide(dim, rows, inside, least):
                shares = f" into {least} or more" if least > 1 else ""
                lines.append(f"{indent}divide {dim} by {rows}{shares}:")
                _add_body(lines, inside, indent + INDENT)
            case _:
                lines.append(indent + _simple(statement))


def _simple(statement: ir.Stmt) -> str:
    match statement:
        case ir.Declare(name, value):
            return f"let {name} = {expr_text(value)}"
        case ir.Assign(name, value):
            return f"{name} = {expr_text(value)}"
        case ir.LetIndex(name, value, low, high, error):
            return f"index {name} = {expr_text(value)} in {low} .. {high} else {error}"
        case ir.Store(buffer, indices, value, count, guards):
            return f"{buffer}{_indices(indices)}{_options(count, guards)} = {expr_text(value)}"
        case ir.Prefetch(buffer, indices):
            return f"prefetch {buffer}{_indices(indices)}"
        case ir.Call(function, buffers, dims):
            sizes = f"; {_list(dims)}" if dims else ""
            return f"call {function}({_list(map(_slice, buffers))}{sizes})"
        case ir.Barrier():
            return "barrier"
    raise TypeError(f"{type(statement).__name__} is not a statement")


def _slice(slice: ir.Slice) -> str:
    seen = "" if slice.shape is None else f" as {_indices(slice.shape)}"
    return f"{slice.buffer}{seen}{' at ' + _indices(slice.leading) if slice.leading else ''}"


def _options(
    count: DimLike | None, guards: Sequence[DimLike], lanes: int = 1, stride: DimLike = 1, other: str = ""
) -> str:
    if count is None and stride == 1 and not guards and not other:  # as for most accesses
        return "" if lanes == 1 else f"{{{lanes}}}"
    parts = [str(lanes)] if lanes != 1 else []
    if count is not None:
        parts.append(f"count {count}")
    if stride != 1:
        parts.append(f"stride {stride}")
    if guards:
        parts.append(f"if {_conditions(guards)}")
    if other:
        parts.append(f"else {other}")
    return f"{{{', '.join(parts)}}}" if parts else ""


def number_text(value: float | int | bool, dtype: str) -> str:
    """``value`` as a number of ``dtype``, exactly."""
    if dtype.startswith("float"):
        return repr(float(value))
    return ("true" if value else "false") if dtype == "bool" else str(int(value))


def expr_text(expr: ir.Expr) -> str:
    """The text of an expression; a node used twice in it is printed twice (a register has a name)."""
    if not (operands := operands_of(expr)):
        return _leaf_text(expr)
    if not any(map(operands_of, operands)):  # most operands are names
        return f"{_operation_text(expr)}({', '.join(map(_leaf_text, operands))})"
    parts: list[str] = []
    stack: list[str | ir.Expr] = [expr]
    while stack:
        piece = stack.pop()
        if isinstance(piece, str):
            parts.append(piece)
            continue
        operands = operands_of(piece)
        if not any(map(operands_of, operands)):
            leaves = ", ".join(map(_leaf_text, operands))
            parts.append(f"{_operation_text(piece)}({leaves})" if operands else _leaf_text(piece))
            continue
        parts.append(f"{_operation_text(piece)}(")
        stack.append(")")
        for position in range(len(operands) - 1, -1, -1):
            stack.append(operands[position])
            if position:
                stack.append(", ")
    return "".join(parts)


def _operation_text(expr: ir.Expr) -> str:
    match expr:
        case ir.Unary(op) | ir.Binary(op) | ir.Compare(op):
            return op
        case ir.Fma():
            return "fma"
        case ir.Dot4():
            return "dot4"
        case ir.Select():
            return "select"
        case ir.Cast(_, type):
            return f"cast<{type.dtype}>"
        case ir.Bitcast(_, type):
            return f"bitcast<{type.dtype}>"
        case ir.Broadcast(_, type):
            return f"broadcast<{type.lanes}>"
        case ir.ReduceLanes(op):
            return f"reduce<{op}>"
        case ir.Shuffle(lanes):
            return f"shuffle<{' '.join(map(str, lanes))}>"
    raise TypeError(f"{expr.__class__.__name__} is not an operation")


def _leaf_text(expr: ir.Expr) -> str:
    match expr:
        case ir.Read(name):
            return name
        case ir.Load(buffer, indices, type, count, guards, other, stride):
            shown = ""
            if not (isinstance(other, int) and other == 0):
                default = number_text(other, type.dtype)
                shown = "" if default == number_text(0, type.dtype) else default
            return f"{buffer}{_indices(indices)}{_options(count, guards, type.lanes, stride, shown)}"
        case ir.Const(value, type):
            return f"{number_text(value, type.dtype)}:{type}"
        case ir.IndexValue(index, type):
            return f"index({index}):{type}"
        case ir.Ramp(type):
            return f"ramp:{type}"
    raise TypeError(f"{expr.__class__.__name__} is not an expression")
