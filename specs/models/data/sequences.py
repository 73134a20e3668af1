"""Data sets of token numbers, from text or as they are."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Field, model_validator
from pydantic_core import PydanticCustomError

from ..base import Flag, Name, Size, SpecModel, at
from .base import DataSpec, Location


def separator(value: str) -> str:
    """Checks a character that separates fields."""
    if len(value) != 1 or value in '"\r\n':
        message = 'separator has to be one character, such as ; or a tab ("\\t"), and no quote or line break'
        raise PydanticCustomError("text", message)
    return value


Separator = Annotated[str, AfterValidator(separator)]


def _entry(value: str) -> str:
    if not value or not value.isprintable():
        raise PydanticCustomError("text", "an entry of the vocabulary has printable characters")
    return value


Entry = Annotated[str, AfterValidator(_entry)]


class VocabularySpec(SpecModel):
    """Which pieces of text have numbers of their own. It is made from the training data and stored with the weights:
    the padding token is 0, the unknown token is 1, those of begin and end come next, as far as there are any, and the
    others follow, the most frequent first.
    """

    of: Literal["words", "spaces", "characters"] = "words"
    """The pieces: `words` are runs of letters and digits (an apostrophe may stand inside), and any other character that
    is no space; `spaces`: whatever stands between spaces; `characters`: every character, spaces included.
    """
    size: Size | None = None
    """The most entries, those of padding and unknown included; the most frequent ones are kept. By default all."""
    min_count: Size = 1
    """How often a piece has to occur in the training data to be an entry."""
    lower: Flag = False
    """Whether upper-case letters become lower-case ones."""
    padding: Entry | None = "<pad>"
    """The entry that fills up shorter texts; null if there is none, which needs an input with `lengths`."""
    unknown: Entry | None = "<unk>"
    """The entry of all pieces that are no entries; null makes such a piece an error."""
    begin: Entry | None = None
    """An entry that is put before each text, such as `<s>`. By default there is none."""
    end: Entry | None = None
    """An entry that is put after each text, such as `</s>`, so that a model learns where texts end."""

    @property
    def special(self) -> tuple[str, ...]:
        """The entries that are no pieces of text, in the order of their numbers."""
        return tuple(name for name in (self.padding, self.unknown, self.begin, self.end) if name is not None)

    @model_validator(mode="after")
    def _consistent(self) -> VocabularySpec:
        special = self.special
        keys: dict[str, str] = {}
        for key in ("padding", "unknown", "begin", "end"):
            name = getattr(self, key)
            if name in keys:
                raise at(
                    key,
                    "together",
                    "{first} and {second} are both {name}",
                    first=keys[name],
                    second=key,
                    name=name,
                )
            if name is not None:
                keys[name] = key
        if self.size is not None and self.size <= len(special):
            message = "size is {size}, which leaves no entry beside {special}"
            raise at("size", "together", message, size=self.size, special=" and ".join(special))
        return self


def _written(value: Any) -> Any:
    return {"of": value} if isinstance(value, str) else value


Vocabulary = Annotated[
    VocabularySpec,
    BeforeValidator(
        _written, json_schema_input_type=Literal["words", "spaces", "characters"] | VocabularySpec
    ),
]


class TextColumnSpec(SpecModel):
    """A column of text, whose tokens' numbers fill an input."""

    vocabulary: Vocabulary = VocabularySpec()
    """The pieces of text that have numbers: `words`, `spaces`, `characters`, or a mapping."""
    length: Size | None = None
    """How many tokens a text becomes: of longer ones the first are kept, shorter ones are padded."""
    next_token: Name | None = None
    """A target `[N, T]` that gets the token after each token of the input, from the same column. With `begin` and `end`
    in the vocabulary, the input is the text after `begin`, and the target the text before `end` (see [From one text to
    another](#from-one-text-to-another)).
    """


class SequenceData(DataSpec):
    """Base of the sequences of tokens: whole numbers for an input `[N, T]`.

    T is `length`, or as much as the longest sample needs; shorter ones are filled up with zeros. The input that
    `lengths` of the input names gets the number of tokens of each sample. Without such an input, samples of different
    lengths need `length`.
    """

    input: Name | None = None
    """The input that the tokens fill; needed only if more than one could be meant."""
    target: Name | None = None
    """The target that the labels fill; needed only if more than one could be meant."""
    labels: Location | None = None
    """A file with a label per line, for the samples of a file with a sample per line: the name of a class, or a number.
    """
    label: Literal["first", "last"] | None = None
    """Says that each line has its label in its first or last field instead."""
    separator: Separator = "\t"
    """The character that separates that field from the others."""
    length: Size | None = None
    """How many tokens a sample becomes: of longer ones the first are kept, shorter ones are filled up."""
    next_token: Flag = False
    """Whether the target, `[N, T]`, gets the token after each token of the input: a sample of tokens 0 to n has tokens
    0 to n − 1 as its input, and 1 to n as its target.
    """
    stride: Size | None = None
    """Reads the file as one stream instead of a sample per line, and cuts it into samples of `length` tokens, with
    `next_token`, that begin so many tokens apart. Tokens at the end that fill no sample are left over.
    """

    @model_validator(mode="after")
    def _one_place_of_labels(self) -> SequenceData:
        if self.labels is not None and self.label is not None:
            raise at("label", "together", "labels are in another file or in the lines, not in both")
        return self

    @model_validator(mode="after")
    def _next_tokens_are_the_labels(self) -> SequenceData:
        for key in ("labels", "label"):
            if self.next_token and getattr(self, key) is not None:
                raise at(key, "together", "with next_token the tokens are the target; there are no labels")
        if self.stride is not None:
            if not self.next_token:
                raise at("stride", "together", "stride cuts a stream for next_token: true")
            if self.length is None:
                raise at("stride", "together", "stride needs length, the tokens of a sample")
        return self

    @model_validator(mode="after")
    def _a_stream_has_no_ends(self) -> SequenceData:
        vocabulary = getattr(self, "vocabulary", None)
        if self.stride is not None and vocabulary is not None and (vocabulary.begin or vocabulary.end):
            raise at(
                "stride",
                "together",
                "with stride the file is one stream, whose samples have no begin and end",
            )
        return self


class TextData(SequenceData):
    """Text in UTF-8: a file with a sample per line, or a folder with a folder of `.txt` files per class. Characters are
    compared in Unicode's form NFC. The numbers of the tokens are kept in memory.
    """

    type: Literal["text"] = "text"
    path: Location
    """The file or folder."""
    vocabulary: Vocabulary = VocabularySpec()
    """The pieces of text that have numbers: `words`, `spaces`, `characters`, or a [mapping](#vocabularies)."""


class TokensData(SequenceData):
    """Numbers of tokens: a text file with a sample per line, whose whole numbers are separated by spaces or commas; or
    arrays (a `.npz` file, a folder of `.npy` files, or a mapping of names to such files): all samples' tokens one after
    the other in `ids`, in `offsets` where each sample begins and, as its last number, where the last one ends. Further
    arrays have the names of inputs and targets. With `stride`, `ids` alone are enough.
    """

    type: Literal["tokens"] = "tokens"
    path: Location | Annotated[dict[Name, Location], Field(min_length=1)]
    """The file or folder, or a mapping of `ids`, `offsets` and further arrays to `.npy` files."""
