"""whole.py LIBRARY FILE.f32: the gait at each step of a whole sequence, from Python, by ctypes alone."""

import ctypes
import sys
from array import array

library = ctypes.CDLL(sys.argv[1])
library.gait_embedded.restype = ctypes.c_void_p
library.gait_error.restype = library.gait_kind_label.restype = ctypes.c_char_p
library.gait_arena_bytes.restype = ctypes.c_size_t
library.gait_arena_bytes.argtypes = [ctypes.c_int64] * 2
library.gait_kind_label.argtypes = [ctypes.c_int64]
library.gait_predict.argtypes = [
    *[ctypes.c_void_p] * 3,  # model, motion, gait
    *[ctypes.c_int64] * 2,  # n, t
    *[ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int32],  # arena, arena_bytes, threads
]

with open(sys.argv[2], "rb") as file:
    motion = array("f", file.read())
steps = len(motion) // 3
gait = array("f", bytes(4 * 3 * steps))
size = library.gait_arena_bytes(1, steps)
arena = ctypes.create_string_buffer(size)
code = library.gait_predict(
    library.gait_embedded(), motion.buffer_info()[0], gait.buffer_info()[0], 1, steps, arena, size, 1
)
if code:
    sys.exit(library.gait_error(code).decode())
for step in range(steps):
    scores = gait[3 * step : 3 * step + 3]
    print(library.gait_kind_label(scores.index(max(scores))).decode())
