"""PyYAML's parser, which here goes on after a mistake: it puts in a comma that is missed, gives a value without a key
an empty one, and skips what nothing can be made of.
"""

from __future__ import annotations

from typing import Any

from yaml import tokens as tk
from yaml.parser import Parser, ParserError

from .mending_scanner import MendingScanner

_IN_FLOW = (tk.AliasToken, tk.AnchorToken, tk.TagToken, tk.ScalarToken)
_IN_FLOW += (tk.FlowSequenceStartToken, tk.FlowMappingStartToken)
_NODE = (*_IN_FLOW, tk.BlockSequenceStartToken, tk.BlockMappingStartToken)


class MendingParser(MendingScanner, Parser):
    """Gives the events of any text, or of some of its lines."""

    def __init__(self, text: str, start: int = 0, end: int | None = None) -> None:
        MendingScanner.__init__(self, text, start, end)
        Parser.__init__(self)

    def parse_node(self, block: bool = False, indentless_sequence: bool = False) -> Any:
        mark = self.peek_token().start_mark
        try:
            return super().parse_node(block, indentless_sequence)
        except ParserError:
            self.state = self.states.pop()
            return self.process_empty_scalar(mark)

    # Brackets.

    def parse_flow_mapping_key(self, first: bool = False) -> Any:
        if not first:
            self.to_comma(tk.FlowMappingEndToken)
        return super().parse_flow_mapping_key(first)

    def parse_flow_sequence_entry(self, first: bool = False) -> Any:
        if not first:
            self.to_comma(tk.FlowSequenceEndToken)
        return super().parse_flow_sequence_entry(first)

    def to_comma(self, end: Any) -> None:
        while not self.check_token(tk.FlowEntryToken, end):
            mark = self.peek_token().start_mark
            if self.check_token(tk.KeyToken, *_IN_FLOW):
                self.tokens.insert(0, tk.FlowEntryToken(mark, mark))
            elif self.check_token(tk.StreamEndToken):
                self.tokens.insert(0, end(mark, mark))
            else:
                self.get_token()
                continue
            self.tokens_taken -= 1  # later tokens keep their numbers

    # Blocks.

    def parse_block_mapping_key(self) -> Any:
        while not self.check_token(tk.KeyToken, tk.BlockEndToken):
            mark = self.peek_token().start_mark
            if self.check_token(tk.ValueToken):
                self.state = self.parse_block_mapping_value
                return self.process_empty_scalar(mark)
            if self.check_token(tk.BlockEntryToken, *_NODE):
                self.state = self.parse_without_key
                return self.process_empty_scalar(mark)
            self.get_token()
        return super().parse_block_mapping_key()

    def parse_without_key(self) -> Any:
        self.states.append(self.parse_block_mapping_key)
        return self.parse_block_node_or_indentless_sequence()

    def parse_block_mapping_value(self) -> Any:
        if self.check_token(tk.BlockMappingStartToken, tk.BlockSequenceStartToken):
            return self.parse_without_key()  # only the colon is missing
        return super().parse_block_mapping_value()

    def parse_block_sequence_entry(self) -> Any:
        while not self.check_token(tk.BlockEntryToken, tk.BlockEndToken):
            if self.check_token(*_NODE):
                self.states.append(self.parse_block_sequence_entry)
                return self.parse_block_node()
            self.get_token()
        return super().parse_block_sequence_entry()

    def parse_document_start(self) -> Any:
        while not self.check_token(tk.StreamEndToken, tk.DocumentStartToken):
            if self.check_token(*_NODE):
                return self.parse_implicit_document_start()
            self.get_token()
        return super().parse_document_start()
