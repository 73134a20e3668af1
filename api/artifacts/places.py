"""Where the files of a library go: beside it, or in a folder as installed libraries have it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Self

from netwright.compiler.codegen.targets.target import Target
from netwright.specs.files import is_stream

from ..errors import RequestError


@dataclass(frozen=True, slots=True)
class Places:
    """The paths of a library, its C header and its weights if they are in a file; with a package also those of the
    files for pkg-config and CMake.
    """

    library: Path
    header: Path
    weights: Path
    pkg_config: Path | None = None
    cmake: Path | None = None

    @classmethod
    def beside(cls, library: Path) -> Self:
        """All in the library's folder. Raises RequestError if the library is a stream, or has the name of another."""
        if is_stream(library):
            raise RequestError(f"a library's header goes beside it, and there is no place beside {library}")
        header, weights = library.with_suffix(".h"), library.with_suffix(".weights")
        for path, what in ((header, "header is"), (weights, "weights are")):
            if path == library:
                raise RequestError(f"{library} is what the library's {what} called: choose another name")
        return cls(library, header, weights)

    @classmethod
    def package(cls, folder: Path, name: str, kind: str, target: Target) -> Self:
        """In `lib`, `include` and `share` of a folder."""
        suffix = ".a" if kind == "static" else shared_suffix(target)
        return cls(
            folder / "lib" / f"lib{name}{suffix}",
            folder / "include" / f"{name}.h",
            folder / "share" / name / f"{name}.weights",
            folder / "lib" / "pkgconfig" / f"{name}.pc",
            folder / "lib" / "cmake" / name / f"{name}Config.cmake",
        )


def shared_suffix(target: Target) -> str:
    """What the names of shared libraries end in."""
    return ".dylib" if target.is_darwin else ".so"
