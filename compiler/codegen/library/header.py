"""A library's C header: the functions that a C programmer calls, and the general form behind them."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from textwrap import fill

from netwright.specs.manifest import ERRORS, LIBRARY_ERRORS, BufferInfo, DimInfo, EntryInfo

from ..csource import shape_text
from .interface import STEP, TRAIN, Array, Function, Interface, Names, c_type

TEMPLATES = Path(__file__).parents[1] / "c" / "library"
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
_ARENA = [
    ("void *arena", ""),
    ("size_t arena_bytes", ""),
    ("int32_t threads", ""),
]


def filled(name: str, values: Mapping[str, str]) -> str:
    """A template with its places filled."""
    parts = re.split(r"@([A-Z_]+)@", (TEMPLATES / name).read_text(encoding="utf-8"))
    return "".join(values[part] if position % 2 else part for position, part in enumerate(parts))


def declared(array: Array, constant: bool) -> str:
    """A parameter: `const float image[]`."""
    size = "" if array.static is None else str(max(array.static, 1))
    return f"{'const ' * constant}{c_type(array.info.dtype)} {array.name}[{size}]"


def parameters(function: Function, interface: Interface) -> list[str]:
    """The parameters of an entry's function, as they are declared."""
    prefix = interface.prefix
    first = [f"const {prefix}_model *model"]
    kept: tuple[str, ...] = ()
    results = [declared(array, False) for array in function.outputs]
    if function.name == STEP:
        first = [f"{prefix}_stream *stream", *first]
        kept = interface.open_dims(interface.streamed)
    elif function.name == TRAIN:
        first, results = [f"{prefix}_training *training"], []
        kept = interface.open_dims(interface.trained)
    inputs = [declared(array, True) for array in function.inputs]
    sizes = [f"int64_t {name}" for name in function.dims if name not in kept]
    return [*first, *inputs, *results, *sizes, *(text for text, _ in _ARENA)]


def header_source(interface: Interface, features: Sequence[str]) -> str:
    """The header. ``features`` are the CPU features that the code requires."""
    manifest, prefix, upper = interface.manifest, interface.prefix, interface.upper
    numbers, names = [], Names()
    for number, buffer in enumerate(manifest.buffers):
        name = names.of(buffer.name.upper(), f"{upper}_BUFFER_")
        numbers.append(
            f"    {name} = {number}, /* {buffer.role} {buffer.dtype} {shape_text(buffer)}{_range_text(buffer)} */"
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
            "FEATURES": _wrapped(", ".join(features) or "nothing, since it runs on all of the family", "   "),
            "SIZES": _sizes(interface),
            "WEIGHTS": _weights(interface),
            "FUNCTIONS": "\n".join(_function(function, interface) for function in interface.functions)
            + _labels(interface),
            "DIMS": ", ".join(map(_bound, manifest.dims)) or "none.",
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
            f"    /* {_wrapped(texts[code] + ' */', '       ', 112)}",
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
            f"{prefix}_prepare(&model, …)" if interface.own else f'{prefix}_open(&model, "{prefix}.weights")'
        )
        lines += ["", f"       {prefix}_model model;", f"       int32_t code = {how};"]
    sizes = ", ".join(first.dims)
    lines += [""] if interface.embedded else []
    if interface.largest_arena(first) is not None:
        lines += [f"       static unsigned char arena[{_macro(interface, first)}];"]
    else:
        lines += [
            f"       size_t bytes = {prefix}_{first.arena_name}({sizes});",
            "       void *arena = malloc(bytes);",
        ]
    arrays = ", ".join(array.name for array in (*first.inputs, *first.outputs))
    values = "".join(f"{size}, " for size in first.dims)
    begin = "int32_t code" if interface.embedded else "code"
    lines += [f"       {begin} = {prefix}_{first.name}({model}, {arrays}, {values}arena, sizeof arena, 1);"]
    if interface.largest_arena(first) is None:
        lines[-1] = lines[-1].replace("sizeof arena", "bytes")
    lines += [f"       if (code) puts({prefix}_error(code));"]
    return "\n".join(lines)


def _macro(interface: Interface, function: Function) -> str:
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
            text += f"#define {_macro(interface, function)} ((size_t){total})\n"
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


