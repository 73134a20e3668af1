"""Compiling without what was compiled before."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def cold_cache() -> Iterator[None]:
    """An empty cache of compiled code meanwhile."""
    before = os.environ.get("NETWRIGHT_CACHE_DIR")
    with tempfile.TemporaryDirectory() as folder:
        os.environ["NETWRIGHT_CACHE_DIR"] = folder
        try:
            yield
        finally:
            if before is None:
                del os.environ["NETWRIGHT_CACHE_DIR"]
            else:
                os.environ["NETWRIGHT_CACHE_DIR"] = before
