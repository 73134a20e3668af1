"""A library's C header, which says who calls what and when, and the C file next to its object code."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from textwrap import fill

import numpy as np

from netwright.specs.dims import parse_dim
from netwright.specs.manifest import ERRORS, BufferInfo, DimInfo, EntryInfo, Manifest

from .csource import c_size, c_string, shape_text

_TEMPLATE = Path(__file__).parent / "c" / "library_template.h"
_PREPARE = """
   3. prepare packs weights into the form in which predict reads them. Call it before the first predict, and again when
      weights have changed (train_step changes them), unless everything that predict reads is embedded."""
_EMBEDDED = """
      This library has the contents of some buffers: {MODEL}_embedded(buffers) sets their pointers. They are constants.
      For each of these that an entry writes (prepare its packed weights, train_step its parameters), pass a copy of
      your own, {MODEL}_bytes long; otherwise the entry changes nothing and returns error 19."""
_NONE = """
      This library has no contents: read the weights from the safetensors file, by their names."""
_DATA = """
/* The contents of buffers, by number; NULL for those without. They are constants and must not be written. */
extern const void *const @MODEL@_data[];

/* Sets the pointers of the buffers whose contents the library has, and leaves the others. */
static inline void @MODEL@_embedded(void *buffers[@PREFIX@_BUFFERS]) {
    for (int i = 0; i < @PREFIX@_BUFFERS; i++) {
        union {
            const void *in;
            void *out;
        } data; /* one table has the pointers of buffers that are read and of those that are written */
        data.in = @MODEL@_data[i];
        if (data.in) buffers[i] = data.out;
    }
}
"""


_POOL = """
      {MODEL}_run does that with the library's own threads."""
_THREADS = """
/* Runs an entry on the calling thread and on the library's workers, nthreads in all (0: as many as there are
   processors), but no more than its work pays for; the results are the same on any number. Workers are created when
   they are first called, and shared by all calls of this library: a call that begins while another uses them runs on
   one thread. A forked child creates its own. The context's barrier only has to be zeroed before the first call. */
int32_t @MODEL@_run(int32_t (*entry)(const netwright_context *, int32_t, int32_t), const netwright_context *context,
                    int32_t nthreads);

/* Ends the workers; the next call that needs them creates new ones. Returns 1, doing nothing, if a call uses them. */
int32_t @MODEL@_stop(void);
"""


def header_source(
    manifest: Manifest, contents: Collection[str], features: Sequence[str], threads: bool = True
) -> str:
    """A library's C header. ``contents`` are the buffers whose contents it holds, ``features`` the CPU features that
    its code requires, ``threads`` says whether it has a thread pool."""
    prefix = manifest.model.upper()
    taken: set[str] = set()
    prepared = any(entry.name == "prepare" for entry in manifest.entries)
    bound = ", ".join(
        f"{dim.name} from {dim.min}"
        + (f" to {dim.max}" if dim.max is not None else "")
        + (f", a multiple of {dim.multiple_of}" if dim.multiple_of > 1 else "")
        for dim in manifest.dims
    )
    dims = [
        f"    {_constant(prefix, 'DIM', dim.name, taken)} = {number},"
        for number, dim in enumerate(manifest.dims)
    ]
    buffers = [
        f"    {_constant(prefix, 'BUFFER', buffer.name, taken)} = {number}, "
        f"/* {buffer.role} {buffer.dtype} {shape_text(buffer)}{_range_text(buffer)} */"
        for number, buffer in enumerate(manifest.buffers)
    ]
    values = {
        "MODEL": manifest.model,
        "GUARD": manifest.model,
        "VERSION": manifest.netwright,
        "TARGET": manifest.target,
        "PREFIX": prefix,
        "DIMS": bound or "none.",
        "ADMITS": " && ".join(_admitted(number, dim) for number, dim in enumerate(manifest.dims)) or "1",
        "DIM_NUMBERS": "\n".join([*dims, f"    {prefix}_DIMS = {len(dims)}"]),
        "BUFFER_NUMBERS": "\n".join([*buffers, f"    {prefix}_BUFFERS = {len(buffers)}"]),
        "ENTRIES": "\n".join(_declaration(prefix, entry) for entry in manifest.entries),
        "ERRORS": "\n".join(
            f"    case {code}:\n        return {c_string(text)};" for code, text in ERRORS.items()
        ),
        "FEATURES": _list_features(features),
        "EMBEDDED": _EMBEDDED.format(MODEL=manifest.model, PREFIX=prefix) if contents else _NONE,
        "DATA": _DATA.replace("@MODEL@", manifest.model).replace("@PREFIX@", prefix) if contents else "",
        "THREADS": _THREADS.replace("@MODEL@", manifest.model) if threads else "",
        "POOL": _POOL.format(MODEL=manifest.model) if threads else "",
        "PREPARE": _PREPARE if prepared else "",
        "LAST": "4" if prepared else "3",
    }
    text = _TEMPLATE.read_text(encoding="utf-8")
    parts = re.split(r"@([A-Z_]+)@", text)
    return "".join(values[part] if position % 2 else part for position, part in enumerate(parts))


