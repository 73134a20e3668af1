"""Diagnostics as SARIF 2.1.0 (OASIS, Static Analysis Results Interchange Format), which code hosts and editors show."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

from ..source.tree import Span
from .codes import CODES
from .diagnostic import Diagnostic, Diagnostics

SCHEMA = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"


def to_sarif(
    diagnostics: Diagnostics, version: str, pages: Mapping[str, str] | None = None
) -> dict[str, Any]:
    """One SARIF log with one run. `version` is the tool's; `pages` are longer texts (Markdown) by code."""
    used = sorted({item.code for item in diagnostics})
    rules = [_rule(code, (pages or {}).get(code)) for code in used]
    return {
        "$schema": SCHEMA,
        "version": "2.1.0",
        "runs": [
            {
                "tool": {"driver": {"name": "netwright", "version": version, "rules": rules}},
                "columnKind": "unicodeCodePoints",
                "results": [_result(item, used.index(item.code)) for item in diagnostics],
            }
        ],
    }


def _rule(code: str, page: str | None) -> dict[str, Any]:
    rule: dict[str, Any] = {"id": code, "shortDescription": {"text": CODES[code]}}
    if page:
        rule["help"] = {"text": page, "markdown": page}
    return rule


def _result(item: Diagnostic, rule: int) -> dict[str, Any]:
    text = "\n".join([item.message, *item.notes, *([f"help: {item.help}"] if item.help else [])])
    result: dict[str, Any] = {
        "ruleId": item.code,
        "ruleIndex": rule,
        "level": item.severity,
        "message": {"text": text},
        "locations": [_location(item.span, item.label)],
    }
    if item.labels:
        result["relatedLocations"] = [
            {"id": position, **_location(span, label)} for position, (span, label) in enumerate(item.labels)
        ]
    if item.fixes:
        result["fixes"] = [
            {
                "description": {"text": fix.title},
                "artifactChanges": [
                    {
                        "artifactLocation": {"uri": quote(edit.span.file)},
                        "replacements": [
                            {"deletedRegion": _region(edit.span), "insertedContent": {"text": edit.text}}
                        ],
                    }
                    for edit in fix.edits
                ],
            }
            for fix in item.fixes
        ]
    return result


def _location(span: Span, label: str) -> dict[str, Any]:
    place = {"artifactLocation": {"uri": quote(span.file)}, "region": _region(span)}
    return {"physicalLocation": place, **({"message": {"text": label}} if label else {})}


def _region(span: Span) -> dict[str, int]:
    return {
        "startLine": span.line,
        "startColumn": span.column,
        "endLine": span.end_line,
        "endColumn": span.end_column,
    }
