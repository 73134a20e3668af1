"""The protocol: documents come in, answers go out. Everything here translates; the other modules know the language.

A text is checked in a thread, a moment after the last change; requests are answered from the text as it stands and the
last check, so that none waits for one.
"""

from __future__ import annotations

import asyncio
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from lsprotocol import types as lsp
from pygls.lsp.server import LanguageServer
from pygls.uris import to_fs_path

from netwright.specs.diagnostics.diagnostic import Diagnostic
from netwright.specs.reading.documents import recover_text
from netwright.specs.source.tree import SourceText, SourceTree, Span

from ..version import VERSION
from .analysis import Analysis, analyse
from .completion import Proposal, complete
from .reading import definition, hints, hover, symbols

#: How long a text has to rest before it is checked, in seconds.
_REST = 0.15

_KINDS = {
    "key": lsp.CompletionItemKind.Property,
    "type": lsp.CompletionItemKind.Class,
    "word": lsp.CompletionItemKind.EnumMember,
    "name": lsp.CompletionItemKind.Variable,
}
_SYMBOLS = {
    "layer": lsp.SymbolKind.Function,
    "input": lsp.SymbolKind.Interface,
    "block": lsp.SymbolKind.Class,
    "cell": lsp.SymbolKind.Class,
    "output": lsp.SymbolKind.Event,
}


@dataclass
class _Document:
    """An open text: how it reads now, and the last check."""

    tree: SourceTree
    version: int | None
    analysis: Analysis | None = None
    checked: str = ""
    timer: asyncio.TimerHandle | None = None
    done: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def source(self) -> SourceText:
        return self.tree.source


