"""PyYAML's scanner, which here goes on after a mistake: each place where it would stop is mended.

What is mended follows YAML's own rules where it can. What stands in brackets or quotes has to be indented more than the
block around it, so a line that is not, and begins an item or a key, ends those that were left open. A word where only a
key can be is a key. A colon or bracket that nothing waits for is skipped.
"""

from __future__ import annotations

import re
from typing import Any

from yaml import tokens as tk
from yaml.reader import Reader
from yaml.scanner import Scanner, ScannerError

from ..source.scalars import UNCLOSED

_BEGINS = re.compile(r"-(?=[\s\0])|[A-Za-z_$][\w$.-]*:(?=[\s\0])")
"""What begins an item or an entry, and nothing that may go on inside brackets."""
_JUNK = re.compile(r"[^\s\0,:\[\]{}]+")
_CLOSED = re.compile(r""""(?:[^"\\\r\n]|\\.)*"|'(?:[^'\r\n]|'')*'""")


class MendingScanner(Reader, Scanner):
    """Gives the tokens of any text, with as many brackets and indentations closed as opened."""

    def __init__(self, text: str, start: int, end: int | None) -> None:
        # Blank space keeps every offset.
        Reader.__init__(self, Reader.NON_PRINTABLE.sub(" ", text[:end]))
        self.index = self.pointer = start
        self.brackets: list[Any] = []
        Scanner.__init__(self)

    def fetch_more_tokens(self) -> None:
        self.scan_to_next_token()
        if self.flow_level and (self.peek() == "\0" or self.is_outside()):
            self.close_brackets(0)
            self.allow_simple_key = True
        place = self.index, self.pointer, self.line, self.column
        try:
            super().fetch_more_tokens()
        except ScannerError:
            self.index, self.pointer, self.line, self.column = place
            self.fetch_junk()

    def fetch_junk(self) -> None:
        """Takes what is no token as a word."""
        match = _JUNK.match(self.buffer, self.pointer)
        if not match:
            self.forward()
            return
        key = self.possible_simple_keys.get(self.flow_level)
        if key is None or key.index != self.index:
            self.save_possible_simple_key()
        self.allow_simple_key = False
        self.tokens.append(self.scan_word(match.group(), match.group(), None))

    def scan_word(self, written: str, value: str, style: str | None) -> tk.ScalarToken:
        start = self.get_mark()
        self.forward(len(written))
        return tk.ScalarToken(value, style is None, start, self.get_mark(), style)

    # Brackets.

    def is_outside(self) -> bool:
        """Whether a line begins here, left of all that may stand in brackets or quotes."""
        before = self.buffer[self.pointer - self.column : self.pointer]
        return self.column <= self.indent and not before.strip(" ") and bool(self.begins())

    def begins(self) -> bool:
        return _BEGINS.match(self.buffer, self.pointer) is not None

    def close_brackets(self, level: int) -> None:
        while len(self.brackets) > level:
            self.remove_possible_simple_key()
            self.flow_level -= 1
            self.allow_simple_key = False
            mark = self.get_mark()
            self.tokens.append(self.brackets.pop()(mark, mark))

    def fetch_flow_sequence_start(self) -> None:
        super().fetch_flow_sequence_start()
        self.brackets.append(tk.FlowSequenceEndToken)

    def fetch_flow_mapping_start(self) -> None:
        super().fetch_flow_mapping_start()
        self.brackets.append(tk.FlowMappingEndToken)

    def fetch_flow_collection_end(self, TokenClass: Any) -> None:
        if TokenClass not in self.brackets:
            self.forward()
            return
        last = len(self.brackets) - self.brackets[::-1].index(TokenClass)
        self.close_brackets(last)
        self.brackets.pop()
        super().fetch_flow_collection_end(TokenClass)

    # Keys.

    def save_possible_simple_key(self) -> None:
        if self.flow_level and not (
            self.tokens and isinstance(self.tokens[-1], (tk.AnchorToken, tk.TagToken))
        ):
            self.allow_simple_key = True  # a comma, or the value before, may be missing
        super().save_possible_simple_key()
        key = self.possible_simple_keys.get(0)
        if key and self.indent < 0 and not self.flow_level and self.peek() not in "[{&*!":
            key.required = True  # a spec is a mapping

    def stale_possible_simple_keys(self) -> None:
        for level, key in list(self.possible_simple_keys.items()):
            if key.line != self.line or self.index - key.index > 1024:
                self.give_up_key(level)

    def remove_possible_simple_key(self) -> None:
        if self.flow_level in self.possible_simple_keys:
            self.give_up_key(self.flow_level)

    def give_up_key(self, level: int) -> None:
        """What no colon follows is a key all the same, where nothing else may be."""
        key = self.possible_simple_keys.pop(level)
        if not key.required:
            return
        tokens: list[Any] = [tk.KeyToken(key.mark, key.mark)]
        if self.add_indent(key.column):
            tokens.insert(0, tk.BlockMappingStartToken(key.mark, key.mark))
        at = key.token_number - self.tokens_taken
        self.tokens[at:at] = tokens
        for other in self.possible_simple_keys.values():
            if other.token_number >= key.token_number:
                other.token_number += len(tokens)

    def fetch_stream_end(self) -> None:
        self.remove_possible_simple_key()  # which may begin the mapping that ends here
        super().fetch_stream_end()

    def fetch_block_entry(self) -> None:
        self.allow_simple_key = True
        super().fetch_block_entry()

    def fetch_key(self) -> None:
        self.allow_simple_key = True
        super().fetch_key()

    def fetch_value(self) -> None:
        if self.flow_level or self.allow_simple_key or 0 in self.possible_simple_keys:
            super().fetch_value()
        else:
            self.forward()

    # Documents: there is one, and what would begin another is a word.

    def check_directive(self) -> bool:
        return False

    def check_document_start(self) -> bool | None:
        return self.tokens_taken + len(self.tokens) == 1 and super().check_document_start()

    def check_document_end(self) -> bool:
        return False

    # Scalars.

    def scan_plain_spaces(self, indent: int, start_mark: Any) -> Any:
        line = self.line
        spaces = super().scan_plain_spaces(indent, start_mark)
        if self.line == line:
            return spaces
        key = self.possible_simple_keys.get(self.flow_level)
        is_key = key is not None and key.required and key.index == start_mark.index
        ends = self.is_outside() if self.flow_level else is_key or self.begins()
        return None if ends else spaces

    def scan_flow_scalar(self, style: str) -> tk.ScalarToken:
        place = self.index, self.pointer, self.line, self.column
        try:
            token = super().scan_flow_scalar(style)
            if not self.leaves_block(self.buffer[place[1] : self.pointer]):
                return token
        except (ScannerError, ValueError, OverflowError):
            pass
        self.index, self.pointer, self.line, self.column = place
        match = _CLOSED.match(self.buffer, self.pointer)
        if match:
            return self.scan_word(match.group(), match.group()[1:-1], style)
        match = UNCLOSED.match(self.buffer, self.pointer)
        written = match.group() if match else self.peek()
        return self.scan_word(written, written[1:], style)

    def leaves_block(self, written: str) -> bool:
        """Whether a line in quotes begins what can't be in them."""
        for line in written.splitlines()[1:]:
            text = line.lstrip(" ")
            if len(line) - len(text) <= self.indent and _BEGINS.match(text + "\n"):
                return True
        return False
