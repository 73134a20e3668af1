"""YAML to a source tree, from PyYAML's event stream.

PyYAML's constructors lose positions and follow YAML 1.1, and they crash on deep nesting; so only its scanner and parser
are used, and nodes are built here, without recursion. There are two parsers, one in Python and one in C (libyaml), five
times as fast, that differ in some corners and in what they say. The one in Python counts; the other reads texts that
have none of those corners and nothing wrong.
"""

from __future__ import annotations

import re

import yaml
from yaml import events as ev

try:
    from yaml.cyaml import CParser  # type: ignore[attr-defined]
except ImportError:  # PyYAML can be built without libyaml
    CParser = None

from ..diagnostics.diagnostic import Diagnostics
from ..source.tree import SourceNode, SourceText
from .events import TreeBuilder

_CORNERS = re.compile("[\t?!%\x85\u2028\u2029\ufeff\ud800-\udfff]")
"""Where the two parsers may disagree: tabs, keys that begin with ?, tags, directives, odd line breaks, surrogates."""


def read_yaml(source: SourceText, diagnostics: Diagnostics) -> SourceNode | None:
    """The tree of a YAML text, or None when it can't be read; what is wrong goes to `diagnostics`.

    A syntax error ends reading. Other mistakes are all reported; the tree is still given after those that leave its
    values as they were meant (duplicate keys, of which the first counts, and tags).
    """
    if is_plain(source.text):
        root = _read_plain(source)
        if root is not None:
            return root
    builder = TreeBuilder(source, diagnostics)
    loader = None
    try:
        loader = yaml.Loader(source.text)
        while loader.check_event():
            if not builder.take(loader.get_event()):
                return None
    except yaml.YAMLError as error:
        _report(error, source, diagnostics)
        return None
    except Exception:  # PyYAML's scanner lets a few others through, such as chr()'s for the escape \UFFFFFFFF
        offset = loader.index if loader else 0
        diagnostics.error("NW0101", "not valid YAML: this can't be read", source.span(offset, offset + 1))
        return None
    if builder.root is None:
        diagnostics.error(
            "NW0108", "the file is empty", source.span(0, 0), help="a spec starts with netwright: 1"
        )
        return None
    return None if builder.spoilt else builder.root


def is_plain(text: str) -> bool:
    """Whether both parsers, and so the one in C, may read a text."""
    return CParser is not None and not _CORNERS.search(text)


def _read_plain(source: SourceText) -> SourceNode | None:
    """What the parser in C reads; None where there is anything wrong, or that the parsers may see differently."""
    assert CParser is not None
    diagnostics = Diagnostics()
    builder = TreeBuilder(source, diagnostics)
    try:
        parser = CParser(source.text)
        while parser.check_event():
            event = parser.get_event()
            # They put a value that is left out in different places.
            empty = event.start_mark.index == event.end_mark.index and isinstance(event, ev.ScalarEvent)
            if empty or not builder.take(event):
                return None
    except Exception:  # whatever it is, the other parser says it
        return None
    return None if diagnostics.items else builder.root


def _report(error: yaml.YAMLError, source: SourceText, diagnostics: Diagnostics) -> None:
    if isinstance(error, yaml.MarkedYAMLError):
        mark = error.problem_mark or error.context_mark
        offset = mark.index if mark else 0
        labels = []
        if error.context_mark and error.context and error.context_mark.index != offset:
            start = error.context_mark.index
            labels = [(source.span(start, start + 1), error.context)]
        message = error.problem or error.context or "unknown problem"
        tab = source.text[offset : offset + 1] == "\t"
        help = "indent with spaces, YAML does not allow tabs there" if tab else None
        span = source.span(offset, offset + 1)
        diagnostics.error("NW0101", f"not valid YAML: {message}", span, labels=labels, help=help)
    elif isinstance(error, yaml.reader.ReaderError):
        offset = error.position if isinstance(error.position, int) else 0
        diagnostics.error(
            "NW0111",
            f"the character U+{ord(source.text[offset]):04X} is not allowed",
            source.span(offset, offset + 1),
        )
    else:
        diagnostics.error("NW0101", f"not valid YAML: {error}", source.span(0, 0))
