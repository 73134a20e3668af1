"""`netwright lsp`: runs the language server for editors."""

from __future__ import annotations

import click

from ..errors import RequestError


@click.command("lsp")
@click.option("--port", type=click.IntRange(1, 65535), help="Listen on this port of 127.0.0.1 instead.")
def command(port: int | None) -> None:
    """Serve an editor over standard input and output (the Language Server Protocol).

    It offers diagnostics while you type, completion, documentation and shapes on hover, each layer's output shape next
    to it, definitions, and quick fixes. It needs the extra: pip install "netwright[lsp]".
    """
    try:
        from ..lsp.server import serve
    except ImportError as error:
        if error.name not in ("pygls", "lsprotocol"):
            raise
        raise RequestError('the language server needs pygls: pip install "netwright[lsp]"') from error
    serve(port)
