"""Other people's text where it is shown: characters that would act are seen instead."""

from __future__ import annotations


def visible(text: str, keep: str = "") -> str:
    """``text`` with a picture for each character that has none of its own: control characters, which move cursors and
    colour terminals, marks that turn the direction of writing, lone surrogates. One character stays one; those in
    ``keep`` (a line break, say) stay themselves."""
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() or c in keep else _picture(c) for c in text)


def _picture(character: str) -> str:
    return chr(0x2400 + ord(character)) if ord(character) < 0x20 else "\ufffd"
