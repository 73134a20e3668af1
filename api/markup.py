"""Makes text from outside safe to put into HTML and SVG."""

from __future__ import annotations

import html
import json

from netwright.specs.diagnostics.visible import visible


def escape(text: str) -> str:
    """Text for an element or a quoted attribute. Characters that XML can't contain, or that would change the writing
    direction, become visible symbols.
    """
    return html.escape(visible(text, keep="\t\n"), quote=True)


def script_json(value: object) -> str:
    """JSON to put inside a script element.

    The result has no `</script`, which would end the element, no `<!--<script`, which would hide its end, and no
    U+2028, at which old browsers break lines. A parser reads the same value from it.
    """
    text = json.dumps(value, ensure_ascii=False)
    for character in "<>&\u2028\u2029":
        text = text.replace(character, f"\\u{ord(character):04x}")
    return text
