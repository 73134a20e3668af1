"""Runs a WebAssembly module as a program: ``python -m netwright.verification.wasi MODULE ARGUMENTS…``.

It sees all files, under their own paths, and this process's standard streams. Needs wasmtime.
"""

from __future__ import annotations

import sys


def main(module: str, *arguments: str) -> int:
    """The exit code of the module."""
    import wasmtime

    engine = wasmtime.Engine()
    store, linker = wasmtime.Store(engine), wasmtime.Linker(engine)
    linker.define_wasi()
    config = wasmtime.WasiConfig()
    config.argv = (module, *arguments)
    config.preopen_dir("/", "/")
    config.inherit_stdin()
    config.inherit_stdout()
    config.inherit_stderr()
    store.set_wasi(config)
    try:
        start = linker.instantiate(store, wasmtime.Module.from_file(engine, module)).exports(store)["_start"]
        assert isinstance(start, wasmtime.Func)
        start(store)
    except wasmtime.ExitTrap as ended:
        return ended.code
    except (wasmtime.Trap, wasmtime.WasmtimeError) as trap:
        print(trap, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
