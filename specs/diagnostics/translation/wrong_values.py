"""Reports invalid values, with a fix if the right value is known."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, get_origin

from pydantic import BaseModel

from ...models.base import MAX_SIZE
from ...source.scalars import plain_scalar
from ...source.tree import SourceNode, SourceTree, Span
from ..diagnostic import Diagnostics
from ..fixes import Fix, inline, replaced, respelled, with_key
from ..model_paths import branches, models_at
from ..suggest import did_you_mean, is_certain, key_meant, type_meant
from .keys import owner_span
from .mistakes import EXPECTED, Mistake, allowed_words, quoted
from .words import NAME_HELP, describe, join, length_of, name_of

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
    "text": "NW0203",
}
#: Truth values of YAML 1.1, which are texts in the language.
_TRUTHS = {"yes": True, "on": True, "no": False, "off": False}
_LIMITS = {
    "greater_than_equal": ("at least", "ge"),
    "greater_than": ("more than", "gt"),
    "less_than_equal": ("at most", "le"),
    "less_than": ("less than", "lt"),
}


def report_value(tree: SourceTree, diagnostics: Diagnostics, mistake: Mistake, annotation: Any) -> None:
    """Reports an invalid value (or an invalid name used as a key)."""
    node = tree.node(mistake.path)
    value = node.value if node else None
    span = tree.key_span(mistake.path) if mistake.on_key else tree.value_span(mistake.path)
    name = name_of(mistake.path)
    error = diagnostics.error
    kind, context = mistake.kind, mistake.context
    if mistake.on_key:
        written = str(mistake.path[-1])
        plain = re.sub(r"\W", "_", written)
        fixes = respelled(written, plain if plain.isidentifier() else None, span, safe=False)
        error("NW0207", f"{written!r} is not a valid name", span, help=NAME_HELP, fixes=fixes)
    elif kind in _CUSTOM:
        help, fixes = _custom_help(tree, kind, context, node, span)
        error(_CUSTOM[kind], mistake.message, span, help=help, fixes=fixes)
    elif kind in _LIMITS:
        words, key = _LIMITS[kind]
        message = f"{name} has to be {words} {context[key]:.12g}, this is {describe(value)}"
        # An inclusive bound may be what was meant; an exclusive one can't be.
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
        error("NW0204", f"{name} needs {bound} {limit} {unit}, this has {length_of(value)}", span)
    elif kind == "literal_error":
        allowed = context.get("allowed") or allowed_words(context)
        suggestion = key_meant(value, allowed) if isinstance(value, str) else None
        message = f"{name} is {join(allowed)}, not {describe(value)}"
        fixes = respelled(value, suggestion, span) if isinstance(value, str) else ()
        error("NW0205", message, span, help=did_you_mean(suggestion), fixes=fixes)
    elif kind == "union_tag_invalid":
        allowed = quoted(context["expected_tags"])
        tag = str(context["tag"])
        where = node.entries["type"].node.span if node and "type" in node.entries else span
        meant = type_meant(tag, allowed)
        help = did_you_mean(meant) or f"the types are {', '.join(allowed)}"
        fixes = respelled(tag, meant, where, safe=is_certain(tag, meant))
        error("NW0206", f"unknown type {tag} of {name}", where, help=help, fixes=fixes)
    elif kind == "union_tag_not_found":
        error("NW0202", f"{name} needs a type", owner_span(tree, mistake.path, node))
    elif kind == "string_pattern_mismatch":
        plain = re.sub(r"\W", "_", value) if isinstance(value, str) else ""
        fixes = replaced(node, plain) if node and plain.isidentifier() else ()
        error("NW0207", f"{describe(value)} is not a valid name", span, help=NAME_HELP, fixes=fixes)
    elif kind in EXPECTED or kind == "wrong_type":
        expected = context.get("expected") if kind == "wrong_type" else [EXPECTED[kind]]
        in_list = isinstance(value, str) and expected == ["a list"]
        message = f"{name} has to be {join(expected)}, not {describe(value)}"
        fixes = _in_list(node) if in_list else _unquoted(node, expected or [])
        models = list(models_at(annotation, mistake.loc)) if "a mapping" in (expected or []) else []
        pattern = _pattern(models, value)
        if node and (key := _only_list(models, value)):
            fixes = replaced(node, {key: value}, safe=True)
            pattern = inline({key: value}, node.text)
        error("NW0203", message, span, help=pattern and f"such as {name}: {pattern}", fixes=fixes)
    else:
        error("NW0203", f"{name}: {mistake.message}", span)


def _custom_help(
    tree: SourceTree, kind: str, context: Mapping[str, Any], node: SourceNode | None, span: Span
) -> tuple[str | None, tuple[Fix, ...]]:
    """Help and fixes for the errors of the language's own validators."""
    if kind == "unknown_dim":
        symbol = str(context["symbol"])
        meant = key_meant(symbol, context["known"])
        if meant:
            return did_you_mean(meant), respelled(symbol, meant, span)
        role = {"N": "batch", "B": "batch", "T": "time"}.get(symbol)
        root = tree.root
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
    """A mapping completed for one of ``models``: the one whose type ``value`` names, if any, with its required keys."""
    by_type = {
        str(model.model_fields["type"].default): model for model in models if "type" in model.model_fields
    }
    if not isinstance(value, str):
        return None
    meant = value if value in by_type else type_meant(value, by_type)
    if meant is None:
        return None
    needed = [info.alias or key for key, info in by_type[meant].model_fields.items() if info.is_required()]
    return f"{{{', '.join([f'type: {meant}', *(f'{key}: …' for key in needed if key != 'type')])}}}"


def _only_list(models: Sequence[type[BaseModel]], value: Any) -> str | None:
    """The key that a list is the value of if the mapping around it is left out: the only one that the only model needs,
    such as an input's `shape`."""
    if not isinstance(value, list) or len(models) != 1:
        return None
    needed = [
        (info.alias or name, info) for name, info in models[0].model_fields.items() if info.is_required()
    ]
    if len(needed) != 1 or not any(
        get_origin(branch) is tuple for branch in branches(needed[0][1].annotation)
    ):
        return None
    return needed[0][0]


def _in_list(node: SourceNode | None) -> tuple[Fix, ...]:
    return replaced(node, [node.value], safe=True) if node else ()


def _unquoted(node: SourceNode | None, expected: Sequence[str]) -> tuple[Fix, ...]:
    """The fix for a number or truth value written in quotes, for a whole number written as a fraction, such as 3.0,
    or for a truth value of YAML 1.1, such as yes.
    """
    if node is None or not isinstance(node.value, str | float) or node.value == "":
        return ()
    if "true or false" in expected and str(node.value).lower() in _TRUTHS:
        return replaced(node, _TRUTHS[str(node.value).lower()], safe=True)
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
    if wanted not in expected and not number:
        return ()
    title = f"it is text: write {node.value} without quotes" if isinstance(node.value, str) else None
    return replaced(node, value, safe=True, title=title)
