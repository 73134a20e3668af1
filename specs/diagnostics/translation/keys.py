"""Reports unknown and missing keys of a mapping. If an unknown key is a missing one misspelt, that is one mistake and
one diagnostic.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ...models.documentation import meaning
from ...source.tree import Entry, Path, SourceNode, SourceTree, Span
from ..diagnostic import Diagnostics
from ..fixes import respelled, without_key
from ..model_paths import keys_of, models_at
from ..suggest import NOTES, REDUNDANT, did_you_mean, is_certain, key_meant
from .mistakes import Mistake


def report_unknown(
    tree: SourceTree,
    diagnostics: Diagnostics,
    path: Path,
    unknown: Sequence[Mistake],
    missing: Sequence[str],
    annotation: Any,
    owner: str,
) -> set[tuple[Path, str]]:
    """Reports the unknown keys of the mapping at ``path``. Returns the keys that were probably meant."""
    models = list(models_at(annotation, unknown[0].loc[:-1]))
    known = [name for model in models for name in keys_of(model)]
    taken = tree.node(path)
    free = [name for name in known if taken is None or name not in taken.entries]
    of = f" of {owner}" if owner and len(unknown[0].loc) == 1 else ""
    guesses = {str(mistake.loc[-1]): key_meant(str(mistake.loc[-1]), free) for mistake in unknown}
    meant = {guess for guess in guesses.values() if guess}
    if _defaults(taken).keys() & guesses.keys():  # it may stand for any missing key
        meant |= set(missing)
    other = f"the keys here are {', '.join(known)}" if known else None
    strange = []
    for key, guess in guesses.items():
        note, place = NOTES.get(key.lower()), tree.key_span((*path, key))
        if guess is None and note is None:
            strange.append((key, place))
            continue
        fixes = respelled(key, guess, place, safe=is_certain(key, guess))
        if guess is None:
            fixes = without_key(taken, key, safe=key.lower() in REDUNDANT)
        help = did_you_mean(guess) or note
        diagnostics.error("NW0201", f"unknown key {key}{of}", place, help=help, fixes=fixes)
    if strange:
        (key, place), *more = strange
        keys = f"keys {', '.join(key for key, _ in strange)}" if more else f"key {key}"
        labels, fixes = [(span, "nor is this") for _, span in more], ()
        lacking = [key for key in missing if key not in meant]
        if 0 < len(lacking) <= len(strange):  # the mistake is reported as their unknown spelling
            meant |= set(lacking)
            other = f"{owner if of else 'this'} needs {', '.join(lacking)}; {other}"
            fixes = () if more else respelled(key, lacking[0], place, safe=False)
        diagnostics.error("NW0201", f"unknown {keys}{of}", place, labels=labels, help=other, fixes=fixes)
    return {(path, key) for key in meant}


def report_missing(
    tree: SourceTree, diagnostics: Diagnostics, mistake: Mistake, annotation: Any, owner: str
) -> None:
    """Reports a missing required key."""
    key = str(mistake.loc[-1])
    node = tree.node(mistake.path)
    who = owner if owner and len(mistake.loc) == 1 else ""
    if not who and node and isinstance(node.value, dict) and isinstance(node.value.get("type"), str):
        who = node.value["type"]
    message = f"{who} needs {key}" if who else f"the key {key} is missing"
    words = [meaning(model, key) for model in models_at(annotation, mistake.loc[:-1])]
    help = next((f"{key}: {text[:1].lower()}{text[1:]}" for text in words if text), None)
    labels = []
    if len(mistake.loc) == 1 and tree.node(("defaults", owner)):
        labels = [(tree.key_span(("defaults", owner)), "nor is it here")]
    labels += [(entry.key_span.bare, "nor is it here") for entry in _defaults(node).values()][:1]
    place = owner_span(tree, mistake.path, node)
    diagnostics.error("NW0202", message, place, labels=labels, help=help)


def owner_span(tree: SourceTree, path: Path, node: SourceNode | None) -> Span:
    """The part of a mapping that says what it is: the value of its type, otherwise the key it is under."""
    if node and "type" in node.entries:
        return node.entries["type"].node.span
    return tree.key_span(path)


def _defaults(node: SourceNode | None) -> dict[str, Entry]:
    """The keys of a layer that come from its block's defaults: they are written elsewhere."""
    entries = node.entries if node else {}
    return {key: entry for key, entry in entries.items() if node and not node.start <= entry.start < node.end}