class SpecServer(LanguageServer):
    """The language server of specs."""

    def __init__(self) -> None:
        super().__init__("netwright", VERSION, text_document_sync_kind=lsp.TextDocumentSyncKind.Incremental)
        self.documents: dict[str, _Document] = {}
        self.pool = ThreadPoolExecutor(1)

    # Documents.

    def read(self, uri: str) -> _Document:
        """The document as it stands."""
        current = self.workspace.get_text_document(uri)
        known = self.documents.get(uri)
        if known is None or known.source.text != current.source:
            document = _Document(recover_text(current.source, _file(uri)), current.version)
            if known is not None:
                document.analysis, document.checked, document.timer = (
                    known.analysis,
                    known.checked,
                    known.timer,
                )
            self.documents[uri] = known = document
        known.version = current.version
        return known

    def changed(self, uri: str) -> None:
        """Checks the text once it rests."""
        document = self.read(uri)
        if document.timer:
            document.timer.cancel()
        loop = asyncio.get_running_loop()
        document.timer = loop.call_later(_REST, lambda: loop.create_task(self.check(uri)))

    async def check(self, uri: str) -> None:
        """Checks a text and tells what was found."""
        document = self.documents.get(uri)
        if document is None:
            return
        text, file = document.source.text, document.source.file
        folder = str(Path(file).parent) if Path(file).is_absolute() else None
        analysis = await asyncio.get_running_loop().run_in_executor(self.pool, analyse, text, file, folder)
        document = self.documents.get(uri)
        if document is None or document.source.text != text:
            return  # it was changed or closed meanwhile
        document.analysis, document.checked = analysis, text
        document.done.set()
        items = [self.diagnostic(uri, item) for item in analysis.diagnostics]
        self.text_document_publish_diagnostics(
            lsp.PublishDiagnosticsParams(uri=uri, diagnostics=items, version=document.version)
        )
        capabilities = self.client_capabilities.workspace
        if capabilities and capabilities.inlay_hint and capabilities.inlay_hint.refresh_support:
            self.workspace_inlay_hint_refresh(None)

    async def current(self, uri: str) -> Analysis | None:
        """The check of the text as it stands, waited for."""
        document = self.read(uri)
        if document.checked != document.source.text:
            await document.done.wait()
        return self.read(uri).analysis

    # Places.

    def range(self, uri: str, span: Span) -> lsp.Range:
        """A span as the client counts, which is in UTF-16 units unless it asked for others."""
        first = self.position(uri, span.line, span.column)
        last = self.position(uri, span.end_line, span.end_column)
        return lsp.Range(first, last)

    def position(self, uri: str, line: int, column: int) -> lsp.Position:
        before = self.read(uri).source.line(line)[: column - 1]
        return lsp.Position(line - 1, self.workspace.position_codec.client_num_units(before))

    def offsets(self, uri: str, start: int, end: int) -> lsp.Range:
        return self.range(uri, self.read(uri).source.span(start, end))

    def offset(self, uri: str, where: lsp.Position) -> int:
        return self.workspace.get_text_document(uri).offset_at_position(where)

    # Translations.

    def diagnostic(self, uri: str, item: Diagnostic) -> lsp.Diagnostic:
        """A finding. Its places in other files are told at the top of this one."""
        document = self.read(uri)
        here = document.source.file
        span = item.span if item.span.file == here else Span(here, 1, 1, 1, 1)
        text = (
            item.message if item.span.file == here else f"{item.span.file}:{item.span.line}: {item.message}"
        )
        more = [item.label, *item.notes, *([f"help: {item.help}"] if item.help else [])]
        related = [
            lsp.DiagnosticRelatedInformation(lsp.Location(uri, self.range(uri, place)), words)
            for place, words in item.labels
            if place.file == here
        ]
        unused = item.code in ("NW0601", "NW0602")
        return lsp.Diagnostic(
            range=self.range(uri, span),
            message="\n".join([text, *(line for line in more if line)]),
            severity=lsp.DiagnosticSeverity.Error
            if item.severity == "error"
            else lsp.DiagnosticSeverity.Warning,
            code=item.code,
            source="netwright",
            related_information=related or None,
            tags=[lsp.DiagnosticTag.Unnecessary] if unused else None,
        )

    def completion(self, uri: str, proposal: Proposal, position: int) -> lsp.CompletionItem:
        return lsp.CompletionItem(
            label=proposal.label,
            kind=_KINDS[proposal.kind],
            detail=proposal.detail or None,
            documentation=_markdown(proposal.documentation) if proposal.documentation else None,
            sort_text=f"{position:05}",
            filter_text=proposal.label,
            text_edit=lsp.TextEdit(self.offsets(uri, proposal.start, proposal.end), proposal.text),
        )


