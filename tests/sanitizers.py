"""How programs are built that the sanitizers for addresses and undefined behaviour watch."""

import os

#: The same for all, so that each of our C files is compiled once. That is kept where there is no debug information: add
#: -g to see lines in what a sanitizer reports.
FLAGS = [
    "-O1",
    "-fsanitize=address,undefined",
    "-fno-sanitize-recover=all",
    "-Werror",
    "-Wshadow",
    "-Wconversion",
]
ENVIRONMENT = os.environ | {"ASAN_OPTIONS": "detect_leaks=0:exitcode=99", "UBSAN_OPTIONS": "exitcode=99"}
