"""What an executable knows about its own calls and results: tables in C for ``--selftest`` and ``--profile``."""

from __future__ import annotations

import math
import zlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from netwright.specs.dims import DimLike, product, substitute
from netwright.specs.manifest import Manifest

from ...loop import ir
from ...loop.checks.calls import statements_of
from ...loop.marks import watched
from .csource import c_dtype, c_size, c_string

#: The most marks of an entry: an unrolled one may have thousands of calls, and each mark takes some 60 bytes.
MOST_MOMENTS = 400


@dataclass(frozen=True, slots=True)
class Probe:
    """A value that is whole in memory at a ``moment`` of the entry, and the sums that its elements should have.

    It is in ``buffer``, of the arena or of the table: ``count`` elements from number ``offset`` on. Moment −1 is when
    the call is over. Differences of
    sums are counted in ``ulp``: one unit in the last place of the largest sum (1 for integers). Rounding alone may
    make ``allowed`` of them.
    """

    moment: int
    buffer: str
    offset: int
    count: int
    dtype: str
    layers: tuple[str, ...]
    sums: tuple[float, ...]
    ulp: float
    allowed: float


@dataclass(frozen=True, slots=True)
class Vectors:
    """The reference's results for generated inputs of the sizes ``dims``, in the order of their moments; a value with
    more elements than ``sums_per_probe`` has that many sums."""

    dims: Mapping[str, int]
    probes: tuple[Probe, ...]
    sums_per_probe: int

    def at_the_end(self, entry: ir.Entry) -> Vectors:
        """What can be compared when a call is over: what is not in the arena."""
        arena = {slot.name for slot in entry.arena}
        kept = (replace(probe, moment=-1) for probe in self.probes if probe.buffer not in arena)
        return replace(self, probes=tuple(kept))


def is_watched(entry: ir.Entry) -> bool:
    """Whether the entry of an executable has marks: not if they are too many."""
    return len(watched(entry).moments) <= MOST_MOMENTS


def call_bytes(program: ir.Program, call: ir.Call) -> DimLike:
    """The bytes of the buffers that a call reads and writes, each once."""
    total: DimLike = 0
    kernel = program.kernels[call.function]
    for buffer in kernel.parameters:
        times = 2 if buffer.access == "readwrite" else 1
        total = total + times * _ITEM[buffer.dtype] * product(buffer.shape)
    return substitute(total, {name: value for (name, _), value in zip(kernel.dims, call.dims, strict=True)})


_ITEM = {"bool": 1, "int8": 1, "uint8": 1, "int16": 2, "uint16": 2, "float16": 2, "int32": 4, "uint32": 4}
_ITEM |= {"float32": 4, "int64": 8, "uint64": 8, "float64": 8}


def shown_operations(call: ir.Call) -> str:
    """The operations that a call runs, each once: `conv, add, max`."""
    return ", ".join(dict.fromkeys(call.info.operations))


def checks_source(
    program: ir.Program,
    manifest: Manifest,
    entry: str,
    contents: Mapping[str, np.ndarray],
    vectors: Vectors | None = None,
    shown: Callable[[str], str] = str,
    watch: bool = True,
) -> str:
    """The C file with these tables. ``contents`` are those of the buffers that the entry reads; ``shown`` maps the path
    of a call's layer to the name to show; ``watch`` says whether the entry has marks."""
    own = program.entries[entry]
    moments = watched(own).moments if watch else ()
    if vectors is not None and not moments:
        vectors = vectors.at_the_end(own)
    positions = {dim.name: number for number, dim in enumerate(manifest.dims)}
    probes = vectors.probes if vectors is not None else ()
    dims = [str(vectors.dims[dim.name]) for dim in manifest.dims] if vectors is not None else []
    sums = [_c_double(x) for probe in probes for x in probe.sums]
    lines = [
        "#include <math.h>",
        "#include <stddef.h>",
        '#include "checks.h"',
        f"static const int64_t dims[] = {{{', '.join(dims) or '0'}}};",
        f"static const double sums[] = {{{', '.join(sums) or '0'}}};",
        "static const nw_probe probes[] = {",
        *_probe_rows(manifest, own, probes),
        '    {-1, 0, 0, 0, {0, 0}, 0, "", 1, 0},\n};',
        "static const nw_call moments[] = {",
        *(_moment_row(call, shown) for call in moments),
        "    {NULL, NULL, NULL, NULL},\n};",
        "static const nw_contents contents[] = {",
        *(_contents_rows(manifest, own, contents, shown) if vectors is not None else ()),
        '    {-1, 0, 0, ""},\n};',
        *_sizes("flops", {i: call.info.flops for i, call in enumerate(moments) if call}, positions),
        *_sizes("bytes", {i: call_bytes(program, call) for i, call in enumerate(moments) if call}, positions),
        "const nw_checks nw_the_checks = {",
        f"    {len(probes)}, {vectors.sums_per_probe if vectors is not None else 1}, {len(moments)}, "
        f"{len(contents) if vectors is not None else 0},",
        "    dims, probes, sums, moments, contents, flops, bytes};",
    ]
    return "\n".join(lines) + "\n"