def create_server() -> SpecServer:
    """The server with all its features."""
    server = SpecServer()

    @server.feature(lsp.TEXT_DOCUMENT_DID_OPEN)
    async def opened(params: lsp.DidOpenTextDocumentParams) -> None:
        server.changed(params.text_document.uri)

    @server.feature(lsp.TEXT_DOCUMENT_DID_CHANGE)
    async def changed(params: lsp.DidChangeTextDocumentParams) -> None:
        server.changed(params.text_document.uri)

    @server.feature(lsp.TEXT_DOCUMENT_DID_CLOSE)
    async def closed(params: lsp.DidCloseTextDocumentParams) -> None:
        document = server.documents.pop(params.text_document.uri, None)
        if document and document.timer:
            document.timer.cancel()
        nothing = lsp.PublishDiagnosticsParams(uri=params.text_document.uri, diagnostics=[])
        server.text_document_publish_diagnostics(nothing)

    @server.feature(
        lsp.TEXT_DOCUMENT_COMPLETION,
        lsp.CompletionOptions(trigger_characters=[":", " ", "[", ",", "{", "$", "."]),
    )
    def completed(params: lsp.CompletionParams) -> lsp.CompletionList:
        uri = params.text_document.uri
        document = server.read(uri)
        proposals = complete(document.tree, server.offset(uri, params.position), document.analysis)
        ordered = sorted(proposals, key=lambda proposal: proposal.order)
        items = [server.completion(uri, proposal, position) for position, proposal in enumerate(ordered)]
        return lsp.CompletionList(is_incomplete=False, items=items)

    @server.feature(lsp.TEXT_DOCUMENT_HOVER)
    def hovered(params: lsp.HoverParams) -> lsp.Hover | None:
        uri = params.text_document.uri
        document = server.read(uri)
        about = hover(document.tree, server.offset(uri, params.position), document.analysis)
        if about is None:
            return None
        return lsp.Hover(_markdown(about.text), server.offsets(uri, about.start, about.end))

    @server.feature(lsp.TEXT_DOCUMENT_DEFINITION)
    def defined(params: lsp.DefinitionParams) -> lsp.Location | None:
        uri = params.text_document.uri
        target = definition(server.read(uri).tree, server.offset(uri, params.position))
        return lsp.Location(uri, server.offsets(uri, target.start, target.end)) if target else None

    @server.feature(lsp.TEXT_DOCUMENT_INLAY_HINT)
    def hinted(params: lsp.InlayHintParams) -> list[lsp.InlayHint]:
        uri = params.text_document.uri
        document = server.read(uri)
        start, end = server.offset(uri, params.range.start), server.offset(uri, params.range.end)
        return [
            lsp.InlayHint(
                position=server.offsets(uri, hint.offset, hint.offset).start,
                label=hint.text,
                kind=lsp.InlayHintKind.Type,
                padding_left=True,
                tooltip=_markdown(hint.tooltip),
            )
            for hint in hints(document.tree, start, end, document.analysis)
        ]

    @server.feature(lsp.TEXT_DOCUMENT_DOCUMENT_SYMBOL)
    def outlined(params: lsp.DocumentSymbolParams) -> list[lsp.DocumentSymbol]:
        uri = params.text_document.uri
        outline = []
        for symbol in symbols(server.read(uri).tree):
            place = server.offsets(uri, symbol.start, symbol.end)
            kind = _SYMBOLS.get(symbol.kind, lsp.SymbolKind.Constant)
            outline.append(lsp.DocumentSymbol(symbol.name, kind, place, place, symbol.detail or symbol.kind))
        return outline

    @server.feature(
        lsp.TEXT_DOCUMENT_CODE_ACTION, lsp.CodeActionOptions(code_action_kinds=[lsp.CodeActionKind.QuickFix])
    )
    async def offered(params: lsp.CodeActionParams) -> list[lsp.CodeAction]:
        uri = params.text_document.uri
        analysis = await server.current(uri)
        if analysis is None:
            return []
        tried = await asyncio.get_running_loop().run_in_executor(server.pool, lambda: analysis.fixes)
        actions = []
        for item in tried:
            place = server.diagnostic(uri, item)
            if not item.fixes or not _meet(place.range, params.range):
                continue
            for fix in item.fixes:
                if any(edit.span.file != _file(uri) for edit in fix.edits):
                    continue
                edits = [lsp.TextEdit(server.range(uri, edit.span), edit.text) for edit in fix.edits]
                actions.append(
                    lsp.CodeAction(
                        title=fix.title,
                        kind=lsp.CodeActionKind.QuickFix,
                        diagnostics=[place],
                        is_preferred=fix.safe,
                        edit=lsp.WorkspaceEdit(changes={uri: edits}),
                    )
                )
        return actions

    return server


def _markdown(text: str) -> lsp.MarkupContent:
    return lsp.MarkupContent(lsp.MarkupKind.Markdown, text)


def _meet(own: lsp.Range, other: lsp.Range) -> bool:
    def key(where: lsp.Position) -> tuple[int, int]:
        return where.line, where.character

    return key(own.start) <= key(other.end) and key(other.start) <= key(own.end)


def _file(uri: str) -> str:
    return to_fs_path(uri) or uri


def serve(port: int | None = None, **options: Any) -> None:
    """Serves on standard input and output, or on a port of this machine."""
    # A check is one long computation; a request is not to wait for it.
    sys.setswitchinterval(0.001)
    server = create_server()
    if port is None:
        server.start_io()
    else:
        server.start_tcp(options.get("host", "127.0.0.1"), port)
