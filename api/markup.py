"""Other people's text inside HTML and SVG."""

from __future__ import annotations

import html
import json

from netwright.specs.diagnostics.visible import visible


def escape(text: str) -> str:
    """Text for an element or a quoted attribute. What XML can't hold, and what would turn the page's direction of
    writing, is shown as a picture."""
    return html.escape(visible(text, keep="\t\n"), quote=True)


def script_json(value: object) -> str:
    """JSON for inside a script element, where `</script` ends it, `<!--<script` hides its end, and old browsers break
    lines at U+2028: none of these is in it, yet it reads the same."""
    text = json.dumps(value, ensure_ascii=False)
    for character in "<>&\u2028\u2029":
        text = text.replace(character, f"\\u{ord(character):04x}")
    return text