def _admitted(number: int, dim: DimInfo) -> str:
    """The condition under which a dim has an admitted size."""
    conditions = [f"dims[{number}] >= {dim.min}"]
    if dim.max is not None:
        conditions.append(f"dims[{number}] <= {dim.max}")
    if dim.multiple_of > 1:
        conditions.append(f"dims[{number}] % {dim.multiple_of} == 0")
    return " && ".join(conditions)


def _list_features(features: Sequence[str]) -> str:
    listed = ", ".join(f"{number} {name}" for number, name in enumerate(features)) or "nothing"
    return _wrapped(listed, "   ")


def _wrapped(text: str, indent: str) -> str:
    return fill(text, 116, subsequent_indent=indent, break_on_hyphens=False, break_long_words=False)


_POOL_CODE = """
#include <pthread.h>
#include "processors.h"
typedef int32_t entry_function(const netwright_context *, int32_t, int32_t);
int32_t @MODEL@_pool_run(entry_function *, const netwright_context *, int32_t, int32_t);
int32_t @MODEL@_pool_stop(void);
void @MODEL@_pool_forked(void);

int32_t @MODEL@_run(entry_function *entry, const netwright_context *context, int32_t nthreads) {
    int32_t count = nthreads > 0 ? nthreads : nw_processors();
    return @MODEL@_pool_run(entry, context, count, nw_patience(count));
}

int32_t @MODEL@_stop(void) { return @MODEL@_pool_stop(); }

__attribute__((constructor)) static void begin(void) { pthread_atfork(NULL, NULL, @MODEL@_pool_forked); }

/* The library may be unloaded: no worker may be left in its code. */
__attribute__((destructor)) static void end(void) { @MODEL@_pool_stop(); }
"""


def library_source(manifest: Manifest, offsets: Mapping[str, int], blob: str, threads: bool = True) -> str:
    """The C file of a library: sizes, the table of contents and the thread pool, if any. It includes the header, so
    that this is known to compile."""
    positions = {dim.name: number for number, dim in enumerate(manifest.dims)}
    lines = ["#include <stddef.h>", '#include "library.h"', '#include "sizes.h"']
    lines += [
        f"int64_t {manifest.model}_bytes(int32_t buffer, const int64_t *d) {{",
        "    int overflow = 0, *bad = &overflow;",
        "    int64_t bytes = -1;",
        "    (void)d;",
        "    switch (buffer) {",
    ]
    for number, buffer in enumerate(manifest.buffers):
        size = f"INT64_C({np.dtype(buffer.dtype).itemsize})"
        for axis in buffer.shape:
            size = f"nw_mul({size}, {c_size(parse_dim(axis), positions)}, bad)"
        lines += [f"    case {number}:", f"        bytes = {size};", "        break;"]
    lines += ["    }", "    return *bad || bytes < 0 ? -1 : bytes;", "}"]
    if threads:
        lines.append(_POOL_CODE.replace("@MODEL@", manifest.model))
    if offsets:
        rows = [
            f"    {blob} + {offsets[buffer.name]}," if buffer.name in offsets else "    NULL,"
            for buffer in manifest.buffers
        ]
        lines += [
            f"extern const unsigned char {blob}[];",
            f"const void *const {manifest.model}_data[] = {{",
            *rows,
            "};",
        ]
    return "\n".join(lines) + "\n"


def _range_text(buffer: BufferInfo) -> str:
    texts = []
    for range in buffer.ranges or ():
        unless = f" where {' and '.join(range.unless)} let it count" if range.unless else ""
        texts.append(f"{range.low} to {range.high}{unless}")
    return "".join(f", {text}" for text in dict.fromkeys(texts))


def _constant(prefix: str, kind: str, name: str, taken: set[str]) -> str:
    """The enumerator for a dim or buffer: dots become underscores, and a name that is taken gets a number."""
    stem = f"{prefix}_{kind}_{name.replace('.', '_')}"
    chosen, number = stem, 2
    while chosen in taken:
        chosen, number = f"{stem}_{number}", number + 1
    taken.add(chosen)
    return chosen


def _declaration(prefix: str, entry: EntryInfo) -> str:
    lists: Sequence[str] = [
        _wrapped(f"   {what}: {', '.join(names) or 'nothing'}", "      ")
        for what, names in (("reads", entry.reads), ("writes", entry.writes))
    ]
    return "\n".join(
        [
            f"/* {entry.name}",
            *lists,
            "*/",
            f"enum {{ {prefix}_{entry.name}_SLOTS = {entry.slots} }};",
            f"int32_t {entry.symbol}(const netwright_context *context, int32_t tid, int32_t nthreads);",
            f"int64_t {entry.symbol}_plan(const int64_t *dims, int64_t *offsets);",
        ]
    )
