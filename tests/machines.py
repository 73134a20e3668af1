"""Machines to lower for: what differs between them is the code, never the result."""

from dataclasses import replace

from netwright.compiler.machine import Machine

AVX512 = Machine(vector_bytes=64, vector_registers=32, broadcast_operand=True)
AVX2 = Machine(vector_bytes=32, vector_registers=16, early_elements=0)
SSE = Machine(vector_bytes=16, vector_registers=16, fma=False, masked=False, early_elements=0)
NEON = Machine(vector_bytes=16, vector_registers=32, masked=False)

#: AVX2 with caches so small that small matrices leave them, and are fetched ahead.
SMALL_CACHES = replace(AVX2, l1_bytes=2 << 10, l2_bytes=8 << 10, prefetch=True)
#: AVX-512 with a second cache that holds the weights of most layers.
LARGE_CACHES = replace(AVX512, l2_bytes=2 << 20)
#: A microcontroller: floats one by one, and code that is to be short.
CORTEX = Machine(vector_bytes=4, vector_registers=8, masked=False, pointer_bytes=4, compact=True)
MACHINES = {"avx512": AVX512, "small_caches": SMALL_CACHES, "avx2": AVX2, "sse": SSE, "neon": NEON}
