"""Skips where nothing can link an executable."""

import pytest

from netwright.compiler.codegen.files.linker import LinkError, find_compiler
from netwright.compiler.codegen.targets.target import host_target


def need_linker() -> None:
    try:
        find_compiler(host_target())
    except LinkError as error:
        pytest.skip(f"executables need a linker: {error}")
