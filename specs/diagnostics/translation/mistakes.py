"""Finds the place of each of pydantic's errors in the source, and reduces them to one per mistake.

pydantic's path to an error also names the branches of unions that it tried. We walk the path along the source; steps
that are not in the source are branches. Errors of several branches of one union are one mistake: we report the branch
that got furthest, and join branches that only rejected the value's type to "expected this or that".
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ...models.data import SPLIT
from ...source.tree import Path, SourceNode, SourceTree

#: What pydantic expected, by the type of its error.
EXPECTED = {
    "int_type": "a whole number",
    "int_from_float": "a whole number",
    "float_type": "a number",
    "bool_type": "true or false",
    "string_type": "a string",
    "tuple_type": "a list",
    "list_type": "a list",
    "dict_type": "a mapping",
    "model_type": "a mapping",
    "model_attributes_type": "a mapping",
}


@dataclass(frozen=True, slots=True)
class Mistake:
    """One of pydantic's errors and its place in the source. `union` is set for errors from a union's branch."""

    kind: str
    path: Path
    loc: tuple[str | int, ...]
    context: Mapping[str, Any]
    message: str
    union: Path | None
    on_key: bool


def find_mistakes(
    errors: Sequence[Any], tree: SourceTree, base: Path, overlay: Mapping[str, Path]
) -> list[Mistake]:
    """The mistakes behind pydantic's errors for the values at ``base``. ``overlay`` gives the places of keys that came
    from elsewhere.
    """
    return list(_one_per_mistake([_place(error, tree, base, overlay) for error in errors], tree))


def _place(error: Any, tree: SourceTree, base: Path, overlay: Mapping[str, Path]) -> Mistake:
    path, node = base, tree.node(base)
    union: Path | None = None
    loc = error["loc"]
    context = dict(error.get("ctx") or {})
    steps = loc[:-1] if error["type"] == "missing" else loc
    if "field" in context:
        steps = (*steps, context["field"])
    for position, step in enumerate(steps):
        if position == 0 and step in overlay:
            path = overlay[step]
            node = tree.node(path)
            continue
        child = node.child(step) if node else None
        if child is not None:
            path, node = (*path, step), child
        elif union is None and step not in ("[key]", context.get("field")) and not _is_tag(node, step):
            union = path
    return Mistake(error["type"], path, loc, context, error["msg"], union, "[key]" in loc[-1:])


def _one_per_mistake(mistakes: list[Mistake], tree: SourceTree) -> Iterator[Mistake]:
    groups: dict[object, list[Mistake]] = {}
    for index, mistake in enumerate(mistakes):
        key = index if mistake.union is None else mistake.union
        groups.setdefault(("union", key), []).append(mistake)
    speakers = [_speaker(group, tree) for group in groups.values()]
    failed = {mistake.path[:length] for mistake in mistakes for length in range(len(mistake.path))}
    failed |= {mistake.path for mistake in speakers if mistake.kind != "too_short"}
    for mistake in speakers:
        # A list that lost its invalid items is not reported as too short as well.
        if mistake.kind != "too_short" or mistake.path not in failed:
            yield mistake


def _speaker(group: list[Mistake], tree: SourceTree) -> Mistake:
    depth = max(len(mistake.path) for mistake in group)
    group = [mistake for mistake in group if len(mistake.path) == depth]
    node = tree.node(group[0].path)
    text = node is not None and isinstance(node.value, str)
    strong = [mistake for mistake in group if mistake.kind not in EXPECTED]
    if not text and any(mistake.kind != "literal_error" for mistake in strong):
        strong = [mistake for mistake in strong if mistake.kind != "literal_error"]
    literals = [mistake for mistake in group if mistake.kind == "literal_error"]
    if len(literals) > 1 and (text or len(strong) == len(literals)):
        allowed = list(dict.fromkeys(word for mistake in literals for word in allowed_words(mistake.context)))
        return _with(literals[0], literals[0].kind, {"allowed": allowed})
    if strong and (text or strong[0].kind != "literal_error"):
        return strong[0]
    words = [EXPECTED[mistake.kind] for mistake in group if mistake.kind in EXPECTED]
    words += [f'"{word}"' for mistake in literals for word in allowed_words(mistake.context)]
    return _with(group[0], "wrong_type", {"expected": list(dict.fromkeys(words))}) if words else group[0]


def _with(mistake: Mistake, kind: str, context: Mapping[str, Any]) -> Mistake:
    return Mistake(kind, mistake.path, mistake.loc, context, mistake.message, mistake.union, mistake.on_key)


def _is_tag(node: SourceNode | None, step: str | int) -> bool:
    """Whether a step of a path is the tag of a discriminated union rather than a branch that was tried."""
    if node is None:
        return False
    if step == SPLIT:  # the one member of such a union that is told by its keys
        return True
    return step == (node.value.get("type") if isinstance(node.value, dict) else node.value)


def quoted(text: str) -> list[str]:
    """The words in one of pydantic's lists: `'a', 'b' or 'c'`."""
    return text.replace(" or ", ", ").replace("'", "").split(", ")


def allowed_words(context: Mapping[str, Any]) -> list[str]:
    """The allowed words, for a value that must be one of several."""
    return list(context["allowed"]) if "allowed" in context else quoted(str(context.get("expected", "")))
