"""A library's C header: the functions that a C programmer calls, and the general form behind them."""

from __future__ import annotations

from collections.abc import Sequence

from netwright.specs.manifest import ERRORS, LIBRARY_ERRORS, STEP, TRAIN, EntryInfo

from ..files.csource import shape_text
from .functions import function_text, labels_text
from .interface import Array, Function, Interface, Names, c_type
from .text import bound, filled, range_text, wrap_call, wrapped

#: The enumerators of error codes.
CODES = dict(
    zip(
        [0, *ERRORS, *LIBRARY_ERRORS],
        [
            "OK",
            "INDEX",
            "LENGTH",
            "CPU_LACKS",
            "NULL",
            "SIZE",
            "READ_ONLY",
            "SMALL_MEMORY",
            "TOO_LARGE",
            "CANNOT_READ",
            "NO_WEIGHTS",
            "OTHER_WEIGHTS",
        ],
        strict=True,
    )
)
_LARGEST_INT = 2**31 - 1
_SAME = """The same for the bytes of such a file in memory, aligned to 64, which stay as they are while the model is
   used."""
_ALONE = """The bytes of a file that `netwright compile --emit weights` wrote for this library, aligned to 64, which
   stay as they are while the model is used. Returns NETWRIGHT_OTHER_WEIGHTS if they are for another network."""


def header_source(interface: Interface, features: Sequence[str]) -> str:
    """The header. ``features`` are the CPU features that the code requires."""
    manifest, prefix, upper = interface.manifest, interface.prefix, interface.upper
    numbers, names = [], Names()
    for number, buffer in enumerate(manifest.buffers):
        name = names.of(buffer.name.upper(), f"{upper}_BUFFER_")
        numbers.append(
            f"    {name} = {number}, /* {buffer.role} {buffer.dtype} {shape_text(buffer)}{range_text(buffer)} */"
        )
    dims = [
        f"    {names.of(dim.name.upper(), f'{upper}_DIM_')} = {i}," for i, dim in enumerate(manifest.dims)
    ]
    return filled(
        "header.h",
        {
            "MODEL": manifest.model,
            "PREFIX": prefix,
            "UPPER": upper,
            "VERSION": manifest.netwright,
            "TARGET": manifest.target,
            "USE": _use(interface),
            "CODES": _codes(),
            "FEATURES": wrapped(", ".join(features) or "nothing, since it runs on all of the family", "   "),
            "SIZES": _sizes(interface),
            "WEIGHTS": _weights(interface),
            "FUNCTIONS": "\n".join(function_text(function, interface) for function in interface.functions)
            + labels_text(interface),
            "DIMS": ", ".join(map(bound, manifest.dims)) or "none.",
            "DIM_NUMBERS": "\n".join([*dims, f"    {upper}_DIMS = {len(dims)}"]),
            "BUFFER_NUMBERS": "\n".join([*numbers, f"    {upper}_BUFFERS = {len(numbers)}"]),
            "ENTRIES": "\n".join(_entry(upper, entry) for entry in manifest.entries),
            "POOL": filled("pool.h", {"PREFIX": prefix}) if interface.threads else "",
        },
    )


def _codes() -> str:
    texts = {0: "no error", **ERRORS, **LIBRARY_ERRORS}
    lines = []
    for code, name in CODES.items():
        end = "," if code != max(CODES) else ""
        lines += [
            f"    /* {wrapped(texts[code] + ' */', '       ', 112)}",
            f"    NETWRIGHT_{name} = {code}{end}",
        ]
    return "\n".join(lines)


