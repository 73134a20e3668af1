"""What LLVM does not take is an error that names the layers."""

from __future__ import annotations

import pytest

from netwright.compiler.codegen import jit
from netwright.compiler.codegen.files.aot import emit
from netwright.compiler.codegen.llvm import modules
from netwright.compiler.codegen.objects.compile import CompileError

from ..engines.harness import Model

SPEC = {
    "netwright": 1,
    "model": "small",
    "dims": {"N": "batch"},
    "inputs": {"x": {"shape": ["N", 4]}},
    "layers": [{"name": "first", "type": "dense", "units": 3}, {"name": "second", "type": "tanh"}],
    "outputs": {"y": "second"},
}


@pytest.mark.parametrize("broken", ["  %x = add i32 1, true\n", "  br label %nowhere\n", "  ret i64 0\n"])
def test_a_module_that_fails_names_its_layers(monkeypatch: pytest.MonkeyPatch, broken: str) -> None:
    program = Model(SPEC).lowered.program
    write = modules.write_kernel

    def damaged(*arguments: object) -> str:
        return write(*arguments).replace("  ret i32 0\n", broken)  # pyright: ignore[reportArgumentType]

    monkeypatch.setattr(modules, "write_kernel", damaged)
    for compile in (lambda: jit.compile_jit(program, cache=None), lambda: emit(program, "object")):
        with pytest.raises(
            CompileError, match=r"kernel k\w+ \(layers first, second\)[^$]*--engine reference"
        ):
            compile()
