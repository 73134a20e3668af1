"""Loads and stores: addresses, masks, guards and strides."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

from netwright.specs.dims import DimLike, dim, dim_symbols, product, total

from ...loop import ir
from ..text.types import WIDTHS, constant, literal, memory_type, scalar_type, splat, vector
from ..text.writer import Writer
from .indices import Indices


class Memory:
    """The buffers of a function, each with the operand that points to it (None: it is never accessed, only offsets
    are computed), or to the element there whose number is in ``begins``. The first lanes of a vector are stored in up
    to ``most_pieces`` instructions without a mask if their number is known."""

    def __init__(
        self,
        writer: Writer,
        indices: Indices,
        buffers: Iterable[tuple[ir.Buffer, str | None]],
        begins: Mapping[str, int] | None = None,
        most_pieces: int = 1,
    ):
        self._writer = writer
        self._indices = indices
        self._begins = begins or {}
        self._most_pieces = most_pieces
        self._safe: str | None = None
        self._versions: dict[str, int] = {}  # by buffer: how often it may have been written
        self._pointers: dict[str, str] = {}
        self._elements: dict[str, str] = {}  # LLVM types
        self._shapes: dict[str, tuple[DimLike, ...]] = {}
        self._offsets: dict[tuple[str, tuple[DimLike, ...], object], DimLike] = {}
        self._strides: dict[DimLike, DimLike] = {}
        self._steps: dict[tuple[DimLike, ...], list[DimLike]] = {}  # by shape: the strides of its axes
        self._constant: set[str] = set()
        for buffer, pointer in buffers:
            self._elements[buffer.name] = memory_type(buffer.dtype)
            if pointer is not None:
                self._pointers[buffer.name] = pointer
            self._shapes[buffer.name] = buffer.shape
            if buffer.access == "read":
                self._constant.add(buffer.name)

    def address(self, buffer: str, at: tuple[DimLike, ...]) -> str:
        """The address of the element at the indices."""
        offset = self.offset(buffer, at)
        if buffer in self._begins:
            offset = offset - self._begins[buffer]
        return self._indices.pointer(self._pointers[buffer], self._elements[buffer], offset)

    def element(self, buffer: str) -> str:
        """The LLVM type of an element."""
        return self._elements[buffer]

    def offset(
        self, buffer: str, at: tuple[DimLike, ...], shape: tuple[DimLike, ...] | None = None
    ) -> DimLike:
        """The number of elements before the element, or sub-buffer, at leading indices of the buffer seen in
        ``shape``."""
        key = (buffer, at, shape)
        if key not in self._offsets:
            axes = self._shapes[buffer] if shape is None else shape
            if axes not in self._steps:
                self._steps[axes] = [self._stride(product(axes[axis + 1 :])) for axis in range(len(axes))]
            steps = self._steps[axes]
            self._offsets[key] = total(index * step for index, step in zip(at, steps, strict=False))
        return self._offsets[key]

    def _stride(self, stride: DimLike) -> DimLike:
        """Gives a stride of several terms a name, computed once, so that offsets stay small polynomials."""
        if isinstance(stride, int) or len(stride.terms) == 1:
            return stride
        if stride not in self._strides:
            name = f"stride {len(self._strides)}"  # with a space: no dim has such a name
            if not self._indices.define(name, stride):
                return stride
            self._strides[stride] = dim(name)
        return self._strides[stride]

    # -- conditions ----------------------------------------------------------------------------------------

    def all_hold(self, conditions: Iterable[DimLike]) -> str | None:
        """One bit: every condition is ≥ 0. None if that can be proved."""
        total: str | None = None
        for condition in map(self._indices.resolve, conditions):
            low, _ = self._indices.bounds(condition)
            if low is not None and low >= 0:
                continue
            bit = self._once(
                condition, "holds", lambda c=condition: f"icmp sge i64 {self._indices.value(c)}, 0"
            )
            total = bit if total is None else self._writer.value(f"and i1 {total}, {bit}")
        return total

    def _once(self, value: DimLike, what: str, text: Callable[[], str]) -> str:
        return self._indices.once(dim_symbols(value), (what, value), lambda: self._writer.value(text()))

    def _mask(self, lanes: int, width: int, count: DimLike | None, guards: tuple[DimLike, ...]) -> str | None:
        """Which of ``lanes`` elements (of ``width`` bits) are accessed; None: all."""
        indices, writer = self._indices, self._writer
        count = None if count is None else indices.resolve(count)
        if count is not None:
            low, _ = indices.bounds(count - lanes)
            if low is not None and low >= 0:
                count = None
        guards = tuple(indices.resolve(guard) for guard in guards)
        symbols = frozenset().union(
            *(dim_symbols(x) for x in (*guards, *(() if count is None else (count,))))
        )
        if count is None and not guards:
            return None

        def write() -> str:
            holds = self.all_hold(guards)
            if count is None and holds is None:
                return ""
            number = str(lanes) if count is None else indices.value(count)
            if count is not None:
                number = writer.call("i64", "llvm.smax.i64", ("i64", number), ("i64", "0"))
                number = writer.call("i64", "llvm.smin.i64", ("i64", number), ("i64", str(lanes)))
            if holds is not None:
                number = writer.value(f"select i1 {holds}, i64 {number}, i64 0")
            # Compares elements as wide as the data, for which CPUs make and use mask registers.
            bits = max(width, 8) if lanes < 128 else max(width, 16)
            element = f"i{bits}"
            if bits < 64:
                number = writer.value(f"trunc i64 {number} to {element}")
            ramp = f"<{', '.join(f'{element} {lane}' for lane in range(lanes))}>"
            type = vector(element, lanes)
            return writer.value(f"icmp ult {type} {ramp}, {self.broadcast(element, number, lanes)}")

        key = ("mask", lanes, width, count, guards)
        return indices.once(symbols, key, write) or None

    def broadcast(self, element: str, operand: str, lanes: int) -> str:
        """A scalar operand in every lane."""
        if lanes == 1:
            return operand
        type = vector(element, lanes)
        first = self._writer.value(f"insertelement {type} poison, {element} {operand}, i64 0")
        return self._writer.value(
            f"shufflevector {type} {first}, {type} poison, <{lanes} x i32> zeroinitializer"
        )

    # -- access --------------------------------------------------------------------------------------------

    def load(self, load: ir.Load) -> str:
        dtype, lanes = load.type.dtype, load.type.lanes
        element = memory_type(dtype)
        stride = self._indices.resolve(load.stride)
        if lanes == 1:
            conditions = load.guards if load.count is None else (*load.guards, load.count - 1)
            return self._truth(dtype, 1, self._load_scalar(load, element, conditions))
        mask = self._mask(lanes, WIDTHS[dtype], load.count, load.guards)
        if stride != 1:
            return self._truth(dtype, lanes, self._load_strided(load, element, stride, mask))
        address = self.address(load.buffer, load.indices)
        type, align = vector(element, lanes), WIDTHS[dtype] // 8
        if mask is None:
            return self._truth(dtype, lanes, self._read(load, f"load {type}, ptr {address}, align {align}"))
        call = self._writer.called(
            type,
            f"llvm.masked.load.{_suffix(dtype, lanes)}.p0",
            ("ptr", address),
            ("i32", str(align)),
            (f"<{lanes} x i1>", mask),
            (type, self._other(load)),
        )
        return self._truth(dtype, lanes, self._read(load, call))

    def _read(self, load: ir.Load, text: str) -> str:
        """The result of an instruction that reads the buffer; reused if nothing was written to it since."""
        return self._writer.value(text, self._versions.get(load.buffer, 0))

    def changed(self, buffers: Iterable[str]) -> None:
        """Forgets what is known of the contents of these buffers."""
        for name in buffers:
            self._versions[name] = self._versions.get(name, 0) + 1

    def _load_scalar(self, load: ir.Load, element: str, conditions: tuple[DimLike, ...]) -> str:
        address = self.address(load.buffer, load.indices)
        holds = self.all_hold(conditions)
        if holds is None:
            return self._read(load, f"load {element}, ptr {address}, align {WIDTHS[load.type.dtype] // 8}")
        if self._safe is None:
            self._safe = self._writer.slot("i64")
        # Instead of branching: if the guard fails, this reads a slot on the stack, and ignores the result.
        safe = self._writer.value(f"select i1 {holds}, ptr {address}, ptr {self._safe}")
        loaded = self._read(load, f"load {element}, ptr {safe}, align {WIDTHS[load.type.dtype] // 8}")
        return self._writer.value(
            f"select i1 {holds}, {element} {loaded}, {element} {self._other_scalar(load)}"
        )

    def _load_strided(self, load: ir.Load, element: str, stride: DimLike, mask: str | None) -> str:
        writer, lanes, dtype = self._writer, load.type.lanes, load.type.dtype
        type, align = vector(element, lanes), WIDTHS[dtype] // 8
        if mask is None and isinstance(stride, int) and self._is_picked(load.buffer, lanes, stride):
            return self._load_picked(load, type, stride)
        if mask is None:
            total = "poison"
            for lane in range(lanes):
                at = (*load.indices[:-1], load.indices[-1] + stride * lane)
                x = self._read(load, f"load {element}, ptr {self.address(load.buffer, at)}, align {align}")
                total = writer.value(f"insertelement {type} {total}, {element} {x}, i64 {lane}")
            return total
        step = self.broadcast("i64", self._indices.value(stride), lanes)
        ramp = f"<{', '.join(f'i64 {lane}' for lane in range(lanes))}>"
        offsets = writer.value(f"mul <{lanes} x i64> {ramp}, {step}")
        address = self.address(load.buffer, load.indices)
        pointers = writer.value(f"getelementptr {element}, ptr {address}, <{lanes} x i64> {offsets}")
        call = writer.called(
            type,
            f"llvm.masked.gather.{_suffix(dtype, lanes)}.v{lanes}p0",
            (f"<{lanes} x ptr>", pointers),
            ("i32", str(align)),
            (f"<{lanes} x i1>", mask),
            (type, self._other(load)),
        )
        return self._read(load, call)

    def _is_picked(self, buffer: str, lanes: int, stride: int) -> bool:
        """Whether to load whole vectors, with the elements between the lanes, and shuffle. No other thread may be
        writing these."""
        return buffer in self._constant and 1 < stride <= 4 <= lanes

    def _load_picked(self, load: ir.Load, type: str, stride: int) -> str:
        lanes, align, total = load.type.lanes, WIDTHS[load.type.dtype] // 8, ""
        last = stride * (lanes - 1)
        for number in range(stride):
            begin = min(number * lanes, last + 1 - lanes)
            at = (*load.indices[:-1], load.indices[-1] + begin)
            x = self._read(load, f"load {type}, ptr {self.address(load.buffer, at)}, align {align}")
            own = [lane * stride - begin for lane in range(lanes)]
            if not total:
                total, earlier = x, own
                continue
            order = [lane + lanes if 0 <= lane < lanes else i for i, lane in enumerate(own)]
            if number == 1:
                order = [e if 0 <= e < lanes else o for e, o in zip(earlier, order, strict=True)]
            picked = ", ".join(f"i32 {lane}" for lane in order)
            total = self._writer.value(
                f"shufflevector {type} {total}, {type} {x}, <{lanes} x i32> <{picked}>"
            )
        return total

    def _other_scalar(self, load: ir.Load) -> str:
        return (
            str(int(bool(load.other))) if load.type.dtype == "bool" else literal(load.other, load.type.dtype)
        )

    def _other(self, load: ir.Load) -> str:
        if load.type.dtype == "bool":
            return splat("i8", self._other_scalar(load), load.type.lanes)
        return constant(load.other, load.type)

    def _truth(self, dtype: str, lanes: int, loaded: str) -> str:
        if dtype != "bool":
            return loaded
        return self._writer.value(f"icmp ne {vector('i8', lanes)} {loaded}, {splat('i8', '0', lanes)}")

    def prefetch(self, buffer: str, indices: tuple[DimLike, ...]) -> None:
        """A load into the L2 cache (locality 2 of 3) that may be of any address."""
        address = self.address(buffer, indices)
        self._writer.declarations.add("declare void @llvm.prefetch.p0(ptr, i32, i32, i32)")
        self._writer.line(f"call void @llvm.prefetch.p0(ptr {address}, i32 0, i32 2, i32 1)")

    def store(self, store: ir.Store, operand: str) -> None:
        self.changed([store.buffer])
        writer, type = self._writer, store.value.type
        element, align = memory_type(type.dtype), WIDTHS[type.dtype] // 8
        stored = vector(element, type.lanes)
        if type.dtype == "bool":
            operand = writer.value(f"zext {vector('i1', type.lanes)} {operand} to {stored}")
        if type.lanes == 1:
            conditions = store.guards if store.count is None else (*store.guards, store.count - 1)
            holds = self.all_hold(conditions)
            address = self.address(store.buffer, store.indices)
            after = ""
            if holds is not None:
                inside, after = writer.label("store"), writer.label("stored")
                writer.branch_if(holds, inside, after)
                writer.start(inside)
            writer.line(f"store {stored} {operand}, ptr {address}, align {align}")
            if holds is not None:
                writer.branch(after)
                writer.start(after)
            return
        pieces = self._pieces(store)
        if pieces:
            self._store_pieces(store, operand, pieces)
            return
        mask = self._mask(type.lanes, WIDTHS[type.dtype], store.count, store.guards)
        address = self.address(store.buffer, store.indices)
        if mask is None:
            writer.line(f"store {stored} {operand}, ptr {address}, align {align}")
            return
        function = f"llvm.masked.store.{_suffix(type.dtype, type.lanes)}.p0"
        writer.declarations.add(f"declare void @{function}({stored}, ptr, i32, <{type.lanes} x i1>)")
        writer.line(
            f"call void @{function}({stored} {operand}, ptr {address}, i32 {align}, "
            f"<{type.lanes} x i1> {mask})"
        )

    def _pieces(self, store: ir.Store) -> list[int]:
        """The lengths of vectors, powers of two, that the lanes to be stored are cut into; none if a mask is better."""
        lanes, count = store.value.type.lanes, store.count and self._indices.resolve(store.count)
        if not isinstance(count, int) or not 0 < count < lanes or self.all_hold(store.guards) is not None:
            return []
        pieces = [1 << bit for bit in reversed(range(count.bit_length())) if count >> bit & 1]
        return pieces if len(pieces) <= self._most_pieces else []

    def _store_pieces(self, store: ir.Store, operand: str, pieces: Iterable[int]) -> None:
        type, first = store.value.type, 0
        element, align = memory_type(type.dtype), WIDTHS[type.dtype] // 8
        whole = vector(element, type.lanes)
        for lanes in pieces:
            order = ", ".join(f"i32 {lane}" for lane in range(first, first + lanes))
            piece = self._writer.value(
                f"extractelement {whole} {operand}, i64 {first}"
                if lanes == 1
                else f"shufflevector {whole} {operand}, {whole} poison, <{lanes} x i32> <{order}>"
            )
            at = (*store.indices[:-1], store.indices[-1] + first)
            address = self.address(store.buffer, at)
            self._writer.line(f"store {vector(element, lanes)} {piece}, ptr {address}, align {align}")
            first += lanes


def _suffix(dtype: str, lanes: int) -> str:
    """How intrinsics on memory spell a vector: bools are bytes there."""
    letter = "f" if scalar_type(dtype) in ("half", "float", "double") else "i"
    return f"v{lanes}{letter}{WIDTHS[dtype]}"