def _function(function: Function, interface: Interface) -> str:
    prefix = interface.prefix
    values = {"PREFIX": prefix, "UPPER": interface.upper, "TRAIN": TRAIN}
    lines = [f"/* -- {function.name} {'-' * max(3, 110 - len(function.name))} */\n"]
    name = f"{prefix}_{function.name}"
    if function.name == STEP:
        kept = interface.open_dims(interface.streamed)
        lines.append(
            filled("stream.h", {**values, **sized(kept), "BEGIN": _begin(interface, "stream", [], kept)})
        )
    if function.name == TRAIN:
        kept = interface.open_dims(interface.trained)
        begin = _begin(interface, "training", [f"const {prefix}_model *initial"], kept)
        lines.append(filled("training.h", {**values, **sized(kept), "BEGIN": begin}))
        lines += [
            f"/* {score.name} of the last step's batch, before its update. */\n"
            f"double {symbol}(const {prefix}_training *training);\n"
            for score, symbol in scores(interface)
        ]
    dims = ", ".join(f"int64_t {name}" for name in function.dims) or "void"
    lines.append(
        f"/* The bytes of the arena for a call with these sizes; 0: sizes that can't be. */\n"
        f"size_t {prefix}_{function.arena_name}({dims});\n"
    )
    listed = [
        f"   {array.name} {array.shape}{_range_text(array.info)}{_label_text(array)}"
        for array in (*function.inputs, *(function.outputs if function.name != TRAIN else ()))
    ]
    bounds = [f"   {name} is {_bound(interface.dim(name), named=False)}" for name in function.dims]
    title = f"/* {_TITLES.get(function.name, 'Runs the entry ' + function.name)}. {_WHERE}"
    lines.append("\n".join([title, *listed, *bounds]) + " */")
    lines.append(_wrap_call(f"int32_t {name}(", parameters(function, interface)) + ";\n")
    return "\n".join(lines)


def _labels(interface: Interface) -> str:
    return "".join(
        f"\n/* The name of a class of {name}, from 0 to {len(labels) - 1}, in UTF-8; NULL for other numbers. */\n"
        f"const char *{interface.prefix}_{name}_label(int64_t number);\n"
        for name, labels in interface.labels.items()
    )


_TITLES = {
    "predict": "Computes the outputs from the inputs",
    "loss": "Computes sums for the loss and metrics of a batch, without training",
    STEP: "Takes the next steps of a sequence, and answers",
    TRAIN: "Makes one update from a batch",
}
_WHERE = """Arrays are dense, row-major, and none may be NULL.
   `arena` is memory for the call, of any alignment; nothing in it is kept. `threads` is how many threads share the
   work: 1 is the calling one alone, 0 as many as there are processors. Returns NETWRIGHT_OK or another code."""


def scores(interface: Interface) -> list[tuple[object, str]]:
    """The numbers that a training reports, those that are means, with the functions that tell them."""
    names = Names([f"{TRAIN}", f"{TRAIN}_entry"])
    return [
        (score, names.of(score.name, f"{interface.prefix}_training_"))
        for score in interface.manifest.scores
        if score.formula == "mean"
    ]


def _begin(interface: Interface, kind: str, more: Sequence[str], kept: Sequence[str]) -> str:
    """The declaration of the function that begins a stream or a training."""
    head = f"int32_t {interface.prefix}_{kind}_begin("
    memory = ["void *memory", "size_t bytes", *(f"int64_t {name}" for name in kept)]
    return _wrap_call(head, [f"{interface.prefix}_{kind} **{kind}", *more, *memory]) + ";"


def sized(kept: Sequence[str]) -> dict[str, str]:
    return {
        "SIZES": ", ".join(f"int64_t {name}" for name in kept) or "void",
        "MORE_SIZES": "".join(f", int64_t {name}" for name in kept),
        "FOR": f" for {', '.join(kept)}" if kept else "",
    }


def _label_text(array: Array) -> str:
    return f", {len(array.info.labels)} classes" if array.info.labels else ""


def _wrap_call(head: str, arguments: Sequence[str]) -> str:
    text = head + ", ".join(arguments) + ")"
    if len(text) <= 118:
        return text
    lines = [head]
    for number, argument in enumerate(arguments):
        last = number == len(arguments) - 1
        part = argument + (")" if last else ",")
        if lines[-1] not in (head, " " * (len(head) - 1)) and len(lines[-1]) + len(part) > 117:
            lines.append(" " * (len(head) - 1))
        lines[-1] += part if lines[-1] == head else f" {part}"
    return "\n".join(lines)


def _bound(dim: DimInfo, named: bool = True) -> str:
    text = f"{dim.name} " if named else ""
    text += (
        f"from {dim.min}"
        if dim.max is None
        else f"{dim.min} to {dim.max}"
        if not named
        else f"from {dim.min} to {dim.max}"
    )
    return text + (f", a multiple of {dim.multiple_of}" if dim.multiple_of > 1 else "")


def _range_text(buffer: BufferInfo) -> str:
    texts = []
    for range in buffer.ranges or ():
        unless = f" where {' and '.join(range.unless)} let it count" if range.unless else ""
        texts.append(f"{range.low} to {range.high}{unless}")
    return "".join(f", {text}" for text in dict.fromkeys(texts))


def _entry(upper: str, entry: EntryInfo) -> str:
    lists = [
        _wrapped(f"   {what}: {', '.join(names) or 'nothing'}", "      ")
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


def _wrapped(text: str, indent: str, width: int = 116) -> str:
    return fill(text, width, subsequent_indent=indent, break_on_hyphens=False, break_long_words=False)