def _probe_rows(manifest: Manifest, entry: ir.Entry, probes: Sequence[Probe]) -> list[str]:
    slots = {slot.name: number for number, slot in enumerate(entry.arena)}
    table = {buffer.name: number for number, buffer in enumerate(manifest.buffers)}
    rows: list[str] = []
    first = 0
    for probe in probes:
        buffer = -1 - slots[probe.buffer] if probe.buffer in slots else table[probe.buffer]
        rows.append(
            f"    {{{probe.moment}, {buffer}, {probe.offset}, {probe.count}, {c_dtype(probe.dtype)}, {first}, "
            f"{c_string(', '.join(probe.layers))}, {_c_double(probe.ulp)}, {_c_double(probe.allowed)}}},"
        )
        first += len(probe.sums)
    return rows


def _contents_rows(
    manifest: Manifest, entry: ir.Entry, contents: Mapping[str, np.ndarray], shown: Callable[[str], str]
) -> list[str]:
    numbers = {buffer.name: number for number, buffer in enumerate(manifest.buffers)}
    readers: dict[str, str] = {}
    calls = (call for call in statements_of(entry.function.body) if isinstance(call, ir.Call))
    for call in calls:
        for part in call.buffers:
            readers.setdefault(part.buffer, _layers(call, shown))
    return [
        f"    {{{numbers[name]}, UINT32_C({zlib.crc32(array.tobytes())}), {array.nbytes}, "
        f"{c_string(readers.get(name, ''))}}},"
        for name, array in contents.items()
    ]


def _layers(call: ir.Call, shown: Callable[[str], str]) -> str:
    return ", ".join(dict.fromkeys(map(shown, call.info.layers)))


def _moment_row(call: ir.Call | None, shown: Callable[[str], str]) -> str:
    if call is None:
        return "    {NULL, NULL, NULL, NULL},"
    texts = (call.function, _layers(call, shown), shown_operations(call), call.info.tiles)
    return f"    {{{', '.join(map(c_string, texts))}}},"


def _sizes(name: str, sizes: Mapping[int, DimLike], positions: Mapping[str, int]) -> list[str]:
    """A function that returns the size of each number; calls of the same size share a line."""
    numbers: dict[str, list[int]] = {}
    for number, size in sizes.items():
        numbers.setdefault(c_size(size, positions), []).append(number)
    lines = [
        f"static int64_t {name}(int32_t moment, const int64_t *d, int *bad) {{",
        "    (void)d, (void)bad;",
    ]
    lines.append("    switch (moment) {")
    for text, cases in numbers.items():
        lines.append("    " + " ".join(f"case {number}:" for number in cases) + f" return {text};")
    return [*lines, "    default: return 0;", "    }", "}"]


def _c_double(value: float) -> str:
    if math.isnan(value):
        return "NAN"
    if math.isinf(value):
        return "INFINITY" if value > 0 else "-INFINITY"
    return repr(float(value))
