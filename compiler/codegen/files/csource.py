"""C code generated from a manifest: the tables for an executable's driver."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Mapping
from dataclasses import dataclass

from netwright.specs.diagnostics.visible import visible
from netwright.specs.dims import Atom, DimLike, parse_dim
from netwright.specs.manifest import ERRORS, BufferInfo, EntryInfo, Manifest

from ..llvm.features import Features


@dataclass(frozen=True)
class StreamTable:
    """How an entry takes steps: groups of ``group``, along the ``axis`` of the only ``input``, whose size in a call is
    the dim ``chunk``. ``outputs`` have an axis (None: the answer so far), frames per group, and how many of the first
    are no part of the sequence.
    """

    input: str
    axis: int
    chunk: str
    group: int
    outputs: Mapping[str, tuple[int | None, int, int]]


#: What ends a string.
NUL = "\0"
#: The C types of floats.
FLOATS = {"float32": "float", "float64": "double"}
_KINDS = {"bool": "b", "int": "i", "uint": "u", "float": "f"}


def c_string(text: str) -> str:
    """The text as a C string literal in UTF-8."""
    plain = b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789 _-+*/=.,:;()[]{}<>'"
    return '"' + "".join(chr(b) if b in plain else f"\\{b:03o}" for b in text.encode()) + '"'


def c_dtype(dtype: str) -> str:
    """The driver's ``nw_dtype`` for a dtype."""
    name = dtype.rstrip("0123456789")
    size = int(dtype[len(name) :]) // 8 if dtype != "bool" else 1
    return f"{{'{_KINDS[name]}', {size}}}"


def c_size(value: DimLike, positions: Mapping[str, int]) -> str:
    """A C expression for a size over the array ``d``, which sets ``bad`` on overflow."""
    if isinstance(value, int):
        return f"INT64_C({value})"
    total = ""
    for monomial, factor in value.terms:
        term = f"INT64_C({factor})"
        for number, atom in enumerate(monomial):
            text = _c_atom(atom, positions)
            term = text if number == 0 and factor == 1 else f"nw_mul({term}, {text}, bad)"
        total = f"nw_add({total}, {term}, bad)" if total else term
    return total


def _c_atom(atom: Atom, positions: Mapping[str, int]) -> str:
    if isinstance(atom, str):
        return f"d[{positions[atom]}]"
    arguments = [c_size(argument, positions) for argument in atom.arguments]
    if atom.function == "floordiv":
        return f"nw_floordiv({arguments[0]}, {arguments[1]})"
    total = arguments[0]
    for argument in arguments[1:]:
        total = f"nw_{atom.function}({total}, {argument})"
    return total


def uses(manifest: Manifest, entry: EntryInfo, embedded: Collection[str]) -> dict[str, str]:
    """How the driver treats each buffer; ``embedded``: the buffers whose contents are available.

    Raises ValueError for a buffer that the entry reads and nothing provides.
    """
    used: dict[str, str] = {}
    for buffer in manifest.buffers:
        reads, writes = buffer.name in entry.reads, buffer.name in entry.writes
        if buffer.role == "input" and reads:
            used[buffer.name] = "NW_INPUT"
        elif buffer.role == "output" and writes:
            used[buffer.name] = "NW_OUTPUT"
        elif buffer.role == "state" and (reads or writes):
            used[buffer.name] = "NW_STATE"
        elif reads or writes:
            if buffer.name not in embedded:
                raise ValueError(f"{entry.name} needs the contents of {buffer.role} {buffer.name!r}")
            used[buffer.name] = "NW_DATA"
        else:
            used[buffer.name] = "NW_OTHER"
    return used


