"""Vocabularies: the pieces of text that have numbers, made from training data and kept with weights."""

from __future__ import annotations

import json
import unicodedata
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from functools import cached_property, lru_cache
from typing import Any

from netwright.specs.models.data import VocabularySpec

from ..errors import WeightsError

#: The key under which files of weights hold vocabularies.
KEY = "vocabularies"
_APOSTROPHES = "'’"
_KINDS = ("words", "spaces", "characters")


@dataclass(frozen=True)
class Vocabulary:
    """The ``entries`` in the order of their numbers, and how text is divided into pieces (see ``VocabularySpec``)."""

    of: str
    lower: bool
    padding: str | None
    unknown: str | None
    entries: tuple[str, ...]
    begin: str | None = None
    end: str | None = None

    @property
    def options(self) -> dict[str, str | bool | None]:
        """How text is divided, what stands for padding and for unknown pieces, and what stands around each text."""
        names = ("of", "lower", "padding", "unknown", "begin", "end")
        return {name: getattr(self, name) for name in names}

    @property
    def special(self) -> tuple[str, ...]:
        """The entries that are no pieces of text, in the order of their numbers."""
        return tuple(name for name in (self.padding, self.unknown, self.begin, self.end) if name is not None)

    @cached_property
    def numbers(self) -> dict[str, int]:
        """The number of each entry."""
        return {entry: number for number, entry in enumerate(self.entries)}

    def __len__(self) -> int:
        return len(self.entries)

    def encode(self, text: str) -> list[int]:
        """The numbers of a text's pieces, without what stands around it. Raises ValueError for a piece without one if
        ``unknown`` is None.
        """
        numbers = self.numbers
        other = None if self.unknown is None else numbers[self.unknown]
        codes = [numbers.get(piece, other) for piece in pieces(text, self.of, self.lower)]
        if None in codes:
            piece = pieces(text, self.of, self.lower)[codes.index(None)]
            raise ValueError(f"{piece!r} is no entry of the vocabulary")
        return codes  # type: ignore[return-value]

    def difference(self, other: Vocabulary) -> str | None:
        """What another vocabulary has that differs, in words; None if they are equal."""
        if self == other:
            return None
        if self.options != other.options:
            name = next(name for name, value in self.options.items() if other.options[name] != value)
            was, now = (
                json.dumps(vocabulary.options[name], ensure_ascii=False) for vocabulary in (self, other)
            )
            return f"{name} was {was} and is {now}"
        new = [entry for entry in other.entries if entry not in self.numbers]
        gone = [entry for entry in self.entries if entry not in other.numbers]
        told = [f"{len(new):,} new ({_some(new)})"] if new else []
        told += [f"{len(gone):,} gone ({_some(gone)})"] if gone else []
        for number, (was, now) in enumerate(zip(self.entries, other.entries, strict=False)):
            if was != now:
                told.append(f"number {number} was {was!r} and is {now!r}")
                break
        return ", ".join(told)


def _some(entries: list[str], most: int = 3) -> str:
    return ", ".join(map(repr, entries[:most])) + (", …" if len(entries) > most else "")


def build_vocabulary(spec: VocabularySpec, counts: Mapping[str, int]) -> Vocabulary:
    """The vocabulary for pieces that occur so often. Equally frequent ones are in the order of their code points."""
    special = spec.special
    order = sorted(
        (piece for piece, count in counts.items() if count >= spec.min_count and piece not in special),
        key=lambda piece: (-counts[piece], piece),
    )
    entries = tuple([*special, *order][: spec.size])
    return Vocabulary(spec.of, spec.lower, spec.padding, spec.unknown, entries, spec.begin, spec.end)


def pieces(text: str, of: str, lower: bool = False) -> list[str]:
    """A text's pieces: words, what stands between spaces, or characters; in Unicode's form NFC."""
    if not text.isascii():
        text = unicodedata.normalize("NFC", text)
    if lower:
        text = text.lower()
    if of == "characters":
        return list(text)
    chunks = text.split()
    return chunks if of == "spaces" else [word for chunk in chunks for word in _words(chunk)]


@lru_cache(maxsize=1 << 16)
def _words(chunk: str) -> tuple[str, ...]:
    """The words and other characters in a text without spaces."""
    return (chunk,) if chunk.isalnum() else tuple(_divided(chunk))


def _divided(chunk: str) -> Iterator[str]:
    word = ""
    for i, character in enumerate(chunk):
        inner = character in _APOSTROPHES and word and i + 1 < len(chunk) and _in_word(chunk[i + 1])
        if inner or _in_word(character):
            word += character
            continue
        if word:
            yield word
            word = ""
        yield character
    if word:
        yield word


def _in_word(character: str) -> bool:
    # Letters, numbers, and the marks that many scripts write on letters.
    return character == "_" or unicodedata.category(character)[0] in "LNM"


def to_text(vocabularies: Mapping[str, Vocabulary]) -> str:
    """Vocabularies by input as JSON."""
    return json.dumps(
        {name: asdict(vocabulary) for name, vocabulary in vocabularies.items()}, ensure_ascii=False
    )


def from_metadata(metadata: Mapping[str, str], path: object) -> dict[str, Vocabulary]:
    """The vocabularies in the metadata of a file of weights. Raises WeightsError for text that holds none."""
    try:
        written = json.loads(metadata.get(KEY, "{}"))
        return {name: _vocabulary(vocabulary) for name, vocabulary in written.items()}
    except (ValueError, TypeError, AttributeError, KeyError, RecursionError) as error:
        raise WeightsError(f"{path}: the vocabularies can't be read: {error}") from None


def _vocabulary(written: Mapping[str, Any]) -> Vocabulary:
    vocabulary = Vocabulary(**{**written, "entries": tuple(written["entries"])})
    special = vocabulary.special
    if vocabulary.of not in _KINDS or not isinstance(vocabulary.lower, bool):
        raise ValueError("it is not known how text is divided")
    if not all(isinstance(entry, str) for entry in (*vocabulary.entries, *special)):
        raise ValueError("an entry is no text")
    if len(vocabulary.numbers) != len(vocabulary.entries):
        raise ValueError("an entry is there twice")
    if vocabulary.entries[: len(special)] != special:
        raise ValueError("padding, unknown, begin and end are not the first entries")
    return vocabulary
