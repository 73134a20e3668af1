"""The LLVM text of shares and pool for ThreadSanitizer: every access told to its library, as its pass would write it.

gcc brings the library, and no compiler for LLVM text; the compiler here has no such pass.
"""

from __future__ import annotations

import re

_ORDERS = {"monotonic": 0, "acquire": 2, "release": 3, "acq_rel": 4, "seq_cst": 5}
_OPERATIONS = {"add": "add", "sub": "sub", "and": "and", "umax": "or"}  # or: of equal codes, what max is
_TYPE = r"(i32|i64|ptr)"
_PLACE = r"ptr ((?:%|@)[\w.]+)"


def sanitized(text: str) -> str:
    """``text`` with its atomic operations made by ThreadSanitizer, and its other accesses reported to it."""
    declared: set[str] = set()
    lines = [part for line in text.splitlines() for part in _line(line, declared)]
    return "\n".join([*lines, *sorted(declared), ""])


def _line(line: str, declared: set[str]) -> list[str]:
    def call(result: str, name: str, types: str, arguments: str) -> str:
        declared.add(f"declare {result} @{name}({types})")
        return f"call {result} @{name}({arguments})"

    if found := re.match(rf"  (%[\w.]+) = load atomic {_TYPE}, {_PLACE} (\w+)", line):
        name, type, place, order = found.groups()
        bits = type[1:]
        arguments = f"ptr {place}, i32 {_ORDERS[order]}"
        return [f"  {name} = " + call(type, f"__tsan_atomic{bits}_load", "ptr, i32", arguments)]
    if found := re.match(rf"  store atomic {_TYPE} (\S+), {_PLACE} (\w+)", line):
        type, value, place, order = found.groups()
        arguments = f"ptr {place}, {type} {value}, i32 {_ORDERS[order]}"
        return ["  " + call("void", f"__tsan_atomic{type[1:]}_store", f"ptr, {type}, i32", arguments)]
    if found := re.match(rf"  (%[\w.]+) = atomicrmw (\w+) {_PLACE}, {_TYPE} (\S+) (\w+)", line):
        name, operation, place, type, value, order = found.groups()
        function = f"__tsan_atomic{type[1:]}_fetch_{_OPERATIONS[operation]}"
        arguments = f"ptr {place}, {type} {value}, i32 {_ORDERS[order]}"
        return [f"  {name} = " + call(type, function, f"ptr, {type}, i32", arguments)]
    if found := re.match(rf"  (%[\w.]+) = cmpxchg {_PLACE}, {_TYPE} (\S+), {_TYPE} (\S+) (\w+) (\w+)", line):
        name, place, type, old, _, new, order, failure = found.groups()
        function = f"__tsan_atomic{type[1:]}_compare_exchange_val"
        arguments = f"ptr {place}, {type} {old}, {type} {new}, i32 {_ORDERS[order]}, i32 {_ORDERS[failure]}"
        return [
            f"  {name}.was = " + call(type, function, f"ptr, {type}, {type}, i32, i32", arguments),
            f"  {name}.same = icmp eq {type} {name}.was, {old}",
            f"  {name}.half = insertvalue {{ {type}, i1 }} undef, {type} {name}.was, 0",
            f"  {name} = insertvalue {{ {type}, i1 }} {name}.half, i1 {name}.same, 1",
        ]
    if found := re.match(rf"  %[\w.]+ = load {_TYPE}, {_PLACE}", line):
        return ["  " + call("void", f"__tsan_read{_size(found[1])}", "ptr", f"ptr {found[2]}"), line]
    if found := re.match(rf"  store {_TYPE} \S+, {_PLACE}", line):
        return ["  " + call("void", f"__tsan_write{_size(found[1])}", "ptr", f"ptr {found[2]}"), line]
    if re.search(r"\b(atomic|atomicrmw|cmpxchg)\b", line) and not line.startswith(";"):
        raise ValueError(f"an access that is not understood: {line}")
    return [line]


def _size(type: str) -> int:
    return 4 if type == "i32" else 8