def _use(interface: Interface) -> str:
    """How a program calls the first entry, in a few lines."""
    first, prefix = interface.functions[0], interface.prefix
    lines = [
        "   All memory is the caller's: no function allocates any, and there are no global variables. So calls with"
    ]
    lines += ["   memory of their own may run at the same time, and weights are shared."]
    if first.name in (STEP, TRAIN):
        return "\n".join(lines)
    if interface.embedded:
        model = f"{prefix}_embedded()"
    else:
        model = "&model"
        how = (
            f"{prefix}_prepare(&model, &weights, memory, size)"
            if interface.own
            else f'{prefix}_open(&model, "{prefix}.weights")'
        )
        lines += ["", f"       {prefix}_model model;", f"       int32_t code = {how};"]
    sizes = ", ".join(first.dims)
    lines += [""] if interface.embedded else []
    if interface.largest_arena(first) is not None:
        lines += [f"       static unsigned char arena[{arena_macro(interface, first)}];"]
    else:
        lines += [
            f"       size_t bytes = {prefix}_{first.arena_name}({sizes});",
            "       void *arena = malloc(bytes);",
        ]
    arrays = [array.name for array in (*first.inputs, *first.outputs)]
    begin = "int32_t code" if interface.embedded else "code"
    room = "bytes" if interface.largest_arena(first) is None else "sizeof arena"
    call = wrap_call(
        f"       {begin} = {prefix}_{first.name}(", [model, *arrays, *first.dims, "arena", room, "1"]
    )
    lines += [f"{call};"]
    lines += [f"       if (code) puts({prefix}_error(code));"]
    return "\n".join(lines)


def arena_macro(interface: Interface, function: Function) -> str:
    return f"{interface.upper}_{function.arena_name.upper()}"


def _sizes(interface: Interface) -> str:
    """Constants: the elements of inputs and outputs, and arenas whose size is known."""
    sizes: dict[str, Array] = {}
    for function in interface.functions:
        for array in (*function.inputs, *(function.outputs if function.name != TRAIN else ())):
            name = f"{interface.upper}_{array.plain.upper()}_SIZE"
            if array.each <= _LARGEST_INT and array.info.shape:
                sizes.setdefault(name, array)
    lines = [f"    {name} = {array.each}, /* {array.shape} */" for name, array in sizes.items()]
    text = ""
    if lines:
        lines[-1] = lines[-1].replace(",", "", 1)
        text = "/* The elements of arrays, without the axes whose sizes are open. */\nenum {\n"
        text += "\n".join(lines) + "\n};\n"
    for function in interface.functions:
        if (largest := interface.largest_arena(function)) is not None:
            words, total = largest
            where = f", for {words}" if words else ""
            text += f"\n/* The bytes of {function.name}'s arena{where}. */\n"
            text += f"#define {arena_macro(interface, function)} ((size_t){total})\n"
    return text


def _weights(interface: Interface) -> str:
    values = {"PREFIX": interface.prefix, "UPPER": interface.upper}
    text = filled("model.h", {**values, "COUNT": str(max(len(interface.manifest.buffers), 1))})
    if interface.embedded:
        text += filled("embedded.h", values)
    if interface.files:
        text += filled("files.h", values) if interface.threads else ""
        text += filled("read.h", {**values, "SAME": _SAME if interface.threads else _ALONE})
    if interface.own:
        fields = [
            f"    const {c_type(info.dtype)} *{name}; /* {info.name} {shape_text(info)} */"
            for number, name in interface.weights
            for info in [interface.buffer(number)]
        ]
        text += filled("own.h", {**values, "FIELDS": "\n".join(fields) or "    const void *none;"})
    return text


def _entry(upper: str, entry: EntryInfo) -> str:
    lists = [
        wrapped(f"   {what}: {', '.join(names) or 'nothing'}", "      ")
        for what, names in (("reads", entry.reads), ("writes", entry.writes))
    ]
    return "\n".join(
        [
            f"/* {entry.name}",
            *lists,
            "*/",
            f"enum {{ {upper}_{entry.name.upper()}_SLOTS = {entry.slots} }};",
            f"int32_t {entry.symbol}(const netwright_context *context, int32_t tid, int32_t nthreads);",
            f"int64_t {entry.plan}(const int64_t *dims, int64_t *offsets);",
        ]
    )
