"""Plain scalars by YAML 1.2's core schema: `1e-3` is a number, `on` and `no` are strings, `010` is ten."""

import math
import re

_INTEGER = re.compile(r"[-+]?[0-9]+\Z")
_OCTAL = re.compile(r"0o[0-7]+\Z")
_HEXADECIMAL = re.compile(r"0x[0-9a-fA-F]+\Z")
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?\Z")
_NOT_FINITE = re.compile(r"([-+]?(\.inf|\.Inf|\.INF)|\.nan|\.NaN|\.NAN)\Z")
_WORDS = {
    **dict.fromkeys(("", "~", "null", "Null", "NULL"), None),
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
}
LARGEST_INTEGER = 2**63 - 1
UNCLOSED = re.compile(r"""["'][^\r\n]*?(?=[\]}, \t\r\0]*$)""", re.MULTILINE)
"""A string without an end: as far as its line goes, without the brackets that close there."""


def plain_scalar(text: str) -> str | int | float | bool | None:
    """The value of an unquoted scalar.

    Raises `ValueError` for integers beyond 64 bits and for numbers that are not finite.
    """
    if text in _WORDS:
        return _WORDS[text]
    if not text[0].isascii() or text[0] not in "+-.0123456789":
        return text
    if _INTEGER.match(text):
        return integer(text, 10)
    if _OCTAL.match(text):
        return integer(text[2:], 8)
    if _HEXADECIMAL.match(text):
        return integer(text[2:], 16)
    if _FLOAT.match(text):
        return real(text)
    if _NOT_FINITE.match(text):
        raise ValueError(f"{text} is not a finite number")
    return text


def integer(digits: str, base: int) -> int:
    """An integer of at most 64 bits. Raises `ValueError` for a larger one."""
    # The length first: Python refuses to convert very long digit strings at all.
    value = int(digits, base) if len(digits) <= 80 else LARGEST_INTEGER + 1
    if not -LARGEST_INTEGER - 1 <= value <= LARGEST_INTEGER:
        raise ValueError("the integer does not fit into 64 bits")
    return value


def real(digits: str) -> float:
    """A finite float64. Raises `ValueError` for one that overflows."""
    value = float(digits)
    if not math.isfinite(value):
        raise ValueError("the number does not fit into a 64-bit float")
    return value