def model_source(
    manifest: Manifest,
    entry: EntryInfo,
    embedded: Mapping[str, int],
    blob: str,
    features: Features,
    sample_rates: Mapping[str, int] | None = None,
    threads: bool = True,
    *,
    made: Mapping[str, str] | None = None,
    name: str | None = None,
    version: int | None = None,
) -> str:
    """The C file with the driver's tables. ``embedded`` maps buffers to offsets in the symbol ``blob``; ``features``
    are those that the code requires of a CPU, ``sample_rates`` the samples per second of inputs of sound, ``threads``
    says whether the object has a thread pool, ``made`` has the C names of arrays that the program computes at its
    start. ``name`` is what the program calls itself (default: the model). ``version`` is the place of this one among
    several, which `versions_source` lists.
    """
    positions = {dim.name: number for number, dim in enumerate(manifest.dims)}
    places = {name: f"{blob} + {offset}" for name, offset in embedded.items()}
    dtypes = {buffer.name: buffer.dtype for buffer in manifest.buffers}
    places |= {name: f"(const unsigned char *){array}" for name, array in (made or {}).items()}
    used = uses(manifest, entry, places)
    _check_bound(manifest, used)
    ranges, highs, whole = _ranges(manifest, used, positions)
    rates = sample_rates or {}
    tables: list[str] = []
    rows: list[str] = []
    sizes: list[str] = []
    for number, buffer in enumerate(manifest.buffers):
        use = used[buffer.name]
        shape = [parse_dim(size) for size in buffer.shape]
        if use in ("NW_INPUT", "NW_OUTPUT", "NW_STATE"):
            tables.append(_axes(number, buffer, positions))
            sizes += [
                f"    if (buffer == {number} && axis == {axis}) return {c_size(size, positions)};"
                for axis, size in enumerate(shape)
            ]
        labels = buffer.labels if use == "NW_OUTPUT" and buffer.labels else []
        if labels:
            texts = ", ".join(c_string(visible(label)) for label in labels)
            tables.append(f"static const char *const labels_{number}[] = {{{texts}}};")
        rows.append(
            f"    {{{c_string(buffer.name)}, {use}, {c_dtype(buffer.dtype)}, {len(shape)}, "
            f"{f'axes_{number}' if use in ('NW_INPUT', 'NW_OUTPUT', 'NW_STATE') else 'NULL'}, "
            f"{c_string(shape_text(buffer))}, "
            f"{places[buffer.name] if use == 'NW_DATA' else 'NULL'}, "
            f"{len(labels)}, {f'labels_{number}' if labels else 'NULL'}, "
            f"{whole.get(number, -1)}, {rates.get(buffer.name, 0)}}},"
        )
    numbers = {buffer.name: number for number, buffer in enumerate(manifest.buffers)}
    dims = [
        f"    {{{c_string(dim.name)}, {dim.min}, {-1 if dim.max is None else dim.max}, {dim.multiple_of}, "
        f"{-1 if dim.longest_of is None else numbers[dim.longest_of]}}},"
        for dim in manifest.dims
    ]
    lines = [
        "#include <stddef.h>",
        '#include "model.h"',
        f"extern int32_t {entry.symbol}(const netwright_context *, int32_t, int32_t);",
        f"extern int64_t {entry.plan}(const int64_t *, int64_t *);",
        *_pool(manifest.prefix, threads),
        f"extern const char {manifest.prefix}_manifest[];",
        f"extern int64_t {manifest.prefix}_missing(void);",
        f"static const char features[] = {' '.join(c_string(name + NUL) for name in features.names) or c_string('')};",
        f"extern const unsigned char {blob}[];",
        *(f"extern {FLOATS[dtypes[buffer]]} {array}[];" for buffer, array in (made or {}).items()),
        *tables,
        "static const nw_dim dims[] = {",
        *dims,
        '    {"", 0, 0, 1, -1},\n};',
        "static const nw_buffer buffers[] = {",
        *rows,
        "};",
        "static int64_t size(int32_t buffer, int32_t axis, const int64_t *d, int *bad) {",
        "    (void)d;",
        *sizes,
        "    *bad = 1;\n    return 0;\n}",
        "static const nw_range ranges[] = {",
        *ranges,
        '    {-1, -1, 0, ""},\n};',
        "static int64_t high(int32_t range, const int64_t *d, int *bad) {",
        "    (void)range, (void)d;",
        *highs,
        "    *bad = 1;\n    return 0;\n}",
        "static const char *error(int32_t code) {",
        *(f"    if (code == {code}) return {c_string(text)};" for code, text in ERRORS.items()),
        '    return "an unknown error";\n}',
        f"const nw_model nw_version_{version or 0} = {{",
        f"    {c_string(name or manifest.model)}, {manifest.prefix}_manifest, {len(manifest.dims)}, "
        f"{len(manifest.buffers)}, {entry.slots}, {len(ranges)},",
        f"    dims, buffers, ranges, size, high, {entry.symbol}, {manifest.prefix}_pool_run,",
        f"    {manifest.prefix}_pool_pin, {entry.plan}, error, features, {manifest.prefix}_missing,",
        f"    {features.always}}};",
    ]
    return "\n".join(lines) + "\n" + (versions_source(1) if version is None else "")


def versions_source(count: int) -> str:
    """The C text that lists so many versions of a program, the best first."""
    listed = ", ".join(f"&nw_version_{number}" for number in range(count))
    lines = [
        '#include "model.h"',
        *(f"extern const nw_model nw_version_{number};" for number in range(count)),
        f"const nw_model *const nw_versions[] = {{{listed}, 0}};",
        "const nw_model *nw_chosen = &nw_version_0;",
    ]
    return "\n".join(lines) + "\n"


