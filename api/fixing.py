"""Fixes that were tried: each one proposed is made in the text, and what comes of it is validated, before anybody
is told of it."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace

from netwright.compiler.frontend.build import build_network
from netwright.specs.diagnostics import Diagnostic, Diagnostics
from netwright.specs.fixes import Edit, Fix, apply_fixes
from netwright.specs.load import LoadResult, load_spec_text
from netwright.specs.source import SourceText, Span

#: How many layers may be validated for the fixes of one spec; what is beyond is not offered.
_MOST_LAYERS = 4000
_ROUNDS = 10


def check_fixes(load: LoadResult) -> Diagnostics:
    """The diagnostics of a load result, with those fixes alone that do away with their diagnostic and bring no
    other error.

    A safe fix may bring to light what could not be seen before, elsewhere in the spec.
    """
    found = load.diagnostics
    source = found.sources.get(load.file)
    proposed = [fix for item in found for fix in item.fixes]
    if not proposed or source is None:
        return found
    checker = _Checker(load, source)
    text, made = apply_fixes(source, [fix for fix in proposed if fix.safe and checker.is_local(fix)])
    # Mostly all the safe ones together leave nothing: then one validation is enough for them.
    together = set(map(id, made)) if made and not checker.diagnose(text).has_errors else set()
    items = [
        replace(
            item, fixes=tuple(fix for fix in item.fixes if id(fix) in together or checker.is_good(item, fix))
        )
        for item in found
    ]
    return Diagnostics(items, found.sources.values())


@dataclass(frozen=True)
class FixedSpec:
    """What became of a spec: its new text, the fixes made, and what is still wrong."""

    text: str
    fixes: tuple[Fix, ...]
    diagnostics: Diagnostics


def fix_spec(load: LoadResult, *, unsafe: bool = False) -> FixedSpec:
    """Makes the fixes offered, the safe ones or (with ``unsafe``) the first of each diagnostic, again and again until
    none is left. Comments and layout stay as they are."""
    made: list[Fix] = []
    text = load.diagnostics.sources[load.file].text if load.file in load.diagnostics.sources else ""
    for _ in range(_ROUNDS):
        found = check_fixes(load)
        source = SourceText(load.file, text)
        offered = [next((fix for fix in item.fixes if fix.safe or unsafe), None) for item in found]
        text, done = apply_fixes(source, [fix for fix in offered if fix])
        if not done:
            break
        made += done
        load = load_spec_text(text, load.file, load.settings, load.folder)
        load = replace(load, diagnostics=build_network(load)[1])
    return FixedSpec(text, tuple(made), load.diagnostics)


class _Checker:
    def __init__(self, load: LoadResult, source: SourceText):
        self.load, self.source = load, source
        self.before = Counter(_key(item) for item in load.diagnostics.errors)
        self.left = max(3, _MOST_LAYERS // (1 + len(load.entries)))

    def is_local(self, fix: Fix) -> bool:
        return all(edit.span.file == self.load.file for edit in fix.edits)

    def diagnose(self, text: str) -> Diagnostics:
        self.left -= 1
        return build_network(load_spec_text(text, self.load.file, self.load.settings, self.load.folder))[1]

    def is_good(self, item: Diagnostic, fix: Fix) -> bool:
        if self.left <= 0 or not self.is_local(fix):
            return False
        text, made = apply_fixes(self.source, [fix])
        if not made:
            return False
        after = self.diagnose(text)
        new = Counter(_key(error) for error in after.errors) - self.before
        gone = Counter(map(_key, after))[_key(item)] < Counter(map(_key, self.load.diagnostics))[_key(item)]
        if not fix.safe or not new:
            return gone and not new
        return gone and not any(
            _touches(error.span, edit) for error in after.errors if _key(error) in new for edit in fix.edits
        )


def _touches(span: Span, edit: Edit) -> bool:
    """Whether a place in the new text is where an edit of one line wrote."""
    end = edit.span.column + len(edit.text)
    return span.line == edit.span.line and edit.span.column <= span.column < max(end, edit.span.column + 1)


def _key(item: Diagnostic) -> tuple[str, str]:
    return item.code, item.message
