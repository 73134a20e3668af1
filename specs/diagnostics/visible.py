"""Makes text from outside safe to show: control characters become visible instead of taking effect."""

from __future__ import annotations


def visible(text: str, keep: str = "") -> str:
    """``text`` with a visible symbol for each character that has none: control characters, which move the cursor or
    colour the terminal, marks that change the writing direction, and lone surrogates. Every character becomes exactly
    one; those in ``keep`` (a line break, say) don't change.
    """
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() or c in keep else _picture(c) for c in text)


def _picture(character: str) -> str:
    return chr(0x2400 + ord(character)) if ord(character) < 0x20 else "\ufffd"
