"""Libraries for programs in C: the header, the C code behind it, weights beside the library, files for build systems.

``interface`` decides what a library offers and how it is called; ``header`` and ``source`` write that as C, from the
templates in ``c/library``; ``weights`` is the format of weights in a file; ``link`` makes the files.
"""
