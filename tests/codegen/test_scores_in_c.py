"""The formulas of losses and metrics in C, beside those in Python: the same bits."""

from __future__ import annotations

import ctypes
import math
import shutil
import subprocess

import numpy as np
import pytest
from numpy.typing import NDArray

from netwright.compiler.codegen.files.linker import C_SOURCES
from netwright.runtime.scores import value_of
from netwright.specs.manifest import ScoreInfo

pytestmark = pytest.mark.skipif(shutil.which("cc") is None, reason="no C compiler (install gcc or clang)")

#: The formula, how many sums it has, and the shape of each.
CASES: list[tuple[str, int, tuple[int, ...]]] = [
    ("mean", 2, ()),
    ("mean", 6, ()),
    *((name, 3, (size,)) for name in ("precision", "recall", "f1") for size in (1, 7, 8, 130, 300)),
    *(("r2", 4, (size,)) for size in (1, 9, 129)),
    *(("auc", 2, (size, ranges)) for size in (1, 10) for ranges in (5, 64, 200)),
    ("perplexity", 2, ()),
]
TABLES = """
#include <stdlib.h>
#include "training.h"
static int64_t size(int32_t buffer, int32_t axis, const int64_t *d, int *bad) {{
    (void)d, (void)bad;
    static const int64_t shapes[][2] = {{{shapes}}};
    return shapes[buffer][axis];
}}
static const nw_buffer buffers[] = {{{buffers}}};
static const nw_model model = {{.buffers = buffers, .size = size}};
const nw_model *nw_chosen = &model;
static const double factors[] = {{0.5, 2, 1}};
{sums}
static const nw_score scores[] = {{{scores}}};
const nw_trainer nw_the_trainer = {{.score_count = {count}, .scores = scores}};
void *allocate(size_t count, size_t size) {{ return calloc(count + 1, size); }}
double score(int32_t number, double *values) {{
    static double *sums[{count}];
    totals all = {{1, sums}};
    sums[number] = values;
    return score_of(number, &all);
}}
"""


def tables() -> str:
    buffers, shapes, sums, scores = [], [], [], []
    for number, (formula, count, shape) in enumerate(CASES):
        buffers.append(f'{{.name = "", .rank = {len(shape)}}}')
        shapes.append(f"{{{', '.join(map(str, (*shape, 0, 0)[:2]))}}}")
        sums.append(f"static const int32_t sums_{number}[] = {{{', '.join([str(number)] * count)}}};")
        scores.append(f'{{"", "{formula}", {count}, sums_{number}, factors, 0}}')
    named = {"buffers": buffers, "shapes": shapes, "scores": scores}
    return TABLES.format(
        count=len(CASES), sums="\n".join(sums), **{key: ", ".join(rows) for key, rows in named.items()}
    )


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> ctypes.CDLL:
    folder = tmp_path_factory.mktemp("scores")
    (folder / "tables.c").write_text(tables())
    sources = [str(C_SOURCES / "train" / name) for name in ("scores.c", "totals.c")]
    command = ["cc", "-std=gnu11", "-O2", "-ffp-contract=off", "-shared", "-fPIC"]
    command += [f"-I{C_SOURCES}", f"-I{C_SOURCES / 'train'}", *sources, "tables.c", "-lm", "-o", "scores.so"]
    subprocess.run(command, cwd=folder, check=True)
    loaded = ctypes.CDLL(str(folder / "scores.so"))
    loaded.score.restype = ctypes.c_double
    return loaded


def drawn(generator: np.random.Generator, formula: str, count: int, shape: tuple[int, ...]) -> list[NDArray]:
    if formula in ("mean", "perplexity", "r2"):
        sums = [np.asarray(generator.normal(size=shape) * 10) for _ in range(count)]
        if formula == "r2":
            targets = generator.normal(size=(5, *shape))
            sums = [abs(sums[0]), targets.sum(0), (targets**2).sum(0), np.full(shape, 5.0)]
        for part in sums[1::2] if formula == "mean" else sums[1:2] if formula == "perplexity" else ():
            part[...] = generator.integers(0, 4) * 7
        return sums
    return [generator.integers(0, 30, shape).astype(np.float64) for _ in range(count)]


@pytest.mark.parametrize("number", range(len(CASES)))
def test_scores_are_those_of_python(library: ctypes.CDLL, number: int) -> None:
    formula, count, shape = CASES[number]
    generator = np.random.default_rng(number)
    weights = [0.5, 2.0, 1.0][: count // 2] if formula == "mean" else []
    info = ScoreInfo(name="", formula=formula, sums=[""] * count, weights=weights)  # type: ignore[arg-type]
    for _ in range(30):
        sums = drawn(generator, formula, count, shape)
        values = np.concatenate([part.ravel() for part in sums])
        made = library.score(number, values.ctypes.data_as(ctypes.POINTER(ctypes.c_double)))
        wanted = value_of(info, sums)
        assert made == wanted or (math.isnan(made) and math.isnan(wanted))
