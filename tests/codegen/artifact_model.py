"""A small classifier with everything an artifact can have: an arena, weights, labels, threads, a checked index."""

from __future__ import annotations

import numpy as np

from netwright.compiler.codegen.llvm.entries import entry_symbol
from netwright.compiler.loop import ir
from netwright.compiler.loop.builder import Builder
from netwright.specs.dims import dim
from netwright.specs.manifest import BufferInfo, DimInfo, EntryInfo, Manifest

from .codegen_harness import run_program

N = dim("N")
FEATURES, CLASSES = 5, 3
LABELS = ["ant", 'bee "b"', "çat"]


def classifier(model: str = "pets", scale: float = 1.0) -> tuple[ir.Program, Manifest]:
    """scores = scale · x · w + table[kind], class = argmax(scores): x [N, 5], kind [N] in 0…3, N from 1 to 100."""
    b = Builder("dense", {"N": 1})
    x, w = b.buffer("x", "float32", (N, FEATURES)), b.buffer("w", "float32", (FEATURES, CLASSES))
    h = b.buffer("h", "float32", (N, CLASSES), "write")
    with b.loop("n", 0, N, kind="parallel") as n:
        total = b.register("total", b.const(0.0, "float32", 4))
        with b.loop("k", 0, FEATURES) as k:
            row = b.load(w, (k, 0), 4, count=CLASSES)
            b.assign(total, b.fma(b.broadcast(b.load(x, (n, k)), 4), row, total))
        b.store(h, (n, 0), b.mul(total, b.const(scale, "float32", 4)), count=CLASSES)
    dense = b.finish()

    b = Builder("classify", {"N": 1})
    h, kind = b.buffer("h", "float32", (N, CLASSES)), b.buffer("kind", "int64", (N,))
    table = b.buffer("table", "float32", (4, CLASSES))
    scores = b.buffer("scores", "float32", (N, CLASSES), "write")
    best = b.buffer("class", "int64", (N,), "write")
    with b.loop("n", 0, N, kind="parallel") as n:
        which = b.let_index("which", b.load(kind, (n,)), 0, 4, error=1)
        largest = b.register("largest", b.const(float("-inf"), "float32"))
        at = b.register("at", b.const(0, "int64"))
        with b.loop("j", 0, CLASSES) as j:
            score = b.let("score", b.add(b.load(h, (n, j)), b.load(table, (which, j))))
            b.store(scores, (n, j), score)
            better = b.let("better", b.gt(score, largest))
            b.assign(at, b.select(better, b.index_value(j, "int64"), at))
            b.assign(largest, b.select(better, score, largest))
        b.store(best, (n,), at)
    classify = b.finish()

    e = Builder("predict", {"N": 1})
    e.buffer("h", "float32", (N, CLASSES), "readwrite")
    used = [
        e.buffer("x", "float32", (N, FEATURES)),
        e.buffer("kind", "int64", (N,)),
        e.buffer("d.w", "float32", (FEATURES, CLASSES)),
        e.buffer("d_w", "float32", (4, CLASSES)),
        e.buffer("scores", "float32", (N, CLASSES), "write"),
        e.buffer("class", "int64", (N,), "write"),
    ]
    e.call("dense", [ir.Slice("x"), ir.Slice("d.w"), ir.Slice("h")], [N])
    e.barrier()
    e.call("classify", [ir.Slice(name) for name in ("h", "kind", "d_w", "scores", "class")], [N])
    entry = ir.Entry("predict", e.finish(), (ir.ArenaBuffer("h", 4 * CLASSES * N, 0, 1),))
    unused = ir.Buffer("target", "int64", (N,))
    program = ir.Program(
        model, (("N", 1),), (*used, unused), {"dense": dense, "classify": classify}, {"predict": entry}
    )
    roles = ["input", "input", "packed", "parameter", "output", "output", "input"]
    manifest = Manifest(
        netwright="0.1.0",
        model=model,
        target="test",
        dims=[DimInfo(name="N", max=100, role="batch")],
        buffers=[
            BufferInfo(
                name=buffer.name,
                role=role,  # type: ignore[arg-type]
                dtype=buffer.dtype,
                shape=[str(size) for size in buffer.shape],
                labels=LABELS if buffer.name == "class" else None,
            )
            for buffer, role in zip(program.table, roles, strict=True)
        ],
        entries=[
            EntryInfo(
                name="predict",
                symbol=entry_symbol(model, "predict"),
                reads=["x", "kind", "d.w", "d_w"],
                writes=["scores", "class"],
                slots=1,
            )
        ],
    )
    return program, manifest


def weights() -> dict[str, np.ndarray]:
    rng = np.random.default_rng(3)
    return {
        "d.w": rng.standard_normal((FEATURES, CLASSES)).astype(np.float32),
        "d_w": rng.standard_normal((4, CLASSES)).astype(np.float32),
    }


def doubler() -> tuple[ir.Program, Manifest]:
    """y = 2·x, with one input and one output: [N, T, 2 + 1] int32 to int32, with a size of several terms."""
    T = dim("T")
    b = Builder("double", {"N": 1, "T": 1})
    x = b.buffer("x", "int32", (N, T, 3))
    y = b.buffer("y", "int32", (N, T * 3 + 1), "write")
    with b.loop("n", 0, N, kind="parallel") as n:
        with b.loop("t", 0, T) as t, b.loop("c", 0, 3) as c:
            b.store(y, (n, 3 * t + c), b.mul(b.load(x, (n, t, c)), b.const(2, "int32")))
        b.store(y, (n, 3 * T), b.const(-1, "int32"))
    kernel = b.finish()
    e = Builder("predict", {"N": 1, "T": 1})
    table = (e.buffer("x", "int32", (N, T, 3)), e.buffer("y", "int32", (N, T * 3 + 1), "write"))
    e.call("double", [ir.Slice("x"), ir.Slice("y")], [N, T])
    program = ir.Program(
        "doubler",
        (("N", 1), ("T", 1)),
        table,
        {"double": kernel},
        {"predict": ir.Entry("predict", e.finish())},
    )
    manifest = Manifest(
        netwright="0.1.0",
        model="doubler",
        target="test",
        dims=[DimInfo(name="N"), DimInfo(name="T", min=2)],
        buffers=[
            BufferInfo(name="x", role="input", dtype="int32", shape=["N", "T", "3"]),
            BufferInfo(name="y", role="output", dtype="int32", shape=["N", "3*T + 1"]),
        ],
        entries=[
            EntryInfo(name="predict", symbol="doubler_predict_entry", reads=["x"], writes=["y"], slots=0)
        ],
    )
    return program, manifest


def inputs(n: int = 6) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(n)
    return {"x": rng.standard_normal((n, 5)).astype(np.float32), "kind": rng.integers(0, 4, n)}


def in_process(arrays: dict[str, np.ndarray], nthreads: int = 1) -> dict[str, np.ndarray]:
    program, _ = classifier()
    n = len(arrays["x"])
    out = {"scores": np.zeros((n, 3), np.float32), "class": np.zeros(n, np.int64)}
    assert run_program(program, {"N": n}, arrays | weights() | out, nthreads, "predict") == 0
    return out
