"""pydantic's errors as diagnostics: the very key or value, in our words, one for each mistake.

Pydantic names a place by a path that also holds the branches of unions it tried. The path is walked along the
source; steps that are not in it are branches. Errors of several branches of one union are one mistake: the
branch that got furthest speaks, and branches that only disliked the value's type are joined to "expected this
or that".
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel

from ..models.base import MAX_SIZE
from ..models.documentation import meaning
from ..source.scalars import plain_scalar
from ..source.tree import Entry, Path, SourceNode, SourceTree, Span
from .diagnostic import Diagnostics
from .fixes import Fix, replaced, respelled, with_key, without_key
from .model_paths import keys_of, models_at
from .suggest import NOTES, REDUNDANT, did_you_mean, is_certain, key_meant, type_meant

_EXPECTED = {
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
_CUSTOM = {
    "size": "NW0211",
    "size_range": "NW0211",
    "unknown_dim": "NW0210",
    "axes": "NW0208",
    "padding": "NW0205",
    "together": "NW0212",
    "unroll": "NW0203",
    "dim": "NW0203",
    "amount": "NW0203",
}
_LIMITS = {
    "greater_than_equal": ("at least", "ge"),
    "greater_than": ("more than", "gt"),
    "less_than_equal": ("at most", "le"),
    "less_than": ("less than", "lt"),
}


@dataclass(frozen=True, slots=True)
class _Problem:
    """One of pydantic's errors and where it is in the source. `union` is set when a union branch raised
    it.
    """

    kind: str
    path: Path
    loc: tuple[str | int, ...]
    context: Mapping[str, Any]
    message: str
    union: Path | None
    on_key: bool


class Translator:
    """Turns the errors of values that stand at `base` in a tree into diagnostics.

    `overlay` gives the places of keys that were taken from elsewhere (from `defaults`).
    """

    def __init__(
        self,
        tree: SourceTree,
        diagnostics: Diagnostics,
        base: Path,
        overlay: Mapping[str, Path] | None = None,
    ) -> None:
        self.tree, self.diagnostics, self.base, self.overlay = tree, diagnostics, base, overlay or {}

    def report(self, errors: Sequence[Any], annotation: Any, owner: str = "") -> None:
        """Add a diagnostic for each mistake behind pydantic's `errors` of a value of type `annotation`.

        `owner` says what the value is ("conv2d"), for messages about its own keys.
        """
        problems = list(self._one_per_mistake([self._place(error) for error in errors]))
        meant: set[tuple[Path, str]] = set()
        for path, unknown in _by_mapping(problems, "extra_forbidden").items():
            missing = [str(one.loc[-1]) for one in problems if one.kind == "missing" and one.path == path]
            meant |= self._unknown_keys(path, unknown, missing, annotation, owner)
        seen: set[tuple[Path, str]] = set()
        for problem in problems:
            if problem.kind == "extra_forbidden" or (problem.path, problem.kind, problem.message) in seen:
                continue
            seen.add((problem.path, problem.kind, problem.message))  # type: ignore[arg-type]
            if problem.kind == "missing":
                # A required key under another name is one mistake, already reported.
                if (problem.path, str(problem.loc[-1])) not in meant:
                    self._missing(problem, str(problem.loc[-1]), owner, annotation)
            else:
                self._wrong(problem, annotation)

    def _place(self, error: Any) -> _Problem:
        path, node = self.base, self.tree.node(self.base)
        union: Path | None = None
        loc = error["loc"]
        context = dict(error.get("ctx") or {})
        steps = loc[:-1] if error["type"] == "missing" else loc
        if "field" in context:
            steps = (*steps, context["field"])
        for position, step in enumerate(steps):
            if position == 0 and step in self.overlay:
                path = self.overlay[step]
                node = self.tree.node(path)
                continue
            child = node.child(step) if node else None
            if child is not None:
                path, node = (*path, step), child
            elif union is None and step not in ("[key]", context.get("field")) and not _is_tag(node, step):
                union = path
        return _Problem(error["type"], path, loc, context, error["msg"], union, "[key]" in loc[-1:])

    def _one_per_mistake(self, problems: list[_Problem]) -> Iterator[_Problem]:
        groups: dict[object, list[_Problem]] = {}
        for index, problem in enumerate(problems):
            key = index if problem.union is None else problem.union
            groups.setdefault(("union", key), []).append(problem)
        failed = {problem.path[:length] for problem in problems for length in range(len(problem.path))}
        failed |= {problem.path for problem in problems if problem.kind != "too_short"}
        for group in groups.values():
            problem = self._speaker(group)
            # A list that lost its bad items is not also too short.
            if problem.kind != "too_short" or problem.path not in failed:
                yield problem

    def _speaker(self, group: list[_Problem]) -> _Problem:
        depth = max(len(problem.path) for problem in group)
        group = [problem for problem in group if len(problem.path) == depth]
        node = self.tree.node(group[0].path)
        text = node is not None and isinstance(node.value, str)
        strong = [problem for problem in group if problem.kind not in _EXPECTED]
        if not text and any(problem.kind != "literal_error" for problem in strong):
            strong = [problem for problem in strong if problem.kind != "literal_error"]
        literals = [problem for problem in group if problem.kind == "literal_error"]
        if len(literals) > 1 and (text or len(strong) == len(literals)):
            allowed = list(dict.fromkeys(word for problem in literals for word in _allowed(problem.context)))
            return _with(literals[0], literals[0].kind, {"allowed": allowed})
        if strong and (text or strong[0].kind != "literal_error"):
            return strong[0]
        words = [_EXPECTED[problem.kind] for problem in group if problem.kind in _EXPECTED]
        words += [f'"{word}"' for problem in literals for word in _allowed(problem.context)]
        return _with(group[0], "wrong_type", {"expected": list(dict.fromkeys(words))}) if words else group[0]

    def _unknown_keys(
        self, path: Path, unknown: Sequence[_Problem], missing: Sequence[str], annotation: Any, owner: str
    ) -> set[tuple[Path, str]]:
        """Reports the unknown keys of a mapping; gives those that they were meant to be."""
        models = list(models_at(annotation, unknown[0].loc[:-1]))
        known = [name for model in models for name in keys_of(model)]
        taken = self.tree.node(path)
        free = [name for name in known if taken is None or name not in taken.entries]
        of = f" of {owner}" if owner and len(unknown[0].loc) == 1 else ""
        guesses = {str(one.loc[-1]): key_meant(str(one.loc[-1]), free) for one in unknown}
        meant = {guess for guess in guesses.values() if guess}
        if _defaults(taken).keys() & guesses.keys():  # it may be any that is missing
            meant |= set(missing)
        other = f"the keys here are {', '.join(known)}" if known else None
        strange = []
        for key, guess in guesses.items():
            note, place = NOTES.get(key.lower()), self.tree.key_span((*path, key))
            if guess is None and note is None:
                strange.append((key, place))
                continue
            fixes = respelled(key, guess, place, safe=is_certain(key, guess))
            if guess is None:
                fixes = without_key(taken, key, safe=key.lower() in REDUNDANT)
            help = did_you_mean(guess) or note
            self.diagnostics.error("NW0201", f"unknown key {key}{of}", place, help=help, fixes=fixes)
        if strange:
            (key, place), *more = strange
            keys = f"keys {', '.join(key for key, _ in strange)}" if more else f"key {key}"
            labels, fixes = [(span, "nor is this") for _, span in more], ()
            lacking = [key for key in missing if key not in meant]
            if 0 < len(lacking) <= len(strange):  # which are these, by other names: one mistake
                meant |= set(lacking)
                other = f"{owner if of else 'this'} needs {', '.join(lacking)}; {other}"
                fixes = () if more else respelled(key, lacking[0], place, safe=False)
            self.diagnostics.error(
                "NW0201", f"unknown {keys}{of}", place, labels=labels, help=other, fixes=fixes
            )
        return {(path, key) for key in meant}

    def _missing(self, problem: _Problem, key: str, owner: str, annotation: Any) -> None:
        node = self.tree.node(problem.path)
        who = owner if owner and len(problem.loc) == 1 else ""
        if not who and node and isinstance(node.value, dict) and isinstance(node.value.get("type"), str):
            who = node.value["type"]
        message = f"{who} needs {key}" if who else f"the key {key} is missing"
        words = [meaning(model, key) for model in models_at(annotation, problem.loc[:-1])]
        help = next((f"{key}: {one[:1].lower()}{one[1:]}" for one in words if one), None)
        labels = []
        if len(problem.loc) == 1 and self.tree.node(("defaults", owner)):
            labels = [(self.tree.key_span(("defaults", owner)), "nor is it here")]
        labels += [(entry.key_span.bare, "nor is it here") for entry in _defaults(node).values()][:1]
        place = self._owner_span(problem.path, node)
        self.diagnostics.error("NW0202", message, place, labels=labels, help=help)

    def _owner_span(self, path: Path, node: SourceNode | None) -> Span:
        if node and "type" in node.entries:
            return node.entries["type"].node.span
        return self.tree.key_span(path)

    def _wrong(self, problem: _Problem, annotation: Any) -> None:
        node = self.tree.node(problem.path)
        value = node.value if node else None
        span = self.tree.key_span(problem.path) if problem.on_key else self.tree.value_span(problem.path)
        name = _name_of(problem.path)
        error = self.diagnostics.error
        kind, context = problem.kind, problem.context
        if problem.on_key:
            written = str(problem.path[-1])
            plain = re.sub(r"\W", "_", written)
            fixes = respelled(written, plain if plain.isidentifier() else None, span, safe=False)
            error("NW0207", f"{written!r} is not a valid name", span, help=_NAME_HELP, fixes=fixes)
        elif kind in _CUSTOM:
            help, fixes = self._custom_help(kind, context, node, span)
            error(_CUSTOM[kind], problem.message, span, help=help, fixes=fixes)
        elif kind in _LIMITS:
            words, key = _LIMITS[kind]
            message = f"{name} has to be {words} {context[key]:.12g}, this is {describe(value)}"
            # What a bound leaves out can't be meant; the bound itself may be.
            fixes = (
                replaced(node, context[key], title=f"{name}: {context[key]:.12g}")
                if key in ("ge", "le") and context[key] < MAX_SIZE
                else ()
            )
            error("NW0204", message, span, fixes=fixes)
        elif kind in ("too_short", "too_long", "string_too_long"):
            limit = context.get("min_length", context.get("max_length"))
            bound = "at least" if kind == "too_short" else "at most"
            unit = "characters" if kind == "string_too_long" else "entries" if limit != 1 else "entry"
            error("NW0204", f"{name} needs {bound} {limit} {unit}, this has {_length(value)}", span)
        elif kind == "literal_error":
            allowed = context.get("allowed") or _allowed(context)
            suggestion = key_meant(value, allowed) if isinstance(value, str) else None
            message = f"{name} is {_join(allowed)}, not {describe(value)}"
            fixes = respelled(value, suggestion, span) if isinstance(value, str) else ()
            error("NW0205", message, span, help=did_you_mean(suggestion), fixes=fixes)
        elif kind == "union_tag_invalid":
            allowed = _quoted(context["expected_tags"])
            tag = str(context["tag"])
            where = node.entries["type"].node.span if node and "type" in node.entries else span
            meant = type_meant(tag, allowed)
            help = did_you_mean(meant) or f"the types are {', '.join(allowed)}"
            fixes = respelled(tag, meant, where, safe=is_certain(tag, meant))
            error("NW0206", f"unknown type {tag} of {name}", where, help=help, fixes=fixes)
        elif kind == "union_tag_not_found":
            error("NW0202", f"{name} needs a type", self._owner_span(problem.path, node))
        elif kind == "string_pattern_mismatch":
            plain = re.sub(r"\W", "_", value) if isinstance(value, str) else ""
            fixes = replaced(node, plain) if node and plain.isidentifier() else ()
            error("NW0207", f"{describe(value)} is not a valid name", span, help=_NAME_HELP, fixes=fixes)
        elif kind in _EXPECTED or kind == "wrong_type":
            expected = context.get("expected") if kind == "wrong_type" else [_EXPECTED[kind]]
            in_list = isinstance(value, str) and expected == ["a list"]
            message = f"{name} has to be {_join(expected)}, not {describe(value)}"
            fixes = _in_list(node) if in_list else _unquoted(node, expected or [])
            pattern = (
                _pattern(models_at(annotation, problem.loc), value) if expected == ["a mapping"] else None
            )
            error("NW0203", message, span, help=pattern and f"such as {name}: {pattern}", fixes=fixes)
        else:
            error("NW0203", f"{name}: {problem.message}", span)

    def _custom_help(
        self, kind: str, context: Mapping[str, Any], node: SourceNode | None, span: Span
    ) -> tuple[str | None, tuple[Fix, ...]]:
        """Help and fixes for the errors of our own validators."""
        if kind == "unknown_dim":
            symbol = str(context["symbol"])
            meant = key_meant(symbol, context["known"])
            if meant:
                return did_you_mean(meant), respelled(symbol, meant, span)
            role = {"N": "batch", "B": "batch", "T": "time"}.get(symbol)
            root = self.tree.root
            dims = root.entries.get("dims")
            declared = {symbol: role or "size"}
            fixes = (
                with_key(dims.node, symbol, role or "size", title=f"declare {symbol}", safe=role is not None)
                if dims
                else with_key(
                    root, "dims", declared, title=f"declare {symbol}", safe=role is not None, before="inputs"
                )
            )
            return f"declare it: dims: {{{symbol}: {role or 'size'}}}", fixes
        if kind == "padding" and node is not None and "pairs" in context:
            pairs = [[node.value, node.value]] * str(context["pairs"]).count("[")
            return None, replaced(node, pairs, safe=True)
        return None, ()


def _pattern(models: Iterable[type[BaseModel]], value: Any) -> str | None:
    """A mapping as one of ``models`` has it: the one whose type ``value`` names, if any, with the keys it needs."""
    found = {
        str(model.model_fields["type"].default): model for model in models if "type" in model.model_fields
    }
    if not isinstance(value, str):
        return None
    meant = value if value in found else type_meant(value, found)
    if meant is None:
        return None
    needed = [info.alias or key for key, info in found[meant].model_fields.items() if info.is_required()]
    return f"{{{', '.join([f'type: {meant}', *(f'{key}: …' for key in needed if key != 'type')])}}}"


def _in_list(node: SourceNode | None) -> tuple[Fix, ...]:
    return replaced(node, [node.value], safe=True) if node else ()


def _unquoted(node: SourceNode | None, expected: Sequence[str]) -> tuple[Fix, ...]:
    """A number or truth value that was written in quotes, or a number with a needless fraction."""
    if node is None or not isinstance(node.value, str | float) or node.value == "":
        return ()
    try:
        value = plain_scalar(node.value) if isinstance(node.value, str) else node.value
    except ValueError:
        return ()
    if (
        isinstance(value, float)
        and "a whole number" in expected
        and value.is_integer()
        and abs(value) < 2**31
    ):
        value = int(value)
    wanted = {bool: "true or false", int: "a whole number", float: "a number"}.get(type(value))
    number = wanted == "a whole number" and "a number" in expected
    return replaced(node, value, safe=True) if wanted in expected or number else ()


_NAME_HELP = "names are made of letters, digits and _, and do not start with a digit"


def _with(problem: _Problem, kind: str, context: Mapping[str, Any]) -> _Problem:
    return _Problem(kind, problem.path, problem.loc, context, problem.message, problem.union, problem.on_key)


def _is_tag(node: SourceNode | None, step: str | int) -> bool:
    """Whether a step is the tag of a discriminated union rather than a branch that was only tried."""
    if node is None:
        return False
    return step == (node.value.get("type") if isinstance(node.value, dict) else node.value)


def _name_of(path: Path) -> str:
    names = [step for step in path if isinstance(step, str)]
    return names[-1] if names else "the value"


def _quoted(text: str) -> list[str]:
    return text.replace(" or ", ", ").replace("'", "").split(", ")


def _allowed(context: Mapping[str, Any]) -> list[str]:
    return list(context["allowed"]) if "allowed" in context else _quoted(str(context.get("expected", "")))


def _join(words: Iterable[str] | None) -> str:
    *most, last = list(words or ["something else"])
    return f"{', '.join(most)} or {last}" if most else last


def _length(value: Any) -> int:
    return len(value) if isinstance(value, str | list | dict) else 0


def describe(value: Any) -> str:
    """A value in the words of a message: `"abc"`, 3, true, a list of 2."""
    if value is None:
        return "empty"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return f'"{value}"' if len(value) <= 40 else f'"{value[:40]}…"'
    if isinstance(value, list):
        return f"a list of {len(value)}"
    return "a mapping" if isinstance(value, dict) else str(value)


def _defaults(node: SourceNode | None) -> dict[str, Entry]:
    """The keys of a layer that its block has for all such layers: they stand somewhere else."""
    entries = node.entries if node else {}
    return {key: one for key, one in entries.items() if node and not node.start <= one.start < node.end}


def _by_mapping(problems: Iterable[_Problem], kind: str) -> dict[Path, list[_Problem]]:
    """Problems of keys by the mapping that they are in."""
    found: dict[Path, list[_Problem]] = {}
    for problem in problems:
        if problem.kind == kind:
            found.setdefault(problem.path[:-1], []).append(problem)
    return found
