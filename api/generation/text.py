"""Pieces of text joined to text again."""

from __future__ import annotations

from collections.abc import Iterable

from netwright.runtime.data.vocabulary import Vocabulary

#: What has no space before it, or after it.
_CLOSING, _OPENING = frozenset(".,;:!?)]}»%"), frozenset("([{«")


def joined(pieces: Iterable[str], vocabulary: Vocabulary) -> str:
    """Text of a vocabulary's pieces. Where spaces were between words is not known: they are as most texts have them."""
    return "".join(spaced(pieces, vocabulary.of, ""))


def spaced(pieces: Iterable[str], of: str, before: str) -> Iterable[str]:
    """Each piece with what stands between it and the one ``before``: "" at the start of a text."""
    for piece in pieces:
        if of == "characters" or not before or (of == "words" and (piece in _CLOSING or before in _OPENING)):
            yield piece
        else:
            yield f" {piece}"
        before = piece
