"""Tries fixes: applies each proposed fix to the text and validates the result before anybody sees the fix."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, replace

from netwright.compiler.frontend.build import build_network
from netwright.compiler.frontend.origins import resized
from netwright.specs.diagnostics.diagnostic import Diagnostic, Diagnostics
from netwright.specs.diagnostics.fixes import Edit, Fix, apply_to_files
from netwright.specs.load import LoadResult, load_spec_text
from netwright.specs.reading.settings import SETTINGS_FILE
from netwright.specs.source.tree import SourceText, Span

#: How many layers may be validated for the fixes of one spec. Fixes beyond that are not offered.
_MOST_LAYERS = 4000
_ROUNDS = 10
#: How often a fix that enlarges an input may be enlarged again.
_GROWTHS = 24


def check_fixes(load: LoadResult) -> Diagnostics:
    """The diagnostics of a load result, with only those fixes that remove their diagnostic and cause no other error.

    Fixes may change files that the spec includes. A safe fix may reveal errors elsewhere in the spec that were hidden
    before.
    """
    diagnostics = load.diagnostics
    proposed = [fix for item in diagnostics for fix in item.fixes]
    if not proposed or load.file not in diagnostics.sources:
        return diagnostics
    checker = _Checker(load)
    texts, made = apply_to_files(checker.sources, [fix for fix in proposed if fix.safe])
    # Usually all safe fixes together leave no error. Then one validation is enough for them.
    together = set(map(id, made)) if made and not checker.diagnose(texts).has_errors else set()
    items = [
        replace(
            item,
            fixes=tuple(
                good
                for fix in item.fixes
                if (good := fix if id(fix) in together else checker.tried(item, fix)) is not None
            ),
        )
        for item in diagnostics
    ]
    return Diagnostics(items, diagnostics.sources.values())


@dataclass(frozen=True)
class FixedSpec:
    """A spec after fixing: its new text, the fixes made, and what is still wrong. `texts` holds the new texts of all
    changed files.
    """

    text: str
    fixes: tuple[Fix, ...]
    diagnostics: Diagnostics
    texts: Mapping[str, str]


def fix_spec(load: LoadResult, *, unsafe: bool = False, included: bool = True) -> FixedSpec:
    """Applies the offered fixes again and again until none is left: the safe ones or, with ``unsafe``, the first of
    each diagnostic.

    Without ``included``, only the spec itself is changed. Comments and layout stay as they are.
    """
    made: list[Fix] = []
    texts: dict[str, str] = {}
    source = load.diagnostics.sources.get(load.file)
    original = source.text if source else ""
    for _ in range(_ROUNDS):
        diagnostics = check_fixes(load)
        offered = [next((fix for fix in item.fixes if fix.safe or unsafe), None) for item in diagnostics]
        files = {load.file} if not included else diagnostics.sources.keys() - {SETTINGS_FILE}
        sources = {file: diagnostics.sources[file] for file in files if file in diagnostics.sources}
        changed, done = apply_to_files(sources, [fix for fix in offered if fix])
        if not done:
            break
        made += done
        texts |= changed
        load = load_spec_text(texts.get(load.file, original), load.file, load.settings, load.folder, texts)
        load = replace(load, diagnostics=build_network(load)[1])
    return FixedSpec(texts.get(load.file, original), tuple(made), load.diagnostics, texts)


class _Checker:
    def __init__(self, load: LoadResult):
        self.load = load
        sources = load.diagnostics.sources
        self.sources: dict[str, SourceText] = {
            file: source for file, source in sources.items() if file != SETTINGS_FILE
        }
        self.texts = {file: source.text for file, source in self.sources.items()}
        self.before = Counter(_key(item) for item in load.diagnostics.errors)
        self.left = max(3, _MOST_LAYERS // (1 + len(load.entries)))

    def diagnose(self, changed: Mapping[str, str]) -> Diagnostics:
        self.left -= 1
        texts, load = {**self.texts, **changed}, self.load
        return build_network(load_spec_text(texts[load.file], load.file, load.settings, load.folder, texts))[
            1
        ]

    def tried(self, item: Diagnostic, fix: Fix) -> Fix | None:
        """The fix if it is good, otherwise None. A fix of sizes is tried with larger ones until no error is left."""
        for _ in range(_GROWTHS):
            texts, made = apply_to_files(self.sources, [fix]) if self.left > 0 else ({}, [])
            if not made:
                return None
            after = self.diagnose(texts)
            if self.is_good(item, fix, after):
                return fix
            sizes = dict(fix.sizes)
            offered = [dict(other.sizes) for error in after.errors for other in error.fixes if other.sizes]
            further = [offer for offer in offered if _input(offer) == _input(sizes)]
            if not sizes or not further:
                return None
            larger = {path: max(size, sizes.get(path, 0)) for path, size in {**sizes, **further[0]}.items()}
            if larger == sizes:
                return None
            (fix,) = resized(self.load, larger, " or more" if fix.title.endswith("more") else "") or (fix,)
        return None

    def is_good(self, item: Diagnostic, fix: Fix, after: Diagnostics) -> bool:
        new = Counter(_key(error) for error in after.errors) - self.before
        gone = Counter(map(_key, after))[_key(item)] < Counter(map(_key, self.load.diagnostics))[_key(item)]
        if not fix.safe or not new:
            return gone and not new
        return gone and not any(
            _touches(error.span, edit) for error in after.errors if _key(error) in new for edit in fix.edits
        )


def _input(sizes: Mapping[tuple[str | int, ...], int]) -> set[str | int]:
    """The names of the inputs that these sizes belong to."""
    return {path[1] for path in sizes}


def _touches(span: Span, edit: Edit) -> bool:
    """Whether a place in the new text is inside the text that a one-line edit inserted."""
    end = edit.span.column + len(edit.text)
    near = edit.span.column <= span.column < max(end, edit.span.column + 1)
    return span.file == edit.span.file and span.line == edit.span.line and near


def _key(item: Diagnostic) -> tuple[str, str]:
    return item.code, item.message
