"""The C file behind a library's header: it lays out the caller's memory and calls the entries' machine code."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import numpy as np

from netwright.specs.dims import parse_dim
from netwright.specs.manifest import ERRORS, LIBRARY_ERRORS, STEP, TRAIN, DimInfo, ScoreInfo

from ..files.csource import c_size, c_string
from ..llvm.entries import entered_symbol
from .functions import parameters, scores, sized
from .header import CODES
from .interface import Function, Interface, c_type
from .text import filled
from .weights import head, layout

#: What mapping a file needs.
_FILES = ["errno.h", "fcntl.h", "sys/mman.h", "sys/stat.h", "unistd.h"]


def library_source(interface: Interface, offsets: Mapping[str, int], blob: str) -> str:
    """The C file. ``offsets`` are the places of contents in the symbol ``blob``."""
    prefix, upper = interface.prefix, interface.upper
    values = {"PREFIX": prefix, "UPPER": upper}
    mapped = interface.files and interface.threads
    includes = [*(_FILES if mapped else []), *(["pthread.h"] if interface.threads else [])]
    text = filled(
        "source.c",
        {
            **values,
            "MODEL": interface.manifest.model,
            "INCLUDES": "\n".join(
                ["#define _GNU_SOURCE"] * mapped
                + [f"#include <{name}>" for name in includes]
                + ['#include "processors.h"'] * interface.threads
            ),
            "ERRORS": "\n".join(
                f"    case NETWRIGHT_{CODES[code]}:\n        return {c_string(text)};"
                for code, text in {**ERRORS, **LIBRARY_ERRORS}.items()
            ),
            "BYTES": "\n".join(_bytes(interface)),
            "ADMITS": " && ".join(_admitted(i, dim) for i, dim in enumerate(interface.manifest.dims)) or "1",
            "DATA": "\n".join(_data(interface, offsets, blob)),
            "POOL": filled("pool.c", values) if interface.threads else "",
            "RUN": f"{prefix}_run(entry, &c->context, threads)"
            if interface.threads
            else "entry(&c->context, 0, 1)",
        },
    )
    if interface.files:
        text += _file_source(interface)
    if mapped:
        text += filled("mapped.c", values)
    if interface.own:
        take = [f"    model->contents[{number}] = weights->{name};" for number, name in interface.weights]
        more = {
            **values,
            "LEAST": _values(interface, ()),
            "TAKE": "\n".join(take),
            "WEIGHTS": _listed(n for n, _ in interface.weights),
        }
        text += filled("own.c", more)
        packing = {**values, "PACKED": _listed(interface.packed).removesuffix(", ")}
        text += filled("prepare.c" if interface.prepare else "no_prepare.c", packing)
    step, train = interface.find(STEP), interface.find(TRAIN)
    if step or train:
        text += filled("kept.c", values)
    if step:
        own = interface.open_dims(interface.streamed)
        text += filled(
            "stream.c",
            {**values, **sized(own), "DIMS": _values(interface, own), "STATES": _listed(interface.streamed)},
        )
    if train:
        text += _training_source(interface, offsets)
    parts = [_arena(function, interface) + _call(function, interface) for function in interface.functions]
    return text + "".join(parts) + _labels(interface)


def _bytes(interface: Interface) -> Iterable[str]:
    positions = {dim.name: number for number, dim in enumerate(interface.manifest.dims)}
    for number, buffer in enumerate(interface.manifest.buffers):
        size = f"INT64_C({np.dtype(buffer.dtype).itemsize})"
        for axis in buffer.shape:
            size = f"nw_mul({size}, {c_size(parse_dim(axis), positions)}, bad)"
        yield f"    case {number}:\n        bytes = {size};\n        break;"


def _admitted(number: int, dim: DimInfo) -> str:
    """The condition under which a dim has an admitted size."""
    conditions = [f"dims[{number}] >= {dim.min}"]
    if dim.max is not None:
        conditions.append(f"dims[{number}] <= {dim.max}")
    if dim.multiple_of > 1:
        conditions.append(f"dims[{number}] % {dim.multiple_of} == 0")
    return " && ".join(conditions)


def _values(interface: Interface, given: Iterable[str]) -> str:
    """The values of all dims: parameters that are given, else the least."""
    named = set(given)
    values = [
        parameter if (parameter := interface.dim_names[dim.name]) in named else str(dim.min)
        for dim in interface.manifest.dims
    ]
    return ", ".join(values) or "0"


def _listed(numbers: Iterable[int]) -> str:
    return "".join(f"{number}, " for number in numbers)


def _data(interface: Interface, offsets: Mapping[str, int], blob: str) -> Iterable[str]:
    """The tables of contents: those of constants and of states, and all that the library has."""
    always = ("constant", "state")
    if offsets:
        yield f"extern const unsigned char {blob}[];"

    def rows(roles: Iterable[str] | None) -> str:
        pointers = [
            f"{blob} + {offsets[info.name]}"
            if info.name in offsets and (roles is None or info.role in roles)
            else "NULL"
            for info in interface.manifest.buffers
        ]
        listed = "".join(f"\n        {pointer}," for pointer in pointers or ["NULL"])
        return f"{{\n    {{{listed}\n    }},\n    NULL,\n    0,\n}};"

    yield f"static const {interface.prefix}_model constants = {rows(always)}"
    yield f"const {interface.prefix}_model {interface.prefix}_data = {rows(None)}"
    if interface.embedded:
        yield (
            f"\nconst {interface.prefix}_model *{interface.prefix}_embedded(void) {{\n"
            f"    return &{interface.prefix}_data;\n}}"
        )


def _file_source(interface: Interface) -> str:
    places, size = layout(interface.manifest)
    numbers = {info.name: number for number, info in enumerate(interface.manifest.buffers)}
    mark = ", ".join(str(byte) for byte in head(interface.identity, size)[:48])
    rows = [f"    {{{numbers[name]}, UINT64_C({offset})}}," for name, offset in places.items()]
    return filled(
        "weights.c",
        {"PREFIX": interface.prefix, "MARK": mark, "PLACES": "\n".join(rows), "PAYLOAD": str(size)},
    )


def _training_source(interface: Interface, offsets: Mapping[str, int]) -> str:
    prefix = interface.prefix
    own = interface.open_dims(interface.trained)
    states = [
        number
        for number in interface.trained
        if interface.buffer(number).role == "state" and interface.buffer(number).name in offsets
    ]
    give = [
        f"    weights->{name} = (const {c_type(interface.buffer(number).dtype)} *)training->all.buffers[{number}];"
        for number, name in interface.weights
    ]
    text = filled(
        "training.c",
        {
            "PREFIX": prefix,
            **sized(own),
            "DIMS": _values(interface, own),
            "TRAINED": _listed(interface.trained),
            "WEIGHTS": _listed(number for number, _ in interface.weights),
            "INITIAL": _listed(states),
            "GIVE": "\n".join(give),
        },
    )
    for score, symbol in scores(interface):
        text += f"\ndouble {symbol}(const {prefix}_training *training) {{\n    return {_mean(interface, score)};\n}}\n"
    return text


def _mean(interface: Interface, score: ScoreInfo) -> str:
    """The formula of a mean, over the sums that a step left."""
    numbers = {info.name: number for number, info in enumerate(interface.manifest.buffers)}

    def value(name: str) -> str:
        number = numbers[name]
        return f"(double)*(const {c_type(interface.buffer(number).dtype)} *)training->all.buffers[{number}]"

    pairs = zip(score.sums[::2], score.sums[1::2], score.weights, strict=True)
    return " + ".join(f"{weight!r} * {value(above)} / {value(below)}" for above, below, weight in pairs)


def _arena(function: Function, interface: Interface) -> str:
    sizes = ", ".join(f"int64_t {name}" for name in function.dims) or "void"
    slots = f"{interface.upper}_{function.name.upper()}_SLOTS"
    return (
        f"\nsize_t {interface.prefix}_{function.arena_name}({sizes}) {{\n"
        f"    const int64_t dims[] = {{{_values(interface, function.dims)}}};\n"
        f"    int64_t offsets[{slots} + 1];\n"
        f"    return call_bytes({function.entry.plan}, {slots}, dims, offsets);\n}}\n"
    )


def _call(function: Function, interface: Interface) -> str:
    """The function that runs an entry."""
    slots = f"{interface.upper}_{function.name.upper()}_SLOTS"
    if (arena := interface.settled_arena(function)) is not None:
        return _direct_call(function, interface, arena)
    lines = [f"\nint32_t {interface.prefix}_{function.name}({', '.join(parameters(function, interface))}) {{"]
    keeper = {STEP: "stream", TRAIN: "training"}.get(function.name)
    kept = {STEP: interface.streamed, TRAIN: interface.trained}.get(function.name, [])
    given = [name for name in function.dims if name not in interface.open_dims(kept)]
    needed = [name for name in (keeper, "model" if function.name != TRAIN else None) if name]
    lines += [f"    if ({' || '.join(f'!{name}' for name in needed)}) return NETWRIGHT_NULL;"]
    lines += [f"    {'' if keeper else 'const '}int64_t dims[] = {{{_values(interface, given)}}};"]
    if keeper:
        positions = {interface.dim_names[dim.name]: i for i, dim in enumerate(interface.manifest.dims)}
        lines += [
            f"    dims[{positions[name]}] = {keeper}->all.dims[{positions[name]}];"
            for name in interface.open_dims(kept)
        ]
    lines += [
        "    call c;",
        f"    int32_t code = begin(&c, {function.entry.plan}, {slots}, dims, arena, arena_bytes);",
        "    if (code) return code;",
    ]
    lines += [f"    weights_of({'model' if function.name != TRAIN else '&constants'}, &c);"]
    if keeper:
        lines += [
            f"    for (int i = 0; i < {interface.upper}_BUFFERS; i++)",
            f"        if ({keeper}->all.buffers[i]) c.buffers[i] = {keeper}->all.buffers[i];",
        ]
    lines += [f"    c.buffers[{array.number}] = any({array.name});" for array in function.inputs]
    if function.name != TRAIN:
        lines += [f"    c.buffers[{array.number}] = {array.name};" for array in function.outputs]
    lines += [f"    return run(&c, {function.entry.symbol}, threads);", "}"]
    return "\n".join(lines) + "\n"


def _direct_call(function: Function, interface: Interface, arena: int) -> str:
    """The function that runs an entry without its guard, and without its plan, whose results it knows.

    A model has all its weights or none, so that it is enough to look for one of them.
    """
    given = (*function.inputs, *function.outputs)
    touched = {*function.entry.reads, *function.entry.writes}
    weights = interface.numbered(("parameter", "statistic", "packed"))
    first = [n for n in weights if interface.buffer(n).name in touched][:1]
    missing = ["!model", *(f"!model->contents[{number}]" for number in first)]
    missing += [f"!{name}" for name in (*(array.name for array in given), "arena")]
    return filled(
        "direct.c",
        {
            "ENTERED": f"{interface.prefix}_{function.name}_entered",
            "SYMBOL": entered_symbol(function.entry.symbol),
            "HEAD": f"int32_t {interface.prefix}_{function.name}({', '.join(parameters(function, interface))})",
            "MISSING": " || ".join(missing),
            "ARENA": str(arena),
            "TYPES": "".join(", const void *" for _ in given),
            "GIVEN": "".join(f", {array.name}" for array in given),
        },
    )


def _labels(interface: Interface) -> str:
    text = ""
    for name, labels in interface.labels.items():
        rows = "\n".join(f"        {c_string(label)}," for label in labels)
        text += (
            f"\nconst char *{interface.prefix}_{name}_label(int64_t number) {{\n"
            f"    static const char *const labels[] = {{\n{rows}\n    }};\n"
            f"    return number >= 0 && number < {len(labels)} ? labels[number] : NULL;\n}}\n"
        )
    return text
