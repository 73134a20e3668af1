"""Settings from outside a spec, such as `train.optimizer.learning_rate=0.01`: they change the source tree before
anything is validated, so a setting is checked like what is written, and an error underlines the setting itself."""

from __future__ import annotations

import re
from collections.abc import Sequence

from ..diagnostics.diagnostic import Diagnostics
from ..diagnostics.suggest import closest, did_you_mean
from ..source.tree import Entry, SourceNode, SourceText, SourceTree
from .yaml import read_yaml

_SETTING = re.compile(r"\s*([^=\s]+)\s*=\s*(.*)")
_LONGEST_PATH = 32
SETTINGS_FILE = "--set"
"""What diagnostics call the settings' text."""


class SettingError(ValueError):
    """A setting that is not `path=value`, or whose path does not lead into the spec."""


def apply_settings(tree: SourceTree, settings: Sequence[str], name: str = SETTINGS_FILE) -> SourceTree:
    """The tree with the settings made, in order; the tree given stays as it is.

    A path has dots between keys; in a list, positions (from 0) or the `name` of a layer. Keys that are not there
    are added, and a name on the way is taken as short for `{type: name}` (`train.optimizer.learning_rate`
    under `optimizer: adam`). Values are YAML. `name` is what diagnostics call the settings' text.

    Raises SettingError.
    """
    text = settings_text(settings, name)
    if not text.text.replace("\n", "").isprintable():
        raise SettingError("a setting holds characters that no text has")
    root, start = tree.root, 0
    for line in text.text.split("\n") if settings else ():
        match = _SETTING.fullmatch(line)
        path = match[1].split(".") if match else []
        if match is None or "" in path or len(path) > _LONGEST_PATH:
            raise SettingError(f"{line!r} is no setting: write path.to.key=value")
        value = _value(text, line, match.start(2), start)
        key = start + match.start(1), start + match.end(1)
        root = _changed(root, path, value, text, key, line)
        start += len(line) + 1
    return SourceTree(tree.source, root)


def settings_text(settings: Sequence[str], name: str = SETTINGS_FILE) -> SourceText:
    """The text that spans of settings point into: a line each."""
    return SourceText(name, "\n".join(re.sub(r"[\r\n]", " ", setting) for setting in settings))


def _value(text: SourceText, line: str, begin: int, start: int) -> SourceNode:
    # Blank space in place of the key keeps every offset of the value that of the setting's line.
    alone = SourceText(text.file, " " * begin + line[begin:])
    if not line[begin:].strip():
        raise SettingError(f"{line!r} gives no value")
    problems = Diagnostics()
    node = read_yaml(alone, problems)
    if node is None or problems.has_errors:
        raise SettingError(f"the value of {line!r} can't be read: {problems.errors[0].message}")
    return _moved(node, text, start)


def _moved(node: SourceNode, text: SourceText, by: int) -> SourceNode:
    entries = {
        key: Entry(text, entry.start + by, entry.end + by, _moved(entry.node, text, by))
        for key, entry in node.entries.items()
    }
    items = [_moved(item, text, by) for item in node.items]
    return SourceNode(text, node.start + by, node.end + by, node.value, entries, items)


def _changed(
    node: SourceNode, path: list[str], new: SourceNode, text: SourceText, key: tuple[int, int], line: str
) -> SourceNode:
    """A copy of ``node`` in which ``path`` leads to ``new``; what is beside the path is shared."""
    step, *rest = path
    if isinstance(node.value, str):
        short = SourceNode(node.text, node.start, node.end, node.value)
        entries = {"type": Entry(node.text, node.start, node.end, short)}
        node = SourceNode(node.text, node.start, node.end, {"type": node.value}, entries)
    if isinstance(node.value, dict):
        old = node.entries.get(step)
        child = old.node if old else SourceNode(text, key[0], key[1], {})
        child = _changed(child, rest, new, text, key, line) if rest else new
        place = Entry(old.text, old.start, old.end, child) if old and rest else Entry(text, *key, child)
        value = {**node.value, step: child.value}
        return SourceNode(node.text, node.start, node.end, value, {**node.entries, step: place})
    if isinstance(node.value, list):
        position = _position(node, step, line)
        child = _changed(node.items[position], rest, new, text, key, line) if rest else new
        items = [child if i == position else item for i, item in enumerate(node.items)]
        return SourceNode(node.text, node.start, node.end, [item.value for item in items], {}, items)
    raise SettingError(f"{line!r}: there is nothing below {node.value!r} to set {step} of")


def _position(node: SourceNode, step: str, line: str) -> int:
    names = [item.value.get("name") if isinstance(item.value, dict) else None for item in node.items]
    if step in names:
        return names.index(step)
    if step.isdecimal() and int(step) < len(names):
        return int(step)
    hint = did_you_mean(closest(step, [name for name in names if isinstance(name, str)]))
    raise SettingError(f"{line!r}: the list has no entry {step}" + (f"; {hint}" if hint else ""))