def _pool(model: str, threads: bool) -> list[str]:
    """The functions of the thread pool: those of the object, or ones that use this thread alone."""
    run = f"int32_t {model}_pool_run(int32_t (*entry)(const netwright_context *, int32_t, int32_t),"
    rest = "    const netwright_context *context, int32_t nthreads, int32_t patience)"
    pin = f"int32_t {model}_pool_pin(const int32_t *processors, int32_t count)"
    if threads:
        return [f"extern {run}", f"{rest};", f"extern {pin};"]
    return [
        f"static {run}",
        f"{rest} {{ return (void)nthreads, (void)patience, entry(context, 0, 1); }}",
        f"static {pin} {{ return (void)processors, (void)count, 1; }}",
    ]


def stream_source(manifest: Manifest, stream: StreamTable) -> str:
    """The C file that describes how an entry takes steps."""
    numbers = {buffer.name: number for number, buffer in enumerate(manifest.buffers)}
    chunk = next(number for number, dim in enumerate(manifest.dims) if dim.name == stream.chunk)
    identity = hashlib.sha256(manifest.model_dump_json().encode()).hexdigest()[:16]
    rows = [
        f"    {{{numbers[name]}, {-1 if axis is None else axis}, {rate}, {delay}}},"
        for name, (axis, rate, delay) in stream.outputs.items()
    ]
    lines = [
        "#include <stddef.h>",
        '#include "stream.h"',
        "static const nw_answers outputs[] = {",
        *rows,
        "};",
        "const nw_stream nw_the_stream = {",
        f"    {numbers[stream.input]}, {stream.axis}, {chunk}, {stream.group}, {len(rows)}, outputs,",
        f"    UINT64_C(0x{identity})}};",
    ]
    return "\n".join(lines) + "\n"


def _ranges(
    manifest: Manifest, used: Mapping[str, str], positions: Mapping[str, int]
) -> tuple[list[str], list[str], dict[int, int]]:
    """The rows of the table of ranges, the statements that return the largest allowed number of each, and the position
    of the range of each buffer that holds lengths.
    """
    numbers = {buffer.name: number for number, buffer in enumerate(manifest.buffers)}
    shapes = {buffer.name: buffer.shape for buffer in manifest.buffers}
    rows: list[str] = []
    highs: list[str] = []
    whole: dict[int, int] = {}
    for number, buffer in enumerate(manifest.buffers):
        for range in buffer.ranges or () if used[buffer.name] == "NW_INPUT" else ():
            exempt = [name for name in range.unless if used.get(name) == "NW_INPUT"]
            if exempt != range.unless or len(exempt) > 1 or any(len(shapes[name]) != 1 for name in exempt):
                continue  # a mask, or several inputs: only the error's text is printed
            lengths = numbers[exempt[0]] if exempt else -1
            if range.what == "length" and (buffer.dtype, len(buffer.shape)) == ("int64", 1):
                whole.setdefault(number, len(rows))
            highs.append(f"    if (range == {len(rows)}) return {c_size(parse_dim(range.high), positions)};")
            rows.append(f"    {{{number}, {lengths}, {range.low}, {c_string(range.what)}}},")
    return rows, highs, whole


def shape_text(buffer: BufferInfo) -> str:
    return f"[{', '.join(buffer.shape)}]"


def _axes(number: int, buffer: BufferInfo, positions: Mapping[str, int]) -> str:
    axes = ", ".join(f"{{{positions.get(size, -1)}, {c_string(size)}}}" for size in buffer.shape)
    return f"static const nw_axis axes_{number}[] = {{{axes or '{-1, NULL}'}}};"


def _check_bound(manifest: Manifest, used: Mapping[str, str]) -> None:
    """Raises ValueError unless every dim of a shape is an axis of some input, which determines its value."""
    shapes: dict[str, list[str]] = {"NW_INPUT": [], "NW_OUTPUT": [], "NW_STATE": []}
    for buffer in manifest.buffers:
        if used[buffer.name] in shapes:
            shapes[used[buffer.name]] += buffer.shape
    needed: set[str] = set()
    for size in (size for group in shapes.values() for size in group):
        value = parse_dim(size)
        needed |= frozenset() if isinstance(value, int) else value.symbols
    missing = sorted(needed - set(shapes["NW_INPUT"]))
    if missing:
        raise ValueError(f"no input has an axis that is {' or '.join(missing)} alone, so it stays unknown")
