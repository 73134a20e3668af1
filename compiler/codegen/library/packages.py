"""What build systems read to find a library: files for pkg-config and CMake, which may be moved with the library."""

from __future__ import annotations

_PKG_CONFIG = """\
# Made by Netwright @VERSION@.
prefix=${pcfiledir}/../..
libdir=${prefix}/lib
includedir=${prefix}/include
@WEIGHTS@
Name: @NAME@
Description: the neural network @MODEL@ for @TARGET@
Version: @VERSION@
Cflags: -I${includedir}
Libs: -L${libdir} -l@NAME@@STATIC@
Libs.private: -pthread -lm
"""
_CMAKE = """\
# Made by Netwright @VERSION@: the library as the target @NAME@::@NAME@.
if(TARGET @NAME@::@NAME@)
  return()
endif()
get_filename_component(_prefix "${CMAKE_CURRENT_LIST_DIR}/../../.." ABSOLUTE)
if(EXISTS "${_prefix}/lib/lib@NAME@@SUFFIX@")
  add_library(@NAME@::@NAME@ SHARED IMPORTED)
  set_target_properties(@NAME@::@NAME@ PROPERTIES IMPORTED_LOCATION "${_prefix}/lib/lib@NAME@@SUFFIX@")
else()
  set(THREADS_PREFER_PTHREAD_FLAG ON)
  find_package(Threads REQUIRED)
  add_library(@NAME@::@NAME@ STATIC IMPORTED)
  set_target_properties(@NAME@::@NAME@ PROPERTIES
    IMPORTED_LOCATION "${_prefix}/lib/lib@NAME@.a"
    INTERFACE_LINK_LIBRARIES "Threads::Threads;m")
endif()
set_target_properties(@NAME@::@NAME@ PROPERTIES INTERFACE_INCLUDE_DIRECTORIES "${_prefix}/include")
@WEIGHTS@unset(_prefix)
"""


def pkg_config(name: str, model: str, target: str, version: str, *, static: bool, weights: bool) -> str:
    """The file NAME.pc. ``weights``: whether the weights are in a file, whose path is the variable `weights`."""
    values = {"NAME": name, "MODEL": model, "TARGET": target, "VERSION": version}
    more = {
        "STATIC": " -pthread -lm" if static else "",
        "WEIGHTS": f"weights=${{prefix}}/share/{name}/{name}.weights\n" if weights else "",
    }
    return _filled(_PKG_CONFIG, {**values, **more})


def cmake_config(name: str, version: str, *, suffix: str, weights: bool) -> str:
    """The file NAMEConfig.cmake, for `find_package(NAME CONFIG)`. It takes the shared library, whose name ends in
    ``suffix``, if there is one, else the static one.
    """
    place = f'set({name}_WEIGHTS "${{_prefix}}/share/{name}/{name}.weights")\n' if weights else ""
    return _filled(_CMAKE, {"NAME": name, "VERSION": version, "SUFFIX": suffix, "WEIGHTS": place})


def _filled(text: str, values: dict[str, str]) -> str:
    for name, value in values.items():
        text = text.replace(f"@{name}@", value)
    return text
