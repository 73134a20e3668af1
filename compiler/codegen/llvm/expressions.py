"""Expressions of the loop IR as LLVM values."""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial

from ...loop import ir
from ...loop.expressions import postorder
from ...loop.ir import Expr, ValueType
from ..targets.target import Target, has_instruction
from ..text.types import WIDTHS, constant, is_float, is_unsigned, scalar_type, suffix, value_type, vector
from ..text.writer import Writer
from .far import write_far
from .features import has_feature
from .indices import Indices
from .memory import Memory

_FLOAT_COMPARE = {"eq": "oeq", "ne": "une", "lt": "olt", "le": "ole", "gt": "ogt", "ge": "oge"}
_BITWISE = {"and": "and", "or": "or", "xor": "xor", "shl": "shl"}


class Values:
    """Writes expressions; ``changing`` are the registers that are assigned after their declaration.

    Any other register is the SSA value of its declaration. Changing ones have a stack slot, which LLVM turns into
    values.
    """

    def __init__(
        self,
        writer: Writer,
        indices: Indices,
        memory: Memory,
        target: Target,
        changing: frozenset[str] = frozenset(),
    ):
        self._writer = writer
        self._indices = indices
        self._memory = memory
        self._target = target
        self._changing = changing
        self._constants: dict[str, str] = {}  # the operands of registers that do not change
        self._slots: dict[tuple[str, ValueType], str] = {}
        self._registers: dict[str, tuple[str, ValueType]] = {}
        self._versions: dict[str, int] = {}  # by register: how often it may have changed
        self._done: dict[int, str] = {}

    # -- registers -----------------------------------------------------------------------------------------

    def declare(self, name: str, type: ValueType, operand: str) -> None:
        """A register and its first value."""
        if name not in self._changing:
            self._constants[name] = operand
            return
        key = (name, type)
        if key not in self._slots:
            self._slots[key] = self._writer.slot(value_type(type))
        self._registers[name] = (self._slots[key], type)
        self.assign(name, operand)

    def assign(self, name: str, operand: str) -> None:
        slot, type = self._registers[name]
        self._writer.line(f"store {value_type(type)} {operand}, ptr {slot}")
        self.changed([name])
        self._writer.know(_slot_load(slot, type), self._versions[name], operand)

    def changed(self, registers: Iterable[str]) -> None:
        """Forgets what is known of these registers."""
        for name in registers:
            self._versions[name] = self._versions.get(name, 0) + 1

    def _read(self, name: str) -> str:
        if name in self._constants:
            return self._constants[name]
        return self._writer.value(_slot_load(*self._registers[name]), self._versions[name])

    # -- expressions ---------------------------------------------------------------------------------------

    def statement(self, expr: Expr) -> str:
        """The operand for the expression of one statement; a node that occurs twice in it is computed once."""
        self._done = {}
        for node in postorder(expr):
            self._done[id(node)] = self._emit(node)
        return self.emit(expr)

    def emit(self, expr: Expr) -> str:
        """The operand of a node of the statement; operands are written before their readers."""
        return self._done[id(expr)]

    def _emit(self, expr: Expr) -> str:
        write, type = self._writer.value, expr.type
        match expr:
            case ir.Fma():
                return self._fma(expr)
            case ir.Dot4():
                return self._dot4(expr)
            case ir.Read():
                return self._read(expr.name)
            case ir.Load():
                return self._memory.load(expr)
            case ir.Const():
                return constant(expr.value, type)
            case ir.Binary():
                return self._binary(expr)
            case ir.Unary():
                return self._unary(expr)
            case ir.Broadcast():
                return self._memory.broadcast(scalar_type(type.dtype), self.emit(expr.x), type.lanes)
            case ir.Compare():
                a, b = self.emit(expr.a), self.emit(expr.b)
                dtype = expr.a.type.dtype
                if is_float(dtype):
                    return write(f"fcmp {_FLOAT_COMPARE[expr.op]} {value_type(expr.a.type)} {a}, {b}")
                sign = "" if expr.op in ("eq", "ne") else "u" if is_unsigned(dtype) else "s"
                return write(f"icmp {sign}{expr.op} {value_type(expr.a.type)} {a}, {b}")
            case ir.Select():
                bit, a, b = self.emit(expr.condition), self.emit(expr.a), self.emit(expr.b)
                text = value_type(type)
                return write(f"select {vector('i1', type.lanes)} {bit}, {text} {a}, {text} {b}")
            case ir.Cast():
                return self._cast(self.emit(expr.x), expr.x.type, type)
            case ir.Bitcast():
                return write(f"bitcast {value_type(expr.x.type)} {self.emit(expr.x)} to {value_type(type)}")
            case ir.IndexValue():
                scalar = ValueType(type.dtype)
                x = self._cast(self._indices.value(expr.index), ValueType("int64"), scalar)
                return self._memory.broadcast(scalar_type(type.dtype), x, type.lanes)
            case ir.Ramp():
                elements = (
                    f"{scalar_type(type.dtype)} {constant(lane, ValueType(type.dtype))}"
                    for lane in range(type.lanes)
                )
                return f"<{', '.join(elements)}>" if type.lanes > 1 else constant(0, type)
            case ir.ReduceLanes():
                return self._reduce_lanes(expr)
            case ir.Shuffle():
                return self._shuffle(expr)
        raise TypeError(f"{expr} is not an expression")

    def _shuffle(self, expr: ir.Shuffle) -> str:
        whole, count = value_type(expr.a.type), expr.a.type.lanes
        a, b = self.emit(expr.a), self.emit(expr.b)
        if expr.type.lanes == 1:
            (lane,) = expr.lanes
            x = a if lane < count else b
            return self._writer.value(f"extractelement {whole} {x}, i64 {lane % count}")
        picked = ", ".join(f"i32 {lane}" for lane in expr.lanes)
        return self._writer.value(
            f"shufflevector {whole} {a}, {whole} {b}, <{expr.type.lanes} x i32> <{picked}>"
        )

    def _intrinsic(
        self, name: str, type: ValueType, *operands: str, extra: tuple[tuple[str, str], ...] = ()
    ) -> str:
        text = value_type(type)
        return self._writer.call(text, f"llvm.{name}.{suffix(type)}", *((text, x) for x in operands), *extra)

    def _fma(self, expr: ir.Fma) -> str:
        a, b, c = self.emit(expr.a), self.emit(expr.b), self.emit(expr.c)
        if has_instruction(self._target, "fma", 3):
            return self._intrinsic("fma", expr.type, a, b, c)
        # Without the instruction it rounds twice: the C library's fma would be a hundred times slower.
        text = value_type(expr.type)
        return self._writer.value(f"fadd {text} {self._writer.value(f'fmul {text} {a}, {b}')}, {c}")

    def _dot4(self, expr: ir.Dot4) -> str:
        a, b, c = self.emit(expr.a), self.emit(expr.b), self.emit(expr.c)
        write, lanes, target = self._writer.value, expr.type.lanes, self._target
        if expr.a.type.lanes < expr.b.type.lanes:  # CPUs broadcast words
            words = self._memory.broadcast("i32", write(f"bitcast <4 x i8> {a} to i32"), lanes)
            a = write(f"bitcast {vector('i32', lanes)} {words} to {vector('i8', 4 * lanes)}")
        signed = not is_unsigned(expr.a.type.dtype)
        return target.family.dot4(self._writer, partial(has_feature, target), signed, lanes, a, b, c)

    def _unary(self, expr: ir.Unary) -> str:
        x, type, write = self.emit(expr.x), expr.type, self._writer.value
        text = value_type(type)
        match expr.op:
            case "neg":
                return write(f"fneg {text} {x}" if is_float(type.dtype) else f"sub {text} {_zero(type)}, {x}")
            case "abs" if is_float(type.dtype):
                return self._intrinsic("fabs", type, x)
            case "abs":
                return (
                    x
                    if is_unsigned(type.dtype)
                    else self._intrinsic("abs", type, x, extra=(("i1", "false"),))
                )
            case "not":
                return write(f"xor {text} {x}, {constant(True if type.dtype == 'bool' else -1, type)}")
            case "sqrt":
                return self._intrinsic("sqrt", type, x)
            case "sin_far" | "cos_far":
                return write_far(self._writer, expr.op, x, type)
            case "round":
                return self._round(x, type)
            case "floor":
                if has_instruction(self._target, "floor", 1):
                    return self._intrinsic("floor", type, x)
                rounded = self._round(x, type)
                above = write(f"fcmp ogt {text} {rounded}, {x}")
                less = write(f"fsub {text} {rounded}, {constant(1, type)}")
                return write(f"select {vector('i1', type.lanes)} {above}, {text} {less}, {text} {rounded}")
        raise TypeError(f"no unary operation {expr.op!r}")

    def _round(self, x: str, type: ValueType) -> str:
        if has_instruction(self._target, "roundeven", 1):
            return self._intrinsic("roundeven", type, x)
        # Adding a number so large that its last bit is 1 rounds; larger floats are integers already.
        write, text = self._writer.value, value_type(type)
        large = {"float16": 2.0**10, "float32": 2.0**23, "float64": 2.0**52}[type.dtype]
        magnitude = self._intrinsic("fabs", type, x)
        sum_ = write(f"fadd {text} {magnitude}, {constant(large, type)}")
        rounded = self._intrinsic("copysign", type, write(f"fsub {text} {sum_}, {constant(large, type)}"), x)
        small = write(f"fcmp olt {text} {magnitude}, {constant(large, type)}")
        return write(f"select {vector('i1', type.lanes)} {small}, {text} {rounded}, {text} {x}")

    def _binary(self, expr: ir.Binary) -> str:
        a, b = self.emit(expr.a), self.emit(expr.b)
        if expr.op in ("max", "min"):
            # The constant comes first: then one comparison propagates the other operand's NaN.
            if isinstance(expr.b, ir.Const) and not isinstance(expr.a, ir.Const):
                return self._extremum(expr.op, b, a, expr.type, known=_is_number(expr.b))
            return self._extremum(expr.op, a, b, expr.type, known=_is_number(expr.a))
        type, write = expr.type, self._writer.value
        text = value_type(type)
        if is_float(type.dtype):
            if expr.op not in ("add", "sub", "mul", "div"):
                raise TypeError(f"{expr.op!r} is not for {type.dtype}")
            return write(f"f{expr.op} {text} {a}, {b}")
        if expr.op in ("add", "sub", "mul"):
            return write(f"{expr.op} {text} {a}, {b}")
        if expr.op in _BITWISE:
            return write(f"{_BITWISE[expr.op]} {text} {a}, {b}")
        if expr.op == "shr":
            return write(f"{'l' if is_unsigned(type.dtype) else 'a'}shr {text} {a}, {b}")
        if not isinstance(expr.b, ir.Const) or expr.b.value <= 0:
            raise TypeError(f"{expr.op!r} by something else than a positive constant may trap")
        return write(f"{'u' if is_unsigned(type.dtype) else 's'}{expr.op} {text} {a}, {b}")

    def _extremum(self, op: str, a: str, b: str, type: ValueType, known: bool = False) -> str:
        if not is_float(type.dtype):
            if type.dtype == "bool":
                return self._writer.value(f"{'or' if op == 'max' else 'and'} {value_type(type)} {a}, {b}")
            return self._intrinsic(f"{'u' if is_unsigned(type.dtype) else 's'}{op}", type, a, b)
        write, text, bits = self._writer.value, value_type(type), vector("i1", type.lanes)
        if self._target.family.propagates_nan:
            return self._intrinsic("maximum" if op == "max" else "minimum", type, a, b)

        def better(x: str, y: str) -> str:
            """The maximum or minimum in one x86 instruction; ``y`` if either operand is NaN."""
            bit = write(f"fcmp {'ogt' if op == 'max' else 'olt'} {text} {x}, {y}")
            return write(f"select {bits} {bit}, {text} {x}, {text} {y}")

        if known:
            return better(a, b)
        if self._target.family.flags_nan:
            either = write(f"fcmp uno {text} {a}, {b}")
            return write(
                f"select {bits} {either}, {text} {write(f'fadd {text} {a}, {b}')}, {text} {better(a, b)}"
            )
        # Taken with the operands in both orders, at least one result is a NaN if an operand is, and OR-ing the bits
        # keeps it; otherwise both results are equal. Cheaper than a third comparison, and than llvm.maximum.
        integer = vector(f"i{WIDTHS[type.dtype]}", type.lanes)
        answers = [write(f"bitcast {text} {better(*pair)} to {integer}") for pair in ((a, b), (b, a))]
        both = write(f"or {integer} {answers[0]}, {answers[1]}")
        return write(f"bitcast {integer} {both} to {text}")

    def _cast(self, x: str, source: ValueType, type: ValueType) -> str:
        if source.dtype == type.dtype:
            return x
        write, text, lanes = self._writer.value, value_type(type), type.lanes
        before = f"{value_type(source)} {x}"
        if type.dtype == "bool":
            compare = "fcmp une" if is_float(source.dtype) else "icmp ne"
            return write(f"{compare} {before}, {_zero(source)}")
        if source.dtype == "float16" and not self._target.family.widens_half(
            partial(has_feature, self._target)
        ):
            wide = self._widened(x, lanes)
            return wide if type.dtype == "float32" else self._cast(wide, ValueType("float32", lanes), type)
        if is_float(source.dtype):
            if is_float(type.dtype):
                wider = WIDTHS[type.dtype] > WIDTHS[source.dtype]
                return write(f"{'fpext' if wider else 'fptrunc'} {before} to {text}")
            function = "fptoui" if is_unsigned(type.dtype) else "fptosi"
            name = f"llvm.{function}.sat.{suffix(type)}.{suffix(ValueType(source.dtype, lanes))}"
            return self._writer.call(text, name, (value_type(source), x))
        unsigned = is_unsigned(source.dtype)
        if is_float(type.dtype):
            return write(f"{'uitofp' if unsigned else 'sitofp'} {before} to {text}")
        old = 1 if source.dtype == "bool" else WIDTHS[source.dtype]
        new = WIDTHS[type.dtype]
        if old == new:
            return x
        return write(f"{'trunc' if new < old else 'zext' if unsigned else 'sext'} {before} to {text}")

    def _widened(self, x: str, lanes: int) -> str:
        """float32 of a finite float16, in integers: without an instruction LLVM would call a library."""
        write, whole, float_ = self._writer.value, vector("i32", lanes), vector("float", lanes)

        def number(value: int) -> str:
            return constant(value, ValueType("int32", lanes))

        bits = write(f"bitcast {vector('half', lanes)} {x} to {vector('i16', lanes)}")
        bits = write(f"zext {vector('i16', lanes)} {bits} to {whole}")
        sign = write(f"shl {whole} {write(f'and {whole} {bits}, {number(0x8000)}')}, {number(16)}")
        rest = write(f"shl {whole} {write(f'and {whole} {bits}, {number(0x7FFF)}')}, {number(13)}")
        # The bias of exponents differs by 112. Numbers with exponent 0 have no leading 1, so one is taken off again.
        moved = write(f"add {whole} {rest}, {number(112 << 23)}")
        above = write(f"bitcast {whole} {write(f'add {whole} {moved}, {number(1 << 23)}')} to {float_}")
        least = constant(2.0**-14, ValueType("float32", lanes))
        tiny = write(f"bitcast {float_} {write(f'fsub {float_} {above}, {least}')} to {whole}")
        small = write(f"icmp ult {whole} {rest}, {number(1 << 23)}")
        size = write(f"select {vector('i1', lanes)} {small}, {whole} {tiny}, {whole} {moved}")
        return write(f"bitcast {whole} {write(f'or {whole} {size}, {sign}')} to {float_}")

    def _reduce_lanes(self, expr: ir.ReduceLanes) -> str:
        x, dtype, lanes = self.emit(expr.x), expr.type.dtype, expr.x.type.lanes
        write, element = self._writer.value, scalar_type(dtype)
        if lanes & (lanes - 1):
            raise TypeError(f"{lanes} lanes cannot be halved")
        while lanes > 1:
            whole, half = vector(element, lanes), ValueType(dtype, lanes // 2)
            parts = []
            for start in (0, lanes // 2):
                picked = ", ".join(f"i32 {start + lane}" for lane in range(lanes // 2))
                if lanes == 2:
                    parts.append(write(f"extractelement {whole} {x}, i64 {start}"))
                else:
                    parts.append(
                        write(f"shufflevector {whole} {x}, {whole} poison, <{lanes // 2} x i32> <{picked}>")
                    )
            lanes //= 2
            if expr.op == "add":
                x = write(f"{'f' if is_float(dtype) else ''}add {value_type(half)} {parts[0]}, {parts[1]}")
            else:
                x = self._extremum(expr.op, parts[0], parts[1], half)
        return x


def _slot_load(slot: str, type: ValueType) -> str:
    return f"load {value_type(type)}, ptr {slot}"


def _zero(type: ValueType) -> str:
    return constant(0, type)


def _is_number(expr: Expr) -> bool:
    return isinstance(expr, ir.Const) and expr.value == expr.value
