"""An example's network is compiled once for all tests of it."""

from collections.abc import Iterator

import pytest

from ..built_once import built_once


@pytest.fixture(autouse=True, scope="package")
def _built_once() -> Iterator[None]:
    with built_once():
        yield
